"""What the choices mean, as lines for the right pane."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from textual.content import Content

from engine.previews import FeatureRow, FeaturesPreview, LayerRow, ModelPreview, TowerPreview
from engine.spec.run_folder import Rows
from engine.text import safe_line
from tui.look import BAD, BOLD, GOOD, MUTED, Look
from tui.screens.wizard.entries import Entry

_LEAST_NAME: Final = 14
_LEAST_WORDS: Final = 5
_LABEL: Final = 11
"""Cells of the labels of settings, with the gap."""


def row(left: Content, right: Content, width: int) -> Content:
    """Return two contents at the edges of a line; the left one is cut where they meet."""
    room = max(1, width - right.cell_length - 1)
    return Content.assemble(left.truncate(room, ellipsis=True, pad=True), " ", right)


def title(text: str, badge: str, width: int) -> Content:
    """Return a bold foreign name with its badge at the right edge."""
    return row(
        Content.styled(safe_line(text, limit=200), BOLD), Content.styled(badge, MUTED), width
    )


def wrapped(text: str, style: str, width: int, *, indent: str = "") -> list[Content]:
    """Return foreign text in lines of at most `width` cells."""
    content = Content.styled(safe_line(text, limit=2_000), style)
    room = max(8, width - len(indent))
    return [Content.assemble(indent, line) for line in content.wrap(room)]


def invalid_lines(entry: Entry, look: Look, width: int) -> Iterator[Content]:
    """Yield why a definition can't be used: file, line, key and reason."""
    if entry.usable:
        yield from wrapped("The file is wrong now: its last valid version is used.", BOLD, width)
    else:
        name = Content.styled(safe_line(entry.name, limit=200), BOLD)
        name = Content.assemble((f"{look.icon('failed')} ", BAD), name)
        yield name.truncate(width, ellipsis=True)
    for problem in entry.problems:
        yield Content("")
        yield from wrapped(f"{problem.file}, line {problem.line}", MUTED, width)
        if problem.key:
            yield from wrapped(problem.key, BOLD, width)
        yield from wrapped(problem.reason, BAD, width)


def tower_table(
    features: FeaturesPreview, look: Look, width: int, *, summed: int | None = None
) -> Iterator[Content]:
    """Yield both towers: a line for each feature, with its transforms and dimensions.

    The transforms are told in the longest way that the fewest lines are too narrow for. `summed` is
    the width of what a tower's fields add up to, None where they stand side by side.
    """
    towers = (("Buyer tower", features.buyer), ("Product tower", features.product))
    rows = [*features.buyer.features, *features.product.features]
    forms = [[form(row) for row in rows] for form in _FORMS]
    figures = max(len(f"{row.tensor_dim:,}") for row in rows)
    names = max(Content(_name(row)).cell_length for row in rows)
    least = max(_LEAST_WORDS, min(max(map(len, form)) for form in forms))
    names = min(names, max(_LEAST_NAME, width - figures - least - 4))
    room = width - names - figures - 4
    words = min(forms, key=lambda form: sum(len(said) > room for said in form))
    said = iter(words)
    for heading, tower in towers:
        dims = f"{tower.tensor_dim:,} dims" if summed is None else f"summed to {summed:,} dims"
        yield row(Content.styled(heading, BOLD), Content.styled(dims, BOLD), width)
        for feature in tower.features:
            yield from _feature_lines(feature, next(said), names, look, width)


def _feature_lines(
    feature: FeatureRow, words: str, names: int, look: Look, width: int
) -> Iterator[Content]:
    name = Content.styled(_name(feature), BOLD if feature.primary else "")
    left = Content.assemble(" ", name.truncate(names, ellipsis=True, pad=True), "  ")
    right = Content(f"{feature.tensor_dim:,}")
    if left.cell_length + len(words) + 1 + right.cell_length <= width:
        yield row(Content.assemble(left, (look.draw(words), MUTED)), right, width)
    else:
        yield row(left, right, width)
        yield from wrapped(look.draw(words), MUTED, width, indent="   ")


def _name(feature: FeatureRow) -> str:
    return safe_line(feature.column, limit=80)


def _in_full(feature: FeatureRow) -> str:
    return _joined(feature, feature.transforms, with_values=True)


def _in_short(feature: FeatureRow, *, with_values: bool) -> str:
    words = (re.sub(r", embedding of .*", "", words) for words in feature.transforms)
    short = [re.sub(r"^embedding of .*", "embed", words) for words in words]
    if feature.primary and short == ["embed"]:
        short = []
    return _joined(feature, short, with_values=with_values)


def _joined(feature: FeatureRow, words: Iterable[str], *, with_values: bool) -> str:
    values = feature.vocabulary_size if with_values else None
    counted = [] if values is None else [f"{values:,} values"]
    return ", ".join([*(["id"] if feature.primary else []), *words, *counted])


_FORMS: Final = (
    _in_full,
    partial(_in_short, with_values=True),
    partial(_in_short, with_values=False),
)


def layer_table(model: ModelPreview, width: int) -> Iterator[Content]:
    """Yield towers and rating head: a line for each layer, with its dimensions and weights."""
    towers = [("Buyer tower", _layers(model.buyer)), ("Product tower", _layers(model.product))]
    if model.rating is not None:
        towers.append(("Rating", [_layer(layer) for layer in model.rating.layers]))
    rows = [("", "dims", "weights"), *(row for _, rows in towers for row in rows)]
    longest, dims, weights = (max(len(row[column]) for row in rows) for column in range(3))
    gap = 2 if longest + dims + weights + 6 <= width else 1

    def figures(first: str, second: str) -> str:
        return f"{first:>{dims + gap}}{second:>{weights + gap}}"

    for name, layers in towers:
        heads = Content.styled(figures("dims", "weights"), MUTED)
        yield row(Content.styled(name, BOLD), heads, width)
        for label, *both in layers:
            right = Content(figures(*both))
            left = Content(f" {label}")
            if left.cell_length + right.cell_length + 1 > width:
                yield left
                left = Content("")
            yield row(left, right, width)
    total = Content.styled(_figure(model.parameters), BOLD)
    yield row(Content.styled("All weights", BOLD), total, width)


def _layers(tower: TowerPreview) -> list[tuple[str, str, str]]:
    first = ("embeddings", tower.input_dim, tower.embedding_parameters)
    name, dims, weights = first
    return [(name, _figure(dims), _figure(weights)), *(_layer(layer) for layer in tower.layers)]


def _layer(layer: LayerRow) -> tuple[str, str, str]:
    return layer.label, _figure(layer.output_dim), _figure(layer.parameters)


def _figure(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def setting(label: str, parts: Sequence[str], look: Look, width: int) -> Iterator[Content]:
    """Yield a muted label of fixed width and its value, broken between the parts where it can be.

    Args:
        label: what it is called.
        parts: of the value.
        look: what the terminal can show.
        width: cells of a line.
    """
    room = max(8, width - _LABEL)
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]} · {part}" if lines else part
        if lines and len(joined) <= room:
            lines[-1] = joined
        else:
            lines.append(part)
    broken = [piece for line in lines for piece in Content(look.draw(line)).wrap(room)]
    for i, line in enumerate(broken):
        yield Content.assemble((f"{label if i == 0 else '':<{_LABEL}}", MUTED), line)


def split_rows(rows: Rows) -> Iterator[Content]:
    """Yield the rows of each split and their share of all."""
    counts = {"train": rows.train, "eval": rows.eval, "test": rows.test}
    wide = max(len(f"{count:,}") for count in counts.values())
    for name, count in counts.items():
        share = count / sum(counts.values())
        yield Content.assemble(
            (f"{name:<{_LABEL}}", MUTED), f"{count:>{wide},}", (f"{share:>6.0%}", MUTED)
        )


def waiting(text: str, look: Look) -> Content:
    """Return a line that says what is awaited."""
    return Content.styled(look.draw(f"◌ {text}"), MUTED)


def good(text: str, look: Look) -> Content:
    """Return a line that says that all is well."""
    return Content.styled(f"{look.icon('completed')} {text}", GOOD)

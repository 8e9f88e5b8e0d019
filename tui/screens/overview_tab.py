"""The Overview tab: what an experiment ran with, what came out, and what that is worth."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget

from engine.formats import clock, duration, epochs_text, figure
from engine.metric_names import in_results, metric_label, standing
from engine.text import safe_line
from tui.link import Link
from tui.look import ACCENT, BAD, BOLD, GOOD, MUTED, WARNING, Look
from tui.widgets.line_block import LineBlock

if TYPE_CHECKING:
    from engine.snapshots import ExperimentDetail, FeatureView, TowerView

_LABEL = 16
_TWO_COLUMNS = 100
_COLUMNS = {
    "popularity": "popular",
    "own_history": "history",
    "item_to_item": "co-bought",
    "bias": "bias",
}
"""Headings of the reference models; `item_to_item` offers what is bought together."""
_COLUMN = 10
_SPLITS = {
    "random": "random 80/15/5",
    "time-holdout": "time holdout, last {holdout_days} days test",
    "strict-time": "strict time, {train_days} / {val_days} / {test_days} days",
}


class Facts(LineBlock):
    """The sections of an overview, in one or two columns."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._seen: ExperimentDetail | None = None

    def show(self, seen: "ExperimentDetail") -> None:
        """Show a snapshot."""
        self._seen = seen
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return every section."""
        seen = self._seen
        if seen is None:
            return [Content("")]
        top = [*_error(seen, width, self.look), *_verdicts(seen, width, self.look)]
        column = width if width < _TWO_COLUMNS else width // 2
        left = [*_result(seen, self.look), *_run(seen, column)]
        right = [
            *_model(seen, self.look),
            *_definitions(seen, self.look),
            *_cloud(seen, width if column == width else width - column - 2),
        ]
        if column == width:
            return [*top, *left, *right]
        return [*top, *_beside(left, right, column)]


class OverviewTab(Widget):
    """What an experiment is.

    Args:
        link: to the engine; this tab needs nothing but the snapshots.
        look: what the terminal can show.
        number: of the experiment.
    """

    DEFAULT_CSS = """
    OverviewTab { height: 1fr; }
    OverviewTab VerticalScroll { padding: 0 2; scrollbar-size-vertical: 1; }
    """

    def __init__(self, link: Link, look: Look, number: int) -> None:
        super().__init__()
        del link, number
        self._look = look

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with VerticalScroll():
            yield Facts(self._look)

    def show(self, seen: "ExperimentDetail") -> None:
        """Show a snapshot."""
        self.query_one(Facts).show(seen)


def _beside(left: list[Content], right: list[Content], column: int) -> list[Content]:
    height = max(len(left), len(right))
    blank = Content("")
    rows: list[Content] = []
    for index in range(height):
        one = left[index] if index < len(left) else blank
        other = right[index] if index < len(right) else blank
        one = one.truncate(column, ellipsis=True)
        rows.append(one + " " * (column + 2 - one.cell_length) + other)
    return rows


def _section(title: str, rows: Iterable[Content]) -> list[Content]:
    found = list(rows)
    return [Content.styled(title, BOLD), *found, Content("")] if found else []


def _row(label: str, *value: Content | tuple[str, str] | str) -> Content:
    return Content.assemble((f"  {label:<{_LABEL}}", MUTED), *value)


def _long_row(label: str, text: str, style: str, width: int) -> list[Content]:
    first, *rest = Content.styled(text, style).wrap(max(width - 2 - _LABEL, 10))
    return [_row(label, first), *(Content(" " * (2 + _LABEL)) + line for line in rest)]


def _wrapped(text: str, width: int, style: str) -> list[Content]:
    whole = Content.styled(text, style)
    return [Content("  ") + line for line in whole.wrap(max(width - 4, 10))]


def _error(seen: "ExperimentDetail", width: int, look: Look) -> list[Content]:
    error = seen.error
    if error is None:
        return []
    where = f" in {error.component}" if error.component else ""
    if seen.status == "failed":
        lines = [Content.styled(f"{look.icon('failed')} Failed{where}", f"{BOLD} {BAD}")]
    else:
        lines = [Content.styled(f"{look.icon('warning')} It waits", f"{BOLD} {WARNING}")]
    lines += _wrapped(safe_line(error.message, limit=2_000), width, "")
    if error.hint:
        lines += _wrapped(safe_line(error.hint, limit=1_000), width, MUTED)
    return [*lines, Content("")]


def _verdicts(seen: "ExperimentDetail", width: int, look: Look) -> list[Content]:
    if not seen.verdicts:
        return []
    lines = [Content.styled("What it is worth" if seen.ended else "Worth knowing", BOLD)]
    for sentence in seen.verdicts:
        safe = safe_line(sentence, limit=1_000)
        first, *rest = Content(safe).wrap(max(width - 6, 10))
        lines.append(Content.assemble((look.draw("  · "), ACCENT), first))
        lines += [Content("    ") + line for line in rest]
    return [*lines, Content("")]


def _result(seen: "ExperimentDetail", look: Look) -> list[Content]:
    rows: list[Content] = []
    others = [*([seen.baseline] if seen.baseline else []), *seen.references.values()]
    names = in_results(seen.primary_metric)
    found = [name for name in names if getattr(seen.metrics, name) is not None]
    if not found:
        return []
    if others:
        names = (_COLUMNS.get(other.name) or safe_line(other.name, limit=9) for other in others)
        head = "".join(f"{name:>{_COLUMN}}" for name in names)
        rows.append(Content.styled(f"  {'':<{_LABEL}}{'model':>8}{head}", MUTED))
    for name in found:
        primary = seen.interval is not None and seen.interval.metric == name
        cells = [(f"{figure(getattr(seen.metrics, name)):>8}", BOLD if primary else "")]
        cells += [(f"{figure(getattr(o, name, None)):>{_COLUMN}}", MUTED) for o in others]
        rows.append(_row(metric_label(name), *cells))
    if seen.interval is not None:
        low, high = figure(seen.interval.low), figure(seen.interval.high)
        rows.append(_row("95% interval", (look.draw(f"{low} – {high}"), "")))
    if seen.difference is not None:
        rows.append(_row("difference", *_difference(seen, look)))
    return _section("Result", rows)


def _difference(seen: "ExperimentDetail", look: Look) -> list[tuple[str, str]]:
    difference = seen.difference
    if difference is None:
        return []
    style, word = {
        "better": (GOOD, "better"),
        "worse": (BAD, "worse"),
        "alike": (MUTED, "not told apart"),
    }[standing(difference.metric, difference.low, difference.high)]
    told = f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f}) "
    return [(look.draw(told), ""), (word, style)]


def _run(seen: "ExperimentDetail", width: int) -> list[Content]:
    params = seen.params
    split = _SPLITS[params.split.kind].format(**params.split.model_dump())
    sample = f"{params.sample_percent:g}% by {params.sample_by}"
    rows = [
        *_long_row("data", f"{sample}, {split}", "", width),
        _row("epochs", epochs_text(params.epochs, seen.epochs_trained)),
        _row("batch size", f"{params.batch_size:,}"),
        _row("learning rate", f"{params.learning_rate:g} ({params.optimizer})"),
        _row("seed", f"{params.seed}"),
    ]
    if seen.rows is not None:
        counts = f"{seen.rows.train:,} train, {seen.rows.eval:,} eval, {seen.rows.test:,} test"
        rows += _long_row("rows", counts, "", width)
    if seen.seen_in_train is not None:
        shares = seen.seen_in_train
        told = (
            f"{shares.pairs:.0%} of pairs, {shares.buyers:.0%} of buyers,"
            f" {shares.products:.0%} of products"
        )
        rows += _long_row("seen in train", told, "", width)
        rows.append(_row("candidates", f"{shares.candidates:,} products"))
    if seen.index is not None:
        rows += _long_row("index", str(seen.index), "", width)
    rows.append(_row("created", clock(seen.created_at)))
    if seen.duration_seconds is not None:
        rows.append(_row("took", duration(seen.duration_seconds)))
    if seen.parent is not None:
        rows.append(_row("rerun of", (f"#{seen.parent}", ACCENT)))
    if seen.tags:
        tags = " ".join(f"#{safe_line(tag, limit=30)}" for tag in seen.tags)
        rows += _long_row("tags", tags, ACCENT, width)
    if seen.description:
        rows += _long_row("description", safe_line(seen.description, limit=300), "", width)
    if seen.artifacts_uri:
        rows += _long_row("files", safe_line(seen.artifacts_uri, limit=300), MUTED, width)
    return _section("Run", rows)


def _cloud(seen: "ExperimentDetail", width: int) -> list[Content]:
    told = {
        "Dataflow on": seen.params.machine_type if seen.backend == "vertex" else None,
        "build": seen.cloud.build_id,
        "pipeline job": (seen.cloud.pipeline_job_name or "").rpartition("/")[2],
    }
    rows = (_long_row(k, safe_line(v, limit=300), "", width) for k, v in told.items() if v)
    return _section("Google Cloud", chain.from_iterable(rows))


def _model(seen: "ExperimentDetail", look: Look) -> list[Content]:
    buyer, product = seen.definitions.buyer, seen.definitions.product
    return [
        *_section(
            "Towers",
            [
                _row("model", safe_line(seen.model_config_name, limit=60)),
                _row("buyer", _tower(buyer, look)),
                _row("product", _tower(product, look)),
            ],
        ),
        *_section("Buyer features", _features(buyer, look)),
        *_section("Product features", _features(product, look)),
    ]


def _tower(tower: "TowerView", look: Look) -> str:
    return look.draw(f"{tower.tensor_dim} in → {safe_line(tower.structure, limit=80)}")


def _features(tower: "TowerView", look: Look) -> Iterable[Content]:
    for feature in tower.features:
        column = safe_line(feature.column, limit=22)
        told = look.draw(f"{_transforms(feature)} → {feature.tensor_dim}")
        mark = [("  id", WARNING)] if feature.primary else []
        yield Content.assemble((f"  {column:<24}", ""), (told, MUTED), *mark)


def _transforms(feature: "FeatureView") -> str:
    return f"{feature.data_type}, {' + '.join(feature.transforms).replace('_', ' ')}"


def _definitions(seen: "ExperimentDetail", look: Look) -> list[Content]:
    hashes = seen.definitions.hashes
    rows = [
        _definition("dataset", seen.dataset, hashes.dataset),
        _definition("features", seen.feature_config, hashes.feature_config),
        _definition("model", seen.model_config_name, hashes.model_config_hash),
    ]
    return _section("Definitions", rows)


def _definition(kind: str, name: str, content_hash: str) -> Content:
    return _row(kind, safe_line(name, limit=40), (f"  {content_hash[:8]}", MUTED))

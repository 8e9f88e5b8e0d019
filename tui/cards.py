"""How an experiment looks as a card: pure functions from a `Card` to lines of `Content`.

The eye finds status, number, name and result in that order, in columns that line up from card to
card. A wide card has three lines, a narrow one two.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from engine.cards import Card
from engine.formats import age, duration, epochs_text, figure
from engine.metric_names import RECALL_AT_100, metric_label
from engine.metric_names import standing as against
from engine.text import safe_line
from tui.look import ACCENT, BAD, BOLD, FAINT, GOOD, MUTED, STATUS_STYLE, WARNING, Look

if TYPE_CHECKING:
    from engine.snapshots import ExperimentDetail

WIDE = 100
"""From this many columns on a card has three lines."""

Part = tuple[str, str]
"""Text and its style; "" is the widget's own."""

_TYPE_WIDTH = 12
_BACKEND_WIDTH = 8
_AGE_WIDTH = 14
_RECALLS = ("recall_at_5", "recall_at_10", "recall_at_50", "recall_at_100")
_NOT_TOLD = 0.005
"""A relative difference below half a percent is told as "0%"."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a card's look depends on besides the experiment.

    Attributes:
        width: cells of a line.
        selected: whether the cursor is on it.
        now: for ages and elapsed times.
        marked: whether it is marked for comparing.
    """

    width: int
    selected: bool
    now: datetime
    marked: bool = False

    @property
    def wide(self) -> bool:
        """Whether there is room for three lines."""
        return self.width >= WIDE


def card_lines(card: Card, frame: Frame, look: Look) -> list[Content]:
    """Return the two or three lines of a card."""
    lines = _wide(card, frame, look) if frame.wide else _narrow(card, frame, look)
    bar = (look.draw("▌"), ACCENT) if frame.selected else (" ", "")
    first = (look.draw("●"), f"{BOLD} {ACCENT}") if frame.marked else bar
    bars = [first, *[bar] * (len(lines) - 1)]
    return [Content.assemble(bar, *line) for bar, line in zip(bars, lines, strict=True)]


def card_height(width: int) -> int:
    """Return the lines of a card with its separating space."""
    return 4 if width >= WIDE else 2


def placeholder_lines(frame: Frame, look: Look) -> list[Content]:
    """Return what stands for a card that is still being read."""
    mark = (look.draw("▌"), ACCENT) if frame.selected else (" ", "")
    return [Content.assemble(mark, (look.draw("  …"), FAINT))]


def shown_status(card: Card) -> str:
    """Return the intent, where there is one, else the status."""
    return card.intent or card.status


def standing(card: Card, look: Look) -> Part:
    """Return how the result stands against the baseline, in a few words."""
    difference, low, high = card.difference, card.difference_low, card.difference_high
    metric = card.primary_metric
    value: float | None = getattr(card, metric)
    if difference is None or low is None or high is None or value is None:
        return ("", "")
    baseline = "popularity" if metric == RECALL_AT_100 else "bias"
    where = against(metric, low, high)
    if where == "alike":
        return (look.draw(f"≈ {baseline}"), MUTED)
    reference = value - difference
    amount = f"{abs(difference):.3f}"
    if reference > _NOT_TOLD:
        amount = f"{abs(difference) / reference:.0%}"
    if where == "better":
        return (look.draw(f"▲ {amount} over {baseline}"), GOOD)
    return (look.draw(f"▼ {amount} below {baseline}"), BAD)


def progress_words(card: "Card | ExperimentDetail", now: datetime) -> str:
    """Return the remaining time in words, or the time since the start where nothing is known."""
    if card.remaining_seconds is not None:
        return f"about {duration(_calm(card.remaining_seconds))} left"
    if card.started_at is not None:
        return f"{duration((now - card.started_at).total_seconds())} so far"
    return ""


def _calm(seconds: float) -> float:
    """Round a remaining time so that it doesn't pretend to be exact."""
    step = 5 if seconds < 120 else 30
    return max(step, round(seconds / step) * step)


def _wide(card: Card, frame: Frame, look: Look) -> list[list[Part]]:
    inner = frame.width - 1
    right = _TYPE_WIDTH + _BACKEND_WIDTH + _AGE_WIDTH
    title = _title(card, look, inner - right - 2)
    head = [
        *title,
        ("  ", ""),
        _type(card),
        (f"{card.backend:<{_BACKEND_WIDTH}}", MUTED),
        (_when(card, frame.now).rjust(_AGE_WIDTH), MUTED),
    ]
    state = _state(card)
    config = _fit(_config(card, look), inner - 2 - len(state[0]) - 3)
    middle = [("  ", ""), (config.ljust(inner - 2 - len(state[0])), MUTED), state]
    return [head, middle, [("  ", ""), *_bottom(card, frame, look, inner - 2)]]


def _narrow(card: Card, frame: Frame, look: Look) -> list[list[Part]]:
    inner = frame.width - 1
    result = _short_result(card, frame, look)
    space = inner - _TYPE_WIDTH - sum(len(text) for text, _ in result)
    head = [*_title(card, look, space - 1), (" ", ""), _type(card), *result]
    if card.ended:
        below = _ended_line(card, frame, look, inner - 2)
    else:
        below = _progress(card, frame, look, inner - 2, stage=True)
    return [head, [("  ", ""), *below]]


def _title(card: Card, look: Look, width: int) -> list[Part]:
    status = shown_status(card)
    number = f"#{card.number}"
    name = safe_line(card.name, limit=200) or _unnamed(card, look)
    room = max(width - len(number) - 4, 0)
    return [
        (f"{look.icon(status)} ", STATUS_STYLE[status]),
        (f"{number}  ", BOLD),
        (_padded(name, room), BOLD if card.name else MUTED),
    ]


def _unnamed(card: Card, look: Look) -> str:
    model = safe_line(card.model_config, limit=80)
    return look.draw(f"{model} · {safe_line(card.feature_config, limit=80)}")


def _type(card: Card) -> Part:
    return (f"{card.model_type.upper():<{_TYPE_WIDTH}}", MUTED)


def _when(card: Card, now: datetime) -> str:
    told = age(card.ended_at or card.created_at, now)
    return told if told == "now" else f"{told} ago"


def _config(card: Card, look: Look) -> str:
    names = (card.dataset, card.feature_config, card.model_config)
    params = (
        f"{card.sample_percent:g}%",
        epochs_text(card.epochs, card.epochs_trained),
        f"batch {card.batch_size:,}",
        f"lr {card.learning_rate:g}",
    )
    shown = " · ".join(safe_line(name, limit=60) for name in names)
    return look.draw(f"{shown}   ") + look.draw(" · ".join(params))


def _state(card: Card) -> Part:
    status = shown_status(card)
    if card.status == "completed" and card.intent is None:
        return (f"took {duration(card.duration_seconds)}", MUTED)
    if card.status == "failed" and card.intent is None:
        where = f" in {card.error_component}" if card.error_component else ""
        return (f"failed{where} after {duration(card.duration_seconds)}", BAD)
    if card.ended:
        return (status, STATUS_STYLE[status])
    stage = safe_line(card.stage or "", limit=60)
    return (stage if card.intent is None and stage else status, STATUS_STYLE[status])


def _bottom(card: Card, frame: Frame, look: Look, width: int) -> list[Part]:
    if not card.ended:
        return _progress(card, frame, look, width, stage=False)
    if card.status == "failed":
        return [_error(card, width, look)]
    if card.status == "cancelled":
        return [("No result: it was cancelled.", FAINT)]
    return [*_metrics(card), standing(card, look), *_tags(card)]


def _metrics(card: Card) -> list[Part]:
    parts: list[Part] = []
    for name in _RECALLS:
        value: float | None = getattr(card, name)
        if value is not None:
            label = f"R@{name.removeprefix('recall_at_')} "
            primary = name == card.primary_metric
            parts += [(label, MUTED), (f"{figure(value)}   ", BOLD if primary else "")]
    for label, value in (("RMSE", card.rmse), ("MAE", card.mae), ("test RMSE", card.test_rmse)):
        if value is not None:
            primary = label == metric_label(card.primary_metric)
            parts += [(f"{label} ", MUTED), (f"{figure(value)}   ", BOLD if primary else "")]
    return parts or [("no metrics   ", WARNING)]


def _tags(card: Card) -> list[Part]:
    shown = " ".join(f"#{safe_line(tag, limit=30)}" for tag in card.tags[:6])
    return [(f"   {shown}", ACCENT)] if shown else []


def _error(card: Card, width: int, look: Look) -> Part:
    told = " ".join(filter(None, (card.error_message, card.error_hint)))
    return (_fit(safe_line(told, limit=400) or "It left no reason.", width, look), "")


def _progress(card: Card, frame: Frame, look: Look, width: int, *, stage: bool) -> list[Part]:
    status = shown_status(card)
    style = STATUS_STYLE[status]
    words = progress_words(card, frame.now) if card.status == "running" else ""
    told = ""
    if stage:
        told = _state(card)[0]
        told = _padded(told, 24) + " "
    if card.progress is None or card.status == "submitting":
        return [(told or "waiting for its turn", style if stage else MUTED)]
    percent = f"{card.progress:4.0%}"
    bar = width - len(told) - len(percent) - len(words) - 5
    done, left = look.bar(card.progress, max(bar, 4))
    return [
        (told, MUTED),
        (done, style),
        (left, FAINT),
        (f"  {percent}", BOLD),
        (f"   {words}", MUTED),
    ]


def _short_result(card: Card, frame: Frame, look: Look) -> list[Part]:
    value: float | None = getattr(card, card.primary_metric)
    if card.status == "completed" and card.intent is None and value is not None:
        told, style = standing(card, look)
        label = "R@100 " if card.primary_metric == RECALL_AT_100 else "RMSE  "
        return [(label, MUTED), (figure(value), BOLD), (f" {_in_short(told):<7}", style)]
    text, style = (shown_status(card), STATUS_STYLE[shown_status(card)])
    return [(f"{text:<19}", style)]


def _in_short(told: str) -> str:
    for word in (" over", " below"):
        told = told.partition(word)[0]
    return told.replace("popularity", "pop.")


def _ended_line(card: Card, frame: Frame, look: Look, width: int) -> list[Part]:
    if card.status == "failed":
        return [_error(card, width, look)]
    when = _when(card, frame.now)
    return [
        (_padded(_fit(_config(card, look), width - len(when) - 2, look), width - len(when)), MUTED),
        (when, MUTED),
    ]


def _fit(text: str, width: int, look: Look | None = None) -> str:
    """Cut a safe text to so many cells."""
    content = Content(text)
    if content.cell_length <= width:
        return text
    end = look.draw("…") if look else "…"
    return content.truncate(max(width - 1, 0)).plain.rstrip() + end


def _padded(text: str, width: int) -> str:
    """Cut or fill a safe text to exactly so many cells."""
    cut = _fit(text, width)
    return cut + " " * max(width - Content(cut).cell_length, 0)

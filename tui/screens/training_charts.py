"""Training curves and results as charts: pure functions from snapshots to `Chart`."""

import math
from typing import TYPE_CHECKING, Final, Literal

from textual.content import Content

from tui.look import ACCENT, BOLD, FAINT, GOOD, MUTED, RUNNING, WARNING, Look
from tui.widgets.line_chart import Bar, Chart, Series
from tui.widgets.metrics_table import number

if TYPE_CHECKING:
    from engine.snapshots import BaselineView, ExperimentDetail, Metrics, TrainingHistory
    from engine.spec.run_folder import TowerName

_KS = (5, 10, 50, 100)
_SHORT_RUN = 20
"""Epochs up to which the axis shows from the beginning how many there will be."""
_SAME = 1e-6
TOWERS: Final["dict[TowerName, str]"] = {
    "query": "query tower",
    "candidate": "candidate tower",
    "rating": "rating head",
}
_TOWER_LOOKS: Final["dict[TowerName, tuple[str, str]]"] = {
    "query": (ACCENT, "○"),
    "candidate": (WARNING, "×"),
    "rating": (RUNNING, "●"),
}


def loss_chart(history: "TrainingHistory", *, planned: int, log: bool) -> Chart:
    """Return the losses; the total one only where regularization makes it another.

    Args:
        history: the curves so far.
        planned: epochs, while the run goes on; 0 when it has ended.
        log: whether the loss axis is to be logarithmic.
    """
    loss = history.loss
    series = [
        Series("val", ACCENT, "○", tuple(loss.val)),
        Series("train", RUNNING, "●", tuple(loss.train)),
    ]
    if any(abs(t - o) > _SAME * max(abs(t), 1.0) for t, o in _pairs(loss.train, loss.total)):
        series.insert(0, Series("total", WARNING, "×", tuple(loss.total)))
    return _by_epoch(history, tuple(series), planned, log=log)


def gradient_chart(history: "TrainingHistory", *, planned: int) -> Chart | None:
    """Return the gradient norms; None unless all of them are known."""
    norms = history.gradient_norms
    curves = (norms.query, norms.candidate, norms.total)
    if any(len(curve) != len(history.epochs) for curve in curves):
        return None
    series = (
        Series("query", ACCENT, "○", tuple(norms.query)),
        Series("candidate", WARNING, "×", tuple(norms.candidate)),
        Series("total", RUNNING, "●", tuple(norms.total)),
    )
    return _by_epoch(history, series, planned, from_zero=True)


def norm_chart(history: "TrainingHistory", norm: Literal["l1", "l2"]) -> Chart | None:
    """Return a norm of each tower's weights; None unless every epoch has one."""
    found: dict[TowerName, tuple[float, ...]] = {
        tower: getattr(norms, norm) for tower, norms in history.weight_stats.items()
    }
    if not found or any(len(curve) != len(history.epochs) for curve in found.values()):
        return None
    series = [
        Series(tower, *_TOWER_LOOKS[tower], curve) for tower, curve in reversed(found.items())
    ]
    return _by_epoch(history, tuple(series), 0, from_zero=True)


def recall_chart(seen: "ExperimentDetail") -> Chart | None:
    """Return Recall@K over K with the reference models; None when the run has none."""
    model = _recalls(seen.metrics)
    if all(value is None for value in model):
        return None
    series = [Series("model", RUNNING, "●", model)]
    own = seen.references.get("own_history")
    together = seen.references.get("item_to_item")
    if together is not None:
        series.insert(0, Series("co-bought", GOOD, "+", _recalls(together)))
    if own is not None:
        series.insert(0, Series("history", ACCENT, "×", _recalls(own)))
    if seen.baseline is not None:
        series.insert(0, Series(seen.baseline.name, WARNING, "○", _recalls(seen.baseline)))
    interval = seen.interval
    bars: tuple[Bar, ...] = ()
    if interval is not None and interval.metric.startswith("recall_at_"):
        k = interval.metric.removeprefix("recall_at_")
        if k.isdecimal() and int(k) in _KS:
            bars = (Bar(math.log10(int(k)), interval.low, interval.high, RUNNING),)
    xs = tuple(math.log10(k) for k in _KS)
    return Chart(
        xs=xs,
        series=tuple(series),
        x_name="K",
        x_last=math.log10(_KS[-1] * 1.15),  # room for the bar at the last K
        x_ticks=tuple((x, str(k)) for x, k in zip(xs, _KS, strict=True)),
        bars=bars,
        from_zero=True,
    )


def error_chart(history: "TrainingHistory", *, planned: int) -> Chart | None:
    """Return the RMSE of train and eval over the epochs; None unless every epoch has one."""
    known = {name: history.epoch_metrics.get(name, ()) for name in ("rmse", "val_rmse")}
    if any(len(curve) != len(history.epochs) for curve in known.values()):
        return None
    series = (
        Series("train", RUNNING, "●", tuple(known["rmse"])),
        Series("val", WARNING, "○", tuple(known["val_rmse"])),
    )
    return _by_epoch(history, series, planned)


def read_out(history: "TrainingHistory", index: int, epochs: int, look: Look) -> Content:
    """Return all figures of one epoch in a line."""
    loss, norms, speed = history.loss, history.gradient_norms, history.examples_per_second
    parts = [
        _epoch(history, index, epochs),
        Content.assemble(("train ", MUTED), number(loss.train[index])),
        Content.assemble(("val ", MUTED), look.draw(number(loss.val[index]))),
    ]
    if index < len(speed):
        parts.append(Content.assemble(number(speed[index], 0), (" examples/s", MUTED)))
    if index < len(norms.total):
        parts.append(Content.assemble(("|grad| ", MUTED), number(norms.total[index])))
    return Content("   ").join(parts)


def weights_read_out(history: "TrainingHistory", index: int, epochs: int) -> Content:
    """Return the norms of the towers' weights after one epoch in a line."""
    parts = [_epoch(history, index, epochs)]
    for tower, norms in history.weight_stats.items():
        if index < len(norms.l2):
            l2, l1 = number(norms.l2[index], 2), number(norms.l1[index], 0)
            parts.append(Content.assemble((f"{tower} L2 ", MUTED), l2, (" L1 ", MUTED), l1))
    return Content("   ").join(parts)


def hint(text: str) -> Content:
    """Return words about the keys, at the end of a line."""
    return Content.styled(text, FAINT)


def _epoch(history: "TrainingHistory", index: int, epochs: int) -> Content:
    return Content.assemble(
        (f"epoch {history.epochs[index] + 1}", BOLD), (f" of {epochs}" if epochs else "", MUTED)
    )


def _by_epoch(
    history: "TrainingHistory",
    series: tuple[Series, ...],
    planned: int,
    *,
    log: bool = False,
    from_zero: bool = False,
) -> Chart:
    last = history.epochs[-1] + 1
    return Chart(
        xs=tuple(float(epoch + 1) for epoch in history.epochs),
        series=series,
        x_name="epoch",
        x_last=float(_axis_end(last, planned)),
        log=log,
        from_zero=from_zero,
    )


def _axis_end(done: int, planned: int) -> int:
    """Return where the epoch axis ends: it doesn't move with every epoch, nor stay empty."""
    if planned <= _SHORT_RUN:
        return max(planned, done)
    end = _SHORT_RUN
    while end < done:
        end *= 2
    return max(min(end, planned), done)


def _recalls(of: "Metrics | BaselineView") -> tuple[float | None, ...]:
    return (of.recall_at_5, of.recall_at_10, of.recall_at_50, of.recall_at_100)


def _pairs(one: tuple[float, ...], other: tuple[float, ...]) -> list[tuple[float, float]]:
    return list(zip(one, other, strict=False))

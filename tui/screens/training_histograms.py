"""Histograms of the Training tab: weights and gradients of towers, weights of layers."""

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from engine.errors import EngineError
from engine.text import safe_line
from tui.look import FAINT, MUTED, WARNING, Look
from tui.screens.training_charts import TOWERS
from tui.screens.training_panels import Lines, headline
from tui.widgets.metrics_table import number
from tui.widgets.ridgeline import Ridgeline, Ridges, quantile

if TYPE_CHECKING:
    from engine.spec.run_folder import Histogram, Histograms, TowerName

_WHOLE = ""
"""In place of a layer: all of the tower."""
_QUANTILES = ((0.05, "5%"), (0.5, "median"), (0.95, "95%"))


class HistogramPanel(Vertical):
    """How the weights or gradients of a tower, or the weights of a layer, were distributed."""

    def __init__(self, look: Look, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes="panel")
        self._look = look
        self._found: Histograms | None = None
        self._note = Content()
        self._place = ""
        self._subject = 0
        self._layer = _WHOLE
        self._epoch: int | None = None

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Lines(self._look)
        yield Ridgeline(self._look)

    def show(self, found: "Histograms | EngineError | str | None", place: str) -> None:
        """Show histograms, why there are none, or that they are being read.

        Args:
            found: what the engine answered, or a sentence of ours; None while it is asked.
            place: which of the pages this is.
        """
        self._place = place
        self._found = None
        if found is None:
            self._note = Content.styled(self._look.draw("Reading the histograms …"), MUTED)
        elif isinstance(found, str):
            self._note = Content.styled(found, MUTED)
        elif isinstance(found, EngineError):
            told = [(safe_line(found.message, limit=600), WARNING)]
            if found.hint:
                told += [("\n", ""), (safe_line(found.hint, limit=600), MUTED)]
            self._note = Content.assemble(*told)
        else:
            self._found = found
        self._draw()

    def next_subject(self) -> None:
        """Show weights or gradients of the next tower."""
        if self._found is not None:
            self._subject = (self._subject + 1) % len(self._subjects)
            self._layer = _WHOLE
            self._draw()

    def next_layer(self) -> None:
        """Show the weights of the tower's next layer, after the last those of the whole tower."""
        if self._found is not None and len(self._layers) > 1:
            self._layer = self._layers[(self._layers.index(self._layer) + 1) % len(self._layers)]
            self._draw()

    def mark(self, epoch: int | None) -> None:
        """Let an epoch, counted from 0, stand out where its histogram was kept; none when None."""
        self._epoch = epoch
        self._draw()

    @property
    def _subjects(self) -> "list[tuple[TowerName, bool]]":
        """Towers, and whether it is their gradients."""
        towers = self._found.towers if self._found is not None else ()
        return [(tower, gradients) for tower in towers for gradients in (False, True)]

    @property
    def _layers(self) -> list[str]:
        if self._found is None or not self._subjects:
            return []
        tower, gradients = self._subjects[self._subject]
        return [_WHOLE, *([] if gradients else self._found.towers[tower].layers)]

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        found, subjects = self._found, self._subjects
        if found is None or not subjects:
            self.query_one(Lines).show(headline("Histograms", self._place))
            self.query_one(Ridgeline).show(None, self._note)
            return
        tower, gradients = subjects[self._subject]
        of_tower = found.towers[tower]
        histogram = of_tower.gradients if gradients else of_tower.weights
        if self._layer:
            histogram = of_tower.layers[self._layer]
        row = found.epochs.index(self._epoch) if self._epoch in found.epochs else None
        newest = len(found.epochs) - 1 if row is None else row
        self.query_one(Lines).show(
            self._head(tower, gradients=gradients),
            _figures(histogram, newest, found.epochs[newest] + 1, self._look),
        )
        ridgeline = self.query_one(Ridgeline)
        ridgeline.show(Ridges(tuple(epoch + 1 for epoch in found.epochs), histogram))
        ridgeline.mark(row)

    def _head(self, tower: "TowerName", *, gradients: bool) -> Content:
        title = f"{'Gradients' if gradients else 'Weights'}, {TOWERS[tower]}"
        layers = self._layers
        which = safe_line(self._layer, limit=40) or ("" if gradients else "all layers")
        counted = f" {layers.index(self._layer)}/{len(layers) - 1}" if self._layer else ""
        keys = "t other" + (", l layer" if len(layers) > 1 else "")
        return Content.assemble(
            headline(title, self._place), (f"  {which}{counted}", ""), (f"   {keys}", FAINT)
        )


def _figures(histogram: "Histogram", row: int, epoch: int, look: Look) -> Content:
    """Return where most of an epoch's elements are, how many there are and where they end."""
    parts = [Content.styled(f"epoch {epoch}", MUTED)]
    for share, name in _QUANTILES:
        value = number(quantile(histogram, row, share))
        parts.append(Content.assemble((f"{name} ", MUTED), look.draw(value)))
    parts.append(Content.styled(f"of {sum(histogram.counts[row]):,}", MUTED))
    return Content("  ").join(parts)

"""The right pane of step 1: towers and tensors of the features, layers of the model."""

from collections.abc import Iterator, Sequence

from textual.content import Content
from textual.widget import Widget

from engine.errors import EngineError
from engine.previews import FeaturesPreview, ModelPreview
from engine.text import safe_line
from tui.look import BAD, MUTED, Look
from tui.screens.wizard import drawing
from tui.screens.wizard.entries import Entry
from tui.widgets.line_block import LineBlock


class MeaningOfWhat(LineBlock):
    """Shows what the entries under both cursors mean.

    Args:
        look: what the terminal can show.
    """

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="meaning-what")
        self._features: tuple[Entry | None, FeaturesPreview | EngineError | None] = (None, None)
        self._model: tuple[Entry | None, ModelPreview | EngineError | None] = (None, None)
        self._model_first = False

    def show_features(
        self, entry: Entry | None, answer: FeaturesPreview | EngineError | None
    ) -> None:
        """Show a feature config; None is an answer that is still awaited."""
        if self._features != (entry, answer):
            self._features = (entry, answer)
            self.redraw()

    def show_model(self, entry: Entry | None, answer: ModelPreview | EngineError | None) -> None:
        """Show a model config; None is an answer that is still awaited."""
        if self._model != (entry, answer):
            self._model = (entry, answer)
            self.redraw()

    def lead_with(self, *, model: bool) -> None:
        """Say which of both comes first where they don't fit together."""
        self._model_first = model
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return both, the one that is being chosen first unless there is room for all."""
        features = list(self._feature_lines(width))
        model = list(self._model_lines(width))
        gap = [Content("")] if features and model else []
        room = self.parent.size.height if isinstance(self.parent, Widget) else 0
        if self._model_first and len(features) + len(model) + 1 > room:
            return [*model, *gap, *features]
        return [*features, *gap, *model]

    def _feature_lines(self, width: int) -> Iterator[Content]:
        entry, answer = self._features
        if entry is None:
            return
        if entry.problems:
            yield from drawing.invalid_lines(entry, self.look, width)
            if not entry.usable:
                return
            yield Content("")
        if isinstance(answer, EngineError):
            yield drawing.title(entry.name, "", width)
            yield from drawing.wrapped(str(answer), BAD, width)
        elif answer is None:
            yield drawing.title(entry.name, "", width)
            yield drawing.waiting("reading the data …", self.look)
        else:
            model = self._model[1]
            fitted, summed = None, None
            if isinstance(model, ModelPreview) and model.features:
                fitted = model.features
                summed = model.output_dim if model.combine == "sum" else None
            yield from self._tower_lines(fitted or answer, width, summed)

    def _tower_lines(
        self, features: FeaturesPreview, width: int, summed: int | None
    ) -> Iterator[Content]:
        yield drawing.title(features.name, f"{features.rows:,} rows", width)
        yield from drawing.wrapped(f"of dataset {features.dataset}", MUTED, width)
        yield from drawing.tower_table(features, self.look, width, summed=summed)
        target = features.target or "none: serves retrieval only"
        yield from drawing.setting("target", [safe_line(target)], self.look, width)

    def _model_lines(self, width: int) -> Iterator[Content]:
        entry, answer = self._model
        if entry is None:
            return
        if entry.problems:
            yield from drawing.invalid_lines(entry, self.look, width)
            if not entry.usable:
                return
            yield Content("")
        yield drawing.title(entry.name, entry.badge, width)
        if isinstance(answer, EngineError):
            yield from drawing.wrapped(str(answer), BAD, width)
        elif answer is None:
            yield drawing.waiting("counting parameters …", self.look)
        else:
            yield from self._layer_lines(answer, width)

    def _layer_lines(self, model: ModelPreview, width: int) -> Iterator[Content]:
        yield from drawing.layer_table(model, width)
        retrieval = model.retrieval
        batch = "from the data" if model.batch_size is None else f"{model.batch_size:,}"
        settings = {"output": [f"{model.output_dim} dims", f"fields combined by {model.combine}"]}
        if model.model_type != "ranking":
            settings["retrieval"] = [
                "normalized" if retrieval.normalize else "not normalized",
                f"temperature {retrieval.temperature:g}",
                f"logQ correction {_on(retrieval.logq_correction)}",
                f"popularity prior {_on(retrieval.popularity_prior)}",
                f"top {retrieval.top_k:,}",
            ]
        if model.rating is not None:
            rating = model.rating.settings
            settings["rating"] = [
                f"head {rating.structure()}",
                f"dot product {_on(rating.dot_product)}",
                f"biases {_on(rating.biases)}",
                f"loss {rating.loss}",
            ]
        settings["optimizer"] = [model.optimizer, f"rate {model.learning_rate:g}", f"batch {batch}"]
        for label, parts in settings.items():
            yield from drawing.setting(label, parts, self.look, width)


def _on(value: bool) -> str:
    return "on" if value else "off"

"""Previews of the definitions under the cursors: asked in the background, kept while they hold."""

from engine.errors import EngineError
from engine.previews import FeaturesPreview, ModelPreview
from tui.link import Link
from tui.screens.wizard.entries import Entry
from tui.screens.wizard.latest import Latest, Spawn
from tui.screens.wizard.meaning_what import MeaningOfWhat

_DELAY = 0.1
_Pair = tuple[str, str]
"""Names of a model config and of the feature config that goes into it; "" where that is unknown."""


class Previews:
    """Asks for what is under the cursors and shows it.

    Args:
        link: asks the engine.
        meaning: shows the answers.
        spawn: runs the asking.
    """

    def __init__(self, link: Link, meaning: MeaningOfWhat, spawn: Spawn) -> None:
        self._link = link
        self._meaning = meaning
        self._features: Entry | None = None
        self._model: Entry | None = None
        self._known: dict[str, FeaturesPreview | EngineError] = {}
        self._known_models: dict[_Pair, ModelPreview | EngineError] = {}
        self._of_features = Latest[str, FeaturesPreview](
            lambda name: link.ask(lambda engine: engine.preview_features(name)),
            self._features_answered,
            spawn,
            delay=_DELAY,
        )
        self._of_model = Latest[_Pair, ModelPreview](
            self._ask_model, self._model_answered, spawn, delay=0
        )

    def forget(self) -> None:
        """Ask everything again: the definitions changed."""
        self._known.clear()
        self._known_models.clear()
        self._of_features.forget()
        self._of_model.forget()

    def look_at(self, features: Entry | None, model: Entry | None) -> None:
        """Show what these entries mean, and ask for what isn't known of them."""
        self._features, self._model = features, model
        if features is not None and features.usable and features.name not in self._known:
            self._of_features.want(features.name)
        pair = self._pair
        if pair is not None and pair not in self._known_models:
            self._of_model.want(pair)
        self._show()

    @property
    def _pair(self) -> _Pair | None:
        if self._model is None or not self._model.usable:
            return None
        features = self._features.name if self._features else ""
        known = isinstance(self._known.get(features), FeaturesPreview)
        return self._model.name, features if known else ""

    async def _ask_model(self, pair: _Pair) -> ModelPreview:
        name, features = pair
        known = self._known.get(features)
        given = known if isinstance(known, FeaturesPreview) else None
        return await self._link.ask(lambda engine: engine.preview_model(name, given))

    def _features_answered(self, name: str, answer: FeaturesPreview | EngineError) -> None:
        self._known[name] = answer
        self.look_at(self._features, self._model)

    def _model_answered(self, pair: _Pair, answer: ModelPreview | EngineError) -> None:
        self._known_models[pair] = answer
        self._show()

    def _show(self) -> None:
        features, pair = self._features, self._pair
        self._meaning.show_features(features, self._known.get(features.name) if features else None)
        self._meaning.show_model(self._model, self._known_models.get(pair) if pair else None)

"""The presets of model configs, so that a first model needs no layers of one's own."""

from typing import Literal, NamedTuple, get_args

from engine.spec import Dense, Dropout, Layer, Tower

PresetName = Literal["minimal", "standard", "deep", "asymmetric", "regularized"]
RatingPresetName = Literal["minimal", "standard", "deep", "none"]
PRESET_NAMES: tuple[PresetName, ...] = get_args(PresetName)


class Preset(NamedTuple):
    """Both towers up to their output embedding, and its default width."""

    buyer_tower: Tower
    product_tower: Tower
    output_dim: int = 32


def _dense(*units: int) -> Tower:
    return Tower(layers=tuple(Dense(units=n) for n in units))


def _regularized(*units: int) -> Tower:
    layers: list[Layer] = []
    for n in units:
        layers += [Dense(units=n, l2=1e-5), Dropout(rate=0.2)]
    return Tower(layers=tuple(layers))


PRESETS: dict[PresetName, Preset] = {
    "minimal": Preset(_dense(64), _dense(64)),
    "standard": Preset(_dense(128, 64), _dense(128, 64)),
    "deep": Preset(_dense(256, 128, 64), _dense(256, 128, 64)),
    "asymmetric": Preset(_dense(64), _dense(256, 128, 64)),
    "regularized": Preset(_regularized(128, 64), _regularized(128, 64)),
}
"""The last width of "128→64→32" is the output embedding, which every tower ends in."""

RATING_PRESETS: dict[RatingPresetName, tuple[Layer, ...] | None] = {
    "minimal": _dense(64).layers,
    "standard": _dense(256, 64).layers,
    "deep": _dense(512, 256, 64).layers,
    "none": None,
}
"""The rating head up to its single output: 64→1, 256→64→1, 512→256→64→1, or no head."""

"""Resolved model configs: towers, retrieval settings, optimizer."""

from typing import Annotated, Literal

from pydantic import Field

from engine.spec.base import Frozen

ModelType = Literal["retrieval"]
Activation = Literal["relu", "gelu", "tanh", "sigmoid", "selu", "linear"]
OptimizerName = Literal["adagrad", "adam", "adamw", "sgd", "rmsprop", "ftrl"]


class Dense(Frozen):
    """A fully connected layer; l1 and l2 are the penalties on its kernel."""

    kind: Literal["dense"] = "dense"
    units: int = Field(gt=0, le=8192)
    activation: Activation = "relu"
    l1: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.0, ge=0)


class Dropout(Frozen):
    """Drops a share of its inputs while training."""

    kind: Literal["dropout"] = "dropout"
    rate: float = Field(gt=0, lt=1)


class BatchNorm(Frozen):
    """Batch normalization."""

    kind: Literal["batch_norm"] = "batch_norm"


class LayerNorm(Frozen):
    """Layer normalization."""

    kind: Literal["layer_norm"] = "layer_norm"


Layer = Annotated[Dense | Dropout | BatchNorm | LayerNorm, Field(discriminator="kind")]


class Tower(Frozen):
    """The layers between the concatenated features and the output embedding."""

    layers: tuple[Layer, ...] = ()

    def structure(self, output_dim: int) -> str:
        """Return the tower in short, as "128→64→32"."""
        units = [layer.units for layer in self.layers if isinstance(layer, Dense)]
        return "→".join(str(n) for n in (*units, output_dim))


class RetrievalSettings(Frozen):
    """How the two embeddings become a score.

    With u, v the towers' outputs and q(i) a product's share of the train rows, the score of product
    i is u·v/temperature, plus log q(i) when `popularity_prior` is set. `logq_correction` subtracts
    log q(i) from the logits of the in-batch softmax while training (Yi et al., RecSys 2019).
    """

    normalize: bool = True
    temperature: float = Field(default=0.15, gt=0, le=100)
    logq_correction: bool = False
    popularity_prior: bool = True
    top_k: int = Field(default=100, gt=0, le=10_000)


class ModelConfig(Frozen):
    """A two-tower model; `batch_size` is None where the data decides."""

    name: str
    description: str = ""
    type: ModelType
    buyer_tower: Tower
    product_tower: Tower
    output_dim: int = Field(gt=0, le=4096)
    retrieval: RetrievalSettings = RetrievalSettings()
    optimizer: OptimizerName = "adam"
    learning_rate: float = Field(gt=0, le=1)
    batch_size: int | None = Field(default=None, gt=0, le=65_536)

"""Resolved model configs: towers, retrieval and rating settings, optimizer."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from engine.spec.base import Frozen
from engine.spec.features import FeatureConfig

ModelType = Literal["retrieval", "ranking", "multitask"]
Combine = Literal["mlp", "sum"]
RatingLoss = Literal["mse", "huber", "binary_crossentropy"]
Activation = Literal["relu", "gelu", "tanh", "sigmoid", "selu", "linear"]
IndexKind = Literal["scann", "brute_force"]
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
    """How the two embeddings become a score, and how they are trained for it.

    With u, v the towers' outputs and q(i) a product's share of the train rows, the score of product
    i is u·v/temperature, plus `popularity_weight`·log q(i) when `popularity_prior` is set, plus
    `own_history_weight`·log(1 + n) when `own_history` is set and the buyer has product i in n rows
    of train.

    The loss is a softmax over the products of the same batch. `softmax_group` cuts the batch into
    groups with a softmax each (None: the batch is one group). `logq_correction` subtracts log q(i)
    from the training logits (Yi et al., RecSys 2019); `remove_accidental_hits` takes a row's own
    product out of its negatives; `hard_negatives` keeps that many negatives, the highest scores;
    `label_smoothing` spreads that share of the target evenly over all candidates.

    The exported index answers the `top_k` products of the highest scores. With `index = "scann"`
    it cuts the products into `num_leaves` (None: the root of their number) and looks into
    `leaves_to_search` of them (None: as many as it takes to find 95% of what brute force finds);
    brute force answers where the products are fewer than the leaves, or too few to gain by it.
    """

    normalize: bool = True
    temperature: float = Field(default=0.15, gt=0, le=100)
    softmax_group: int | None = Field(default=None, ge=2, le=65_536)
    logq_correction: bool = False
    remove_accidental_hits: bool = False
    hard_negatives: int | None = Field(default=None, gt=0, le=65_536)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    popularity_prior: bool = True
    popularity_weight: float = Field(default=1.0, ge=0, le=100)
    own_history: bool = False
    own_history_weight: float = Field(default=5.0, gt=0, le=1000)
    top_k: int = Field(default=100, gt=0, le=10_000)
    index: IndexKind = "scann"
    num_leaves: int | None = Field(default=None, ge=2, le=100_000)
    leaves_to_search: int | None = Field(default=None, ge=1, le=100_000)

    @model_validator(mode="after")
    def _has_leaves(self) -> "RetrievalSettings":
        if self.index == "brute_force" and (self.num_leaves or self.leaves_to_search):
            raise ValueError("num_leaves and leaves_to_search are of the index scann")
        if self.leaves_to_search and self.num_leaves and self.leaves_to_search > self.num_leaves:
            raise ValueError("leaves_to_search is above num_leaves")
        return self


class RatingSettings(Frozen):
    """How the two embeddings become a rating.

    With u, v the towers' outputs and μ the mean target of train, where the output starts, a rating
    is μ + head(u, v, u∘v) + u·v + b(buyer) + b(product), each term only if it is asked for.

    Attributes:
        layers: of the head before its single output; None where there is no head.
        dot_product: whether u·v is added.
        biases: whether each buyer and product has a bias of its own.
        embedding_l2: penalty on the mean over the batch of |u|² + |v|².
        bias_l2: penalty on the mean over the batch of b(buyer)² + b(product)².
        huber_delta: error from which on the Huber loss is linear, in the unit that is trained on.
    """

    layers: tuple[Layer, ...] | None = (Dense(units=64),)
    dot_product: bool = True
    biases: bool = True
    embedding_l2: float = Field(default=0.0, ge=0)
    bias_l2: float = Field(default=0.005, ge=0)
    loss: RatingLoss = "mse"
    huber_delta: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _has_a_term(self) -> "RatingSettings":
        if self.layers is None and not self.dot_product:
            raise ValueError("without a head, dot_product is what relates buyers to products")
        return self

    def structure(self) -> str:
        """Return the head in short, as "256→64→1"."""
        units = [layer.units for layer in self.layers or () if isinstance(layer, Dense)]
        return "u·v" if self.layers is None else "→".join(str(n) for n in (*units, 1))


class ModelConfig(Frozen):
    """A two-tower model.

    Attributes:
        combine: `mlp` concatenates a tower's fields and sends them through its layers and a linear
            output; `sum` adds them up, embeddings of `output_dim` and projections of the rest.
        rating: None for retrieval models.
        retrieval_weight: of the retrieval loss in a multitask model.
        ranking_weight: of the rating loss in a multitask model.
        row_wise: whether adam and adamw move only the embedding rows that a batch has.
        batch_size: None where the data decides.
    """

    name: str
    description: str = ""
    type: ModelType
    combine: Combine = "mlp"
    buyer_tower: Tower
    product_tower: Tower
    output_dim: int = Field(gt=0, le=4096)
    retrieval: RetrievalSettings = RetrievalSettings()
    rating: RatingSettings | None = None
    retrieval_weight: float = Field(default=1.0, ge=0, le=1000)
    ranking_weight: float = Field(default=1.0, ge=0, le=1000)
    optimizer: OptimizerName = "adam"
    row_wise: bool = False
    learning_rate: float = Field(gt=0, le=1)
    batch_size: int | None = Field(default=None, gt=0, le=65_536)

    @model_validator(mode="after")
    def _fits_its_type(self) -> "ModelConfig":
        if (self.rating is None) != (self.type == "retrieval"):
            raise ValueError(
                "ranking and multitask models have rating settings, retrieval has none"
            )
        if self.type == "multitask" and not (self.retrieval_weight or self.ranking_weight):
            raise ValueError("retrieval_weight and ranking_weight are both 0")
        return self

    def fitted(self, features: FeatureConfig) -> FeatureConfig:
        """Return the features as the towers take them: what is added up has one width."""
        return features.at_width(self.output_dim) if self.combine == "sum" else features

    @property
    def primary_metric(self) -> Literal["recall_at_100", "test_rmse"]:
        """What it is judged by: a multitask model without a retrieval weight by its ratings."""
        ranks = self.type == "retrieval" or (self.type == "multitask" and self.retrieval_weight > 0)
        return "recall_at_100" if ranks else "test_rmse"

    @property
    def retrieves(self) -> bool:
        """Whether it recommends products."""
        return self.type != "ranking"

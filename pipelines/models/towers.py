"""A tower: its fields, joined or added up, through the layers of the model config."""

from collections.abc import Mapping, Sequence

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf

from engine.spec import Combine, Cross, Feature, Layer
from pipelines.data import TowerInput
from pipelines.models.fields import Fields, SharedTables
from pipelines.models.layers import keras_layer


class Tower(tf.keras.layers.Layer):
    """From a `TowerInput` to an output embedding `[batch, output_dim] float32`."""

    def __init__(
        self,
        features: Sequence[Feature | Cross],
        layers: Sequence[Layer],
        *,
        vocabulary_sizes: Mapping[str, int],
        output_dim: int,
        normalize: bool,
        combine: Combine = "mlp",
        shared: SharedTables | None = None,
        name: str,
    ) -> None:
        """Make the layers.

        Args:
            features: of this tower, in the order in which they are concatenated.
            layers: between the concatenated features and the output embedding.
            vocabulary_sizes: number of tokens that train has, by text column.
            output_dim: width of the output embedding.
            normalize: whether the output has length 1.
            combine: `mlp`, or `sum`: no output layer, and the layers follow the sum.
            shared: the tables that both towers read.
            name: of the tower.
        """
        super().__init__(name=name)
        self._fields = Fields(features, vocabulary_sizes, shared)
        self._hidden = [keras_layer(layer) for layer in layers]
        self._output = (
            tf.keras.layers.Dense(output_dim, name="output") if combine == "mlp" else None
        )
        widths = [width for feature in features for width in feature.widths]
        # Embeddings are as wide as the sum; numbers and cycles are projected.
        self._projected = [width != output_dim for width in widths if combine == "sum"]
        self._projections = [
            tf.keras.layers.Dense(output_dim, use_bias=False, name=f"projection_{i}")
            for i in range(sum(self._projected))
        ]
        self._normalize = normalize

    def call(self, inputs: TowerInput, training: bool = False) -> tf.Tensor:
        """Return the output embeddings."""
        fields = self._fields(inputs)
        hidden = tf.concat(fields, axis=-1) if self._output else self._sum(fields)
        for layer in self._hidden:
            hidden = layer(hidden, training=training)
        output = self._output(hidden) if self._output else hidden
        return tf.math.l2_normalize(output, axis=-1) if self._normalize else output

    def _sum(self, fields: Sequence[tf.Tensor]) -> tf.Tensor:
        projections = iter(self._projections)
        projected = (*self._projected, *[False] * (len(fields) - len(self._projected)))
        return tf.add_n(
            [
                next(projections)(field) if project else field
                for field, project in zip(fields, projected, strict=True)
            ]
        )

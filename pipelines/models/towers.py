"""A tower: features, embedded and concatenated, through the layers of the model config."""

from collections.abc import Mapping, Sequence

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf

from engine.spec import BatchNorm, Cross, Dense, Dropout, Feature, Layer, LayerNorm
from pipelines.data import TowerInput
from pipelines.models.fields import Fields, SharedTables


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
            shared: the tables that both towers read.
            name: of the tower.
        """
        super().__init__(name=name)
        self._fields = Fields(features, vocabulary_sizes, shared)
        self._hidden = [_keras_layer(layer) for layer in layers]
        self._output = tf.keras.layers.Dense(output_dim, name="output")
        self._normalize = normalize

    def call(self, inputs: TowerInput, training: bool = False) -> tf.Tensor:
        """Return the output embeddings."""
        hidden = tf.concat(self._fields(inputs), axis=-1)
        for layer in self._hidden:
            hidden = layer(hidden, training=training)
        output = self._output(hidden)
        return tf.math.l2_normalize(output, axis=-1) if self._normalize else output


def _keras_layer(layer: Layer) -> tf.keras.layers.Layer:
    match layer:
        case Dense():
            penalty = tf.keras.regularizers.L1L2(layer.l1, layer.l2)
            return tf.keras.layers.Dense(
                layer.units,
                layer.activation,
                kernel_regularizer=penalty if layer.l1 or layer.l2 else None,
            )
        case Dropout():
            return tf.keras.layers.Dropout(layer.rate)
        case BatchNorm():
            return tf.keras.layers.BatchNormalization()
        case LayerNorm():
            return tf.keras.layers.LayerNormalization()

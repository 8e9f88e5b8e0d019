"""The layers of a model config in Keras."""

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf

from engine.spec import BatchNorm, Dense, Dropout, Layer, LayerNorm


def keras_layer(layer: Layer) -> tf.keras.layers.Layer:
    """Return the Keras layer of a layer of the model config."""
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

"""Optimizers by name."""

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf

from engine.spec import OptimizerName

_ADAGRAD_START = 0.1
"""Keras's initial accumulator, meant for the sums of TFRS's losses."""


def optimizer(
    name: OptimizerName, learning_rate: float, *, batch_size: int
) -> tf.keras.optimizers.Optimizer:
    """Return a Keras optimizer.

    Adagrad divides by the root of the accumulated squared gradients, so the scale of the loss would
    not matter but for where the accumulator starts. Our loss is a mean over the batch: with the
    start for a sum it hardly moves, so the start is divided by the batch size squared.
    """
    match name:
        case "adagrad":
            return tf.keras.optimizers.Adagrad(
                learning_rate,
                initial_accumulator_value=_ADAGRAD_START / batch_size**2,
                epsilon=1e-7 / batch_size,
            )
        case "adam":
            return tf.keras.optimizers.Adam(learning_rate)
        case "adamw":
            return tf.keras.optimizers.AdamW(learning_rate)
        case "sgd":
            return tf.keras.optimizers.SGD(learning_rate)
        case "rmsprop":
            return tf.keras.optimizers.RMSprop(learning_rate)
        case "ftrl":
            return tf.keras.optimizers.Ftrl(learning_rate)

"""Optimizers by name."""

from typing import Any

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf

from engine.spec import OptimizerName

_ADAGRAD_START = 0.1
"""Keras's initial accumulator, meant for the sums of TFRS's losses."""


class _LazyRows:
    """Updates only the rows of an embedding table that a batch has, as Keras's sparse SGD does.

    Keras's Adam lets the moments of all rows decay, and moves all rows, at every step: ten times
    the time on a large table. Here moments of a row decay when the row occurs. (Keras's AdamW still
    decays all weights.)
    """

    def update_step(self, gradient: Any, variable: Any) -> None:  # noqa: ANN401 - Keras's types
        own: Any = self
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable)  # pyright: ignore[reportAttributeAccessIssue]
            return
        step = tf.cast(own.iterations + 1, tf.float32)
        scale = tf.sqrt(1 - own.beta_2**step) / (1 - own.beta_1**step)
        index = own._index_dict[own._var_key(variable)]
        first, second = own._momentums[index], own._velocities[index]
        rows, values = gradient.indices, gradient.values
        m = own.beta_1 * tf.gather(first, rows) + (1 - own.beta_1) * values
        v = own.beta_2 * tf.gather(second, rows) + (1 - own.beta_2) * values**2
        first.scatter_update(tf.IndexedSlices(m, rows))
        second.scatter_update(tf.IndexedSlices(v, rows))
        change = own.learning_rate * scale * m / (tf.sqrt(v) + own.epsilon)
        variable.scatter_sub(tf.IndexedSlices(change, rows))


class LazyAdam(_LazyRows, tf.keras.optimizers.Adam):
    """Adam (Kingma & Ba 2015), row by row on embedding tables."""


class LazyAdamW(_LazyRows, tf.keras.optimizers.AdamW):
    """AdamW (Loshchilov & Hutter 2019), row by row on embedding tables."""


def optimizer(
    name: OptimizerName, learning_rate: float, *, batch_size: int, row_wise: bool = False
) -> tf.keras.optimizers.Optimizer:
    """Return a Keras optimizer.

    With `row_wise`, Adam and AdamW move only those rows of an embedding table that a batch has.
    That is several times faster on large tables, and not the same: at equal learning rates a rare
    row moves less.

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
            kind = LazyAdam if row_wise else tf.keras.optimizers.Adam
            return kind(learning_rate)  # pyright: ignore[reportCallIssue]
        case "adamw":
            kind = LazyAdamW if row_wise else tf.keras.optimizers.AdamW
            return kind(learning_rate)  # pyright: ignore[reportCallIssue]
        case "sgd":
            return tf.keras.optimizers.SGD(learning_rate)
        case "rmsprop":
            return tf.keras.optimizers.RMSprop(learning_rate)
        case "ftrl":
            return tf.keras.optimizers.Ftrl(learning_rate)

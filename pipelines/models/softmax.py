"""The in-batch softmax: each row's own candidate against those of its group of the batch."""

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf

from engine.spec import RetrievalSettings

_EXCLUDED = -1e9
"""The logit of a candidate that doesn't count."""


def in_batch_softmax(
    query: tf.Tensor,
    candidate: tf.Tensor,
    *,
    settings: RetrievalSettings,
    probability: tf.Tensor,
    product: tf.Tensor,
) -> tf.Tensor:
    """Return the mean cross-entropy of each row's own candidate.

    With the batch as one group and no options it equals TFRS's default (a cross-entropy summed over
    the batch) divided by the batch size. Towers that can't tell anything apart score the log of the
    group's size.

    Args:
        query: `[batch, dim] float32`.
        candidate: `[batch, dim] float32`, in the same order.
        settings: temperature, group and options.
        probability: q(i), each product's share of the train rows `[batch] float32`.
        product: number of each row's product `[batch] int32`.
    """
    # The scores are many, the rows few: what is divided decides what it costs.
    logits, columns, own = _scores(query / settings.temperature, candidate, settings.softmax_group)
    group = tf.shape(logits)[1]
    if settings.logq_correction:
        logits -= tf.gather(tf.math.log(probability), columns)
    mine = tf.one_hot(own, group, on_value=True, off_value=False, dtype=tf.bool)
    if settings.remove_accidental_hits:
        same = tf.gather(product, columns) == product[:, None]
        logits = tf.where(same & ~mine, _EXCLUDED, logits)
    if settings.hard_negatives is not None:
        kept = tf.minimum(settings.hard_negatives, group - 1)
        hardest, _ = tf.math.top_k(tf.where(mine, 2 * _EXCLUDED, logits), kept)
        positive = tf.gather(logits, own[:, None], batch_dims=1)
        logits, own = tf.concat([positive, hardest], axis=1), tf.zeros_like(own)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(own, logits)
    if settings.label_smoothing:
        losses += settings.label_smoothing * (tf.gather(logits, own, batch_dims=1) - _mean(logits))
    return tf.reduce_mean(losses)


def _scores(
    query: tf.Tensor, candidate: tf.Tensor, wanted: int | None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return scores `[batch, group]`, the batch row of each column, and each row's own column.

    The rows that are left over after whole groups meet the last `group` candidates of the batch, so
    that every softmax has the same width.

    Args:
        query: `[batch, dim]`.
        candidate: `[batch, dim]`.
        wanted: the size of a group; None takes the batch.
    """
    rows, dim = tf.shape(query)[0], query.shape[-1]
    row = tf.range(rows)
    if wanted is None:
        scores = tf.matmul(query, candidate, transpose_b=True)
        return scores, tf.broadcast_to(row, [rows, rows]), row
    group = tf.minimum(wanted, rows)
    groups = rows // group
    whole = groups * group
    blocks = tf.matmul(
        tf.reshape(query[:whole], [groups, group, dim]),
        tf.reshape(candidate[:whole], [groups, group, dim]),
        transpose_b=True,
    )
    rest = tf.matmul(query[whole:], candidate[rows - group :], transpose_b=True)
    scores = tf.concat([tf.reshape(blocks, [whole, group]), rest], axis=0)
    first = tf.where(row < whole, row // group * group, rows - group)
    return scores, first[:, None] + tf.range(group), row - first


def _mean(logits: tf.Tensor) -> tf.Tensor:
    """Return the mean over the candidates that count `[batch]`."""
    counts = tf.cast(logits > _EXCLUDED / 2, tf.float32)
    return tf.reduce_sum(logits * counts, axis=1) / tf.reduce_sum(counts, axis=1)

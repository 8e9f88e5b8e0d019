"""Rankings that need no training: what is popular, and what the buyer had before.

They are measured on the same rows as the model and with the same rule for ties. A test product that
train doesn't have is no candidate: every ranking, the model's too, has NaN there, always a miss.
"""

import numpy as np

from pipelines.metrics.ranks import UNKNOWN, Floats, Ints, Ranks


def popularity_ranks(counts: Ints, truth: Ints) -> Ranks:
    """Return each row's rank when every buyer is offered the most frequent products.

    Args:
        counts: rows of train with each candidate `[candidates]`.
        truth: index of each row's true candidate `[rows]`, `UNKNOWN` where it isn't one.
    """
    ascending = np.sort(counts)
    greater = len(counts) - np.searchsorted(ascending, counts, side="right")
    equal = len(counts) - greater - np.searchsorted(ascending, counts, side="left")
    unknown = truth == UNKNOWN
    return Ranks(
        np.where(unknown, np.nan, greater[truth]), np.where(unknown, 0.0, equal[truth] - 1)
    )


def own_history_ranks(
    train_buyer: Ints, train_product: Ints, counts: Ints, buyer: Ints, truth: Ints
) -> Ranks:
    """Return each row's rank when buyers are offered what they had before, then the popular.

    A buyer's own products come first, by how often train has the pair, then by `counts`; all
    others follow by `counts`.

    Args:
        train_buyer: buyer of each train row `[train rows]`.
        train_product: index of each train row's candidate `[train rows]`.
        counts: rows of train with each candidate `[candidates]`.
        buyer: buyer of each row `[rows]`; one that train doesn't have gets popularity.
        truth: index of each row's true candidate `[rows]`, `UNKNOWN` where it isn't one.
    """
    ranks = popularity_ranks(counts, truth)
    order = np.argsort(train_buyer, kind="stable")
    grouped = np.asarray(train_buyer)[order]
    rows_of = _groups(np.where(truth == UNKNOWN, UNKNOWN, buyer))
    for who, rows in rows_of.items():
        own_rows = order[slice(*np.searchsorted(grouped, [who, who + 1]))]
        if who == UNKNOWN or len(own_rows) == 0:
            continue
        own, times = np.unique(np.asarray(train_product)[own_rows], return_counts=True)
        found = _history_ranks(own, times, counts, truth[rows], ranks.of(rows))
        ranks.above[rows], ranks.ties[rows] = found
    return ranks


def _groups(keys: Ints) -> dict[int, Ints]:
    order = np.argsort(keys, kind="stable")
    values, starts = np.unique(keys[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True))


def _history_ranks(own: Ints, times: Ints, counts: Ints, truth: Ints, popular: Ranks) -> Ranks:
    """Return the ranks of one buyer's rows; `popular` has their ranks by popularity alone."""
    place = np.minimum(np.searchsorted(own, truth), len(own) - 1)
    had = own[place] == truth
    count, own_count = counts[truth][:, None], counts[own][None, :]
    more, equal = own_count > count, own_count == count
    # Among the own products: more often with this buyer, or as often and more popular.
    time = np.where(had, times[place], 0)[:, None]
    same_time = times[None, :] == time
    above: Floats = ((times[None, :] > time) | (same_time & more)).sum(axis=1)
    tied: Floats = (same_time & equal).sum(axis=1) - 1
    # Behind them: popularity, less the own products that popularity had placed above or level.
    behind = len(own) + popular.above - more.sum(axis=1)
    return Ranks(
        np.where(had, above, behind), np.where(had, tied, popular.ties - equal.sum(axis=1))
    )

"""The trained model's scores and ratings of rows in memory."""

from collections.abc import Callable

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.spec import ExperimentSpec
from pipelines.data import Examples, TowerInput
from pipelines.evaluation import Candidates
from pipelines.models.own_history import own_history
from pipelines.models.serving import Candidates as Served
from pipelines.models.towers import Tower
from pipelines.models.two_tower import TwoTowerModel, primary_index

_BATCH = 8_192


def served_candidates(
    model: TwoTowerModel, spec: ExperimentSpec, train: Examples, candidates: Candidates
) -> Served:
    """Return the candidates' vectors [v/temperature, prior], and the buyers' own histories."""
    settings = spec.model.retrieval
    vectors = embed(model.candidate_tower, train.candidate.take(candidates.latest))
    weight = settings.popularity_weight if settings.popularity_prior else 0.0
    prior = weight * candidates.log_probability
    scaled = vectors / np.float32(settings.temperature)
    vectors = np.append(scaled, prior[:, None].astype(np.float32), axis=1)
    if not settings.own_history:
        return Served(vectors, candidates.ids)
    history = own_history(
        train.query.ids[:, primary_index(spec.features.buyer)],
        candidates.index_of(train.product),
        ids=model.buyer_ids,
        weight=settings.own_history_weight,
    )
    return Served(vectors, candidates.ids, history)


def scorer(
    model: TwoTowerModel, spec: ExperimentSpec, served: Served, rows: Examples
) -> Callable[[slice], NDArray[np.float32]]:
    """Return a function that scores all candidates for some of the rows."""
    queries = query_vectors(model, rows.query)
    buyers = rows.query.ids[:, primary_index(spec.features.buyer)]

    def scores(some: slice) -> NDArray[np.float32]:
        found = queries[some] @ served.vectors.T
        if served.history is not None:
            served.history.add_to(found, buyers[some])
        return found

    return scores


def query_vectors(model: TwoTowerModel, inputs: TowerInput) -> NDArray[np.float32]:
    """Return what meets the candidates' vectors, [u, 1] `[rows, output_dim + 1]`."""
    queries = embed(model.query_tower, inputs)
    return np.append(queries, np.ones((len(queries), 1), np.float32), axis=1)


def embed(tower: Tower, inputs: TowerInput) -> NDArray[np.float32]:
    """Return the output embeddings `[rows, output_dim]`."""
    function = tf.function(tower, reduce_retracing=True)
    starts = range(0, len(inputs.ids), _BATCH)
    batches = (inputs.take(slice(start, start + _BATCH)) for start in starts)
    return np.concatenate([function(TowerInput(*map(tf.constant, b))).numpy() for b in batches])


def predict(model: TwoTowerModel, rows: Examples) -> NDArray[np.float64]:
    """Return the ratings `[rows]` in the target's unit."""
    assert model.rating is not None
    function = tf.function(model.raw_ratings, reduce_retracing=True)
    found: list[NDArray[np.float64]] = []
    for start in range(0, len(rows.product), _BATCH):
        some = slice(start, start + _BATCH)
        query, candidate = (
            TowerInput(*map(tf.constant, part.take(some))) for part in (rows.query, rows.candidate)
        )
        found.append(model.rating.ratings(function(query, candidate)).numpy().astype(np.float64))
    return np.concatenate(found)

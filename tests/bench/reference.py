"""The script that leaves the pipeline out: what somebody writes who wants one result from the data.

`python tests/bench/reference.py DATA_FOLDER --task retrieval`. Raw Parquet, join, sample, split,
lookup, stock TFRS tasks fitted by Keras, exact recall over all candidates, export of a model that
takes raw features. It is what the speed goals are measured against, so it knows no trick of this
repository, uses nothing of it, and lost none that such a script has: the columns needed are read,
no others, lookups are done once by pandas, and Keras gets arrays. Model, features and sizes are
those of the demo.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_recommenders as tfrs

BUYER = {
    **{"household_id": 32, "age": 8, "income": 8, "home_ownership": 8, "marital_status": 8},
    **{"household_size": 8, "household_comp": 8, "kids_count": 8},
}
PRODUCT = {
    **{"product_id": 96, "department": 8, "brand": 8, "product_category": 16},
    **{"product_type": 32, "package_size": 32},
}
LABEL = "sales_value"
TEMPERATURE = 0.15


def read(folder: Path) -> pd.DataFrame:
    """Return the transactions with the features of their households and products."""
    transactions = pd.read_parquet(
        folder / "transactions.parquet", columns=["household_id", "product_id", LABEL]
    )
    products = pd.read_parquet(folder / "products.parquet", columns=list(PRODUCT))
    households = pd.read_parquet(folder / "demographics.parquet", columns=list(BUYER))
    rows = transactions.merge(products, on="product_id", how="left")
    return rows.merge(households, on="household_id", how="left")


def sample(rows: pd.DataFrame, percent: float, task: str, rng: np.random.Generator) -> pd.DataFrame:
    """Return some of the households, of a rating task some of the rows."""
    if percent == 100:
        return rows
    if task == "ranking":
        return rows[rng.random(len(rows)) < percent / 100]
    households = rows["household_id"].unique()
    kept = households[rng.random(len(households)) < percent / 100]
    return rows[rows["household_id"].isin(kept)]


def split(rows: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Return 80% of the rows to train on, 15% to validate, 5% to test."""
    shuffled = rows.iloc[rng.permutation(len(rows))]
    ends = [int(len(rows) * 0.8), int(len(rows) * 0.95)]
    return [shuffled[: ends[0]], shuffled[ends[0] : ends[1]], shuffled[ends[1] :]]


def lookup(splits: list[pd.DataFrame]) -> tuple[list[dict[str, np.ndarray]], dict[str, list[str]]]:
    """Return each split's ids by column, 0 for what train doesn't have, and the vocabularies."""
    ids: list[dict[str, np.ndarray]] = [{} for _ in splits]
    vocabularies: dict[str, list[str]] = {}
    for column in (*BUYER, *PRODUCT):
        known = pd.Index(splits[0][column].dropna().unique())
        vocabularies[column] = known.astype(str).tolist()
        for rows, found in zip(splits, ids, strict=True):
            found[column] = (1 + known.get_indexer(rows[column])).astype(np.int32)
    for rows, found in zip(splits, ids, strict=True):
        found[LABEL] = rows[LABEL].to_numpy(np.float32)
    return ids, vocabularies


class Tower(tf.keras.Model):
    """Embeddings side by side, through 128 and 64 units to 32 dimensions of length 1."""

    def __init__(
        self, dims: dict[str, int], vocabularies: dict[str, list[str]], normalize: bool
    ) -> None:
        super().__init__()
        self.embeddings = {
            column: tf.keras.layers.Embedding(1 + len(vocabularies[column]), dim)
            for column, dim in dims.items()
        }
        self.layers_after = tf.keras.Sequential(
            [
                tf.keras.layers.Dense(128, activation="relu"),
                tf.keras.layers.Dense(64, activation="relu"),
                tf.keras.layers.Dense(32),
            ]
        )
        self.normalize = normalize

    def call(self, rows: dict[str, tf.Tensor]) -> tf.Tensor:
        fields = [table(rows[column]) for column, table in self.embeddings.items()]
        output = self.layers_after(tf.concat(fields, axis=1))
        return tf.math.l2_normalize(output, axis=1) if self.normalize else output


class TwoTowers(tfrs.Model):
    """TFRS's tasks on two towers."""

    def __init__(self, task: str, vocabularies: dict[str, list[str]]) -> None:
        super().__init__()
        normalize = task != "ranking"
        self.query = Tower(BUYER, vocabularies, normalize)
        self.candidate = Tower(PRODUCT, vocabularies, normalize)
        self.retrieval = self.ranking = None
        if task != "ranking":
            self.retrieval = tfrs.tasks.Retrieval(temperature=TEMPERATURE)
        if task != "retrieval":
            self.head = tf.keras.Sequential(
                [
                    tf.keras.layers.Dense(256, activation="relu"),
                    tf.keras.layers.Dense(64, activation="relu"),
                    tf.keras.layers.Dense(1),
                ]
            )
            self.ranking = tfrs.tasks.Ranking(
                loss=tf.keras.losses.MeanSquaredError(),
                metrics=[tf.keras.metrics.RootMeanSquaredError()],
            )

    def call(self, rows: dict[str, tf.Tensor]) -> tf.Tensor:
        return self.head(tf.concat([self.query(rows), self.candidate(rows)], axis=1))

    def compute_loss(
        self, inputs: tuple[dict[str, tf.Tensor], tf.Tensor], training: bool = False
    ) -> tf.Tensor:
        rows, labels = inputs
        query, candidate = self.query(rows), self.candidate(rows)
        loss = tf.constant(0.0)
        if self.retrieval is not None:
            loss += self.retrieval(query, candidate, compute_metrics=False)
        if self.ranking is not None:
            loss += self.ranking(labels, self.head(tf.concat([query, candidate], axis=1)))
        return loss


def candidates(train: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the features of every product of train."""
    _, first = np.unique(train["product_id"], return_index=True)
    return {column: train[column][first] for column in PRODUCT}


def recall(
    model: TwoTowers, products: dict[str, np.ndarray], vectors: np.ndarray, test: dict
) -> dict[str, float]:
    """Return the share of test rows whose product is among the first K of all candidates."""
    queries = model.query.predict({c: test[c] for c in BUYER}, batch_size=8192, verbose=0)
    place = np.full(products["product_id"].max() + 1, -1)
    place[products["product_id"]] = np.arange(len(vectors))
    truth = place[np.where(test["product_id"] > 0, test["product_id"], 0)]
    truth[test["product_id"] == 0] = -1
    ranks = np.full(len(truth), np.inf)
    for start in range(0, len(truth), 1024):
        some = slice(start, start + 1024)
        scores = queries[some] @ vectors.T
        known = np.flatnonzero(truth[some] >= 0)
        own = scores[known, truth[some][known]]
        ranks[start + known] = (scores[known] > own[:, None]).sum(axis=1)
    return {f"recall_at_{k}": float((ranks < k).mean()) for k in (5, 10, 50, 100)}


class Exported(tf.Module):
    """The trained model on raw features: the best products of a buyer, or the rating of a pair."""

    def __init__(
        self,
        model: TwoTowers,
        vocabularies: dict[str, list[str]],
        products: dict[str, np.ndarray],
        vectors: np.ndarray | None,
    ) -> None:
        super().__init__()
        self.query = model.query
        self.rating = model if model.ranking is not None else None
        self.tables = {
            column: tf.keras.layers.StringLookup(vocabulary=tokens, mask_token=None)
            for column, tokens in vocabularies.items()
        }
        self.index = None
        if vectors is not None:
            names = np.array(["", *vocabularies["product_id"]])[products["product_id"]]
            self.index = tfrs.layers.factorized_top_k.BruteForce(k=100)
            self.index.index(tf.constant(vectors), tf.constant(names))

    def ids(self, raw: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {column: self.tables[column](values) for column, values in raw.items()}

    def recommend(self, raw: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        scores, names = self.index(self.query(self.ids(raw)))
        return {"scores": scores, "product_ids": names}

    def rate(self, raw: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"rating": self.rating(self.ids(raw))}

    def save(self, path: Path) -> None:
        signatures = {}
        if self.rating is not None:
            signatures["serving_default"] = served(self.rate, (*BUYER, *PRODUCT))
        if self.index is not None:
            if signatures:
                signatures["rate"] = signatures["serving_default"]
            signatures["serving_default"] = served(self.recommend, tuple(BUYER))
        tf.saved_model.save(self, str(path), signatures=signatures)


def served(function, columns: tuple[str, ...]):
    """Return the function on one string a column and row."""
    signature = {column: tf.TensorSpec([None], tf.string, column) for column in columns}
    return tf.function(function, input_signature=[signature])


def main() -> None:
    """Do it all, and print what came out and how long each part took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--task", choices=("retrieval", "ranking", "multitask"), required=True)
    parser.add_argument("--percent", type=float, default=10)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    options = parser.parse_args()
    task, rng = options.task, np.random.default_rng(0)
    clock = [("start", time.perf_counter())]
    rows = sample(read(options.data), options.percent, task, rng)
    (train, validation, test), vocabularies = lookup(split(rows, rng))
    clock.append(("data", time.perf_counter()))
    model = TwoTowers(task, vocabularies)
    model.compile(tf.keras.optimizers.Adam(options.learning_rate))
    history = model.fit(
        train,
        train[LABEL],
        validation_data=(validation, validation[LABEL]),
        batch_size=options.batch_size,
        epochs=options.epochs,
        verbose=0,
    )
    clock.append(("fit", time.perf_counter()))
    products, vectors, result = candidates(train), None, {}
    if task != "ranking":
        vectors = model.candidate.predict(products, batch_size=8192, verbose=0)
        result = recall(model, products, vectors, test)
    if task != "retrieval":
        predicted = model.predict(test, batch_size=8192, verbose=0)[:, 0]
        result["rmse"] = float(np.sqrt(np.mean((predicted - test[LABEL]) ** 2)))
    clock.append(("evaluate", time.perf_counter()))
    Exported(model, vocabularies, products, vectors).save(options.output)
    clock.append(("export", time.perf_counter()))
    seconds = {
        name: round(end - begun, 2)
        for (_, begun), (name, end) in zip(clock, clock[1:], strict=False)
    }
    losses = history.history["loss"]
    print(json.dumps({"rows": len(rows), "loss": losses, **result, "seconds": seconds}))


if __name__ == "__main__":
    main()

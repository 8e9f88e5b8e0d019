"""Generated interactions, split by the product's own SQL and measured by its own evaluation.

Only the models are made up: score matrices whose true quality is known.
"""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.query.examples import Selection, examples_query
from engine.query.measuring import Measurement
from engine.spec import ROW_KEY, SPLITS
from engine.spec.run_folder import Rows
from pipelines.evaluation import candidates_of, evaluate_retrieval
from tests.engine.query.local_data import dataset, prepared
from tests.engine.scripted_backend import metrics_of
from tests.pipelines.interactions import Interactions

PRODUCTS = 200
DAY = 86_400_000_000
START = 1_704_067_200_000_000


def uniform_log(rng, *, old, new, buyers, new_buyer_share=0.0):
    """Return columns user, item, at: `old` rows of 30 days, then `new` rows of the 10 days after.

    Args:
        rng: draws buyers, products and times.
        old: rows of the first 30 days.
        new: rows of the last 10 days.
        buyers: how many buyers the first days have.
        new_buyer_share: share of the later rows that are of buyers whom the first days lack.
    """
    user = rng.integers(0, buyers, old + new)
    fresh = (np.arange(old + new) >= old) & (rng.random(old + new) < new_buyer_share)
    at = np.append(rng.integers(0, 30 * DAY, old), rng.integers(30 * DAY + 1, 40 * DAY, new))
    at[-1] = 40 * DAY
    return {
        "user": [f"u{u + buyers * new}" for u, new in zip(user, fresh, strict=True)],
        "item": [f"i{i}" for i in rng.integers(0, PRODUCTS, old + new)],
        "at": pa.array(START + at, pa.timestamp("us")),
    }


def split_by_sql(root, columns, split, *, seed):
    """Return the rows of each split as the pipelines get them."""
    pq.write_table(pa.table(columns), root / "t.parquet")
    definition = dataset(
        tables={"t": "t.parquet"}, roles={"buyer": "user", "product": "item", "timestamp": "at"}
    )
    with prepared(root, definition) as (connection, found):
        newest = Measurement(connection, found.rows, ()).facts.newest
        selection = Selection(100, "buyer", split, seed, newest)
        queries = examples_query(found.rows, ("user", "item", "at"), selection).queries
        tables = {name: connection.execute(queries[name]).fetchnumpy() for name in SPLITS}
    return {name: _interactions(table) for name, table in tables.items()}


def _interactions(table):
    user, item = (
        np.array([text.encode() for text in table[name]], object) for name in ("user", "item")
    )
    return Interactions(user, item, np.asarray(table[ROW_KEY]), np.asarray(table["at"]), None)


def truth_of(splits):
    """Return the index of each test row's product among the candidates `[test rows]`."""
    return candidates_of(splits["train"]).index_of(splits["test"].product)


def measured(splits, scores, *, seed):
    """Return metrics and the content of `test_rows.parquet` of a model with these scores.

    Args:
        splits: from `split_by_sql`.
        scores: `[test rows, candidates] float32`.
        seed: of the intervals.
    """
    candidates = candidates_of(splits["train"])
    found = evaluate_retrieval(
        lambda rows: scores[rows],
        train=splits["train"], test=splits["test"], candidates=candidates, seed=seed,
    )  # fmt: skip
    file = io.BytesIO()
    pq.write_table(found.rows, file)
    metrics = metrics_of().replace(
        final_metrics={"loss": 1.0, **found.metrics},
        baseline=found.baseline,
        references=found.references,
        new_products=found.new_products,
        interval=found.interval,
        rows=Rows(**{name: len(splits[name].buyer) for name in SPLITS}),
        candidates=len(candidates.ids),
        **found.shares._asdict(),
    )
    return metrics, file.getvalue()

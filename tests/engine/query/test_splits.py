"""What must hold of every sample and split, whatever the data."""

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pyarrow
import pyarrow.parquet
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.query.examples import Selection, examples_query
from engine.query.measuring import Measurement
from engine.spec import SPLITS, Split, SplitName
from tests.engine.query.local_data import dataset, key_of, prepared

DAY = 86_400_000_000
ROWS = st.lists(
    st.tuples(
        st.sampled_from("uvwxyz"),
        st.sampled_from(["a", "b", "ü"]),
        st.none() | st.integers(-5 * DAY, 5 * DAY),
    ),
    min_size=1,
    max_size=60,
)
SPLIT = st.one_of(
    st.just(Split()),
    st.builds(Split, kind=st.just("time-holdout"), holdout_days=st.integers(1, 8)),
    st.builds(
        Split,
        kind=st.just("strict-time"),
        train_days=st.integers(1, 5),
        val_days=st.integers(1, 3),
        test_days=st.integers(1, 3),
    ),
)
Found = dict[SplitName, list[tuple[str, str, int | None]]]


def split_rows(
    rows: list[Any], split: Split, percent: float, sample_by: Literal["buyer", "row"], seed: int
) -> Found:
    """Return the rows of each split, and see that measuring counts the same."""
    users, items, times = (list(column) for column in zip(*rows, strict=True))
    table = pyarrow.table(
        {"user": users, "item": items, "at": pyarrow.array(times, pyarrow.timestamp("us"))}
    )
    with tempfile.TemporaryDirectory() as folder:
        pyarrow.parquet.write_table(table, Path(folder) / "t.parquet")
        definition = dataset(
            tables={"t": "t.parquet"},
            roles={"buyer": "user", "product": "item", "timestamp": "at"},
        )
        with prepared(Path(folder), definition) as (connection, prepared_rows):
            measurement = Measurement(connection, prepared_rows.rows, ())
            newest = measurement.facts.newest or 0
            selection = Selection(percent, sample_by, split, seed, newest)
            queries = examples_query(prepared_rows.rows, ("user", "item", "at"), selection).queries
            found: Found = {
                name: [row[:3] for row in connection.execute(query).fetchall()]
                for name, query in queries.items()
            }
            counted = measurement.split(selection)
            cold = measurement.cold_product_rows(selection)
    assert counted.rows == {name: len(rows) for name, rows in found.items()}
    train_products = {row[1] for row in found["train"]}
    assert cold == sum(row[1] not in train_products for row in found["test"])
    return found


@settings(max_examples=60, deadline=None)
@given(
    ROWS, SPLIT, st.sampled_from([30, 100]), st.sampled_from(["buyer", "row"]), st.integers(0, 9)
)
def test_no_key_is_in_two_splits_and_no_row_comes_from_elsewhere(
    rows: list[Any], split: Split, percent: float, sample_by: Literal["buyer", "row"], seed: int
):
    found = split_rows(rows, split, percent, sample_by, seed)
    keys = {name: {key_of(*row) for row in found[name]} for name in SPLITS}
    for one, other in pairwise([*SPLITS, SPLITS[0]]):
        assert not keys[one] & keys[other]
    for of_split in found.values():
        assert all(of_split.count(row) == rows.count(row) for row in of_split)
    if split.kind == "random" and percent == 100:
        assert sum(map(len, found.values())) == len(rows)


@settings(max_examples=40, deadline=None)
@given(ROWS, SPLIT.filter(lambda split: split.kind != "random"), st.integers(0, 9))
def test_no_row_of_the_future_is_in_train(rows: list[Any], split: Split, seed: int):
    found = split_rows(rows, split, 100, "buyer", seed)
    times = {name: [row[2] for row in found[name]] for name in SPLITS}
    assert all(time is not None for of_split in times.values() for time in of_split)
    earlier = times["train"] + times["eval"]
    if earlier and times["test"]:
        assert max(earlier) < min(times["test"])
    if split.kind == "strict-time" and times["train"] and times["eval"]:
        assert max(times["train"]) < min(times["eval"])


@settings(max_examples=30, deadline=None)
@given(ROWS, st.integers(1, 99), st.integers(0, 9))
def test_a_sample_by_buyer_keeps_whole_buyers(rows: list[Any], percent: int, seed: int):
    found = split_rows(rows, Split(), percent, "buyer", seed)
    sampled = [row for name in SPLITS for row in found[name]]
    buyers = {row[0] for row in sampled}
    assert sorted(sampled, key=repr) == sorted((r for r in rows if r[0] in buyers), key=repr)


@settings(max_examples=20, deadline=None)
@given(ROWS, st.integers(0, 9))
def test_a_larger_sample_holds_the_smaller_one_in_the_same_splits(rows: list[Any], seed: int):
    smaller, larger = (split_rows(rows, Split(), share, "row", seed) for share in (30, 70))
    for name in SPLITS:
        assert set(smaller[name]) <= set(larger[name])

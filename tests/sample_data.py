"""Small data files that tests write: ratings as one CSV, groceries as three Parquet files."""

import csv
import random
from datetime import datetime, timedelta
from pathlib import Path

import duckdb


def write_ratings(path: Path, rows: int, *, users: int = 0, items: int = 0, seed: int = 0) -> Path:
    """Write `user,item,rating,at,title` with that many rows; titles repeat with their item.

    Each user prefers items of one of four groups, so that a model can learn something.
    """
    users, items = users or max(5, rows // 20), items or max(8, rows // 25)
    rng = random.Random(seed)
    start = datetime(2024, 1, 1)  # noqa: DTZ001 - CSV files carry naive local times
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "item", "rating", "at", "title"])
        for _ in range(rows):
            user = rng.randrange(users)
            item = rng.randrange(items)
            if rng.random() < 0.7:
                item = item - item % 4 + user % 4
                item = min(item, items - 1)
            rating = rng.choice([1, 2, 3, 3.5, 4, 4.5, 5])
            at = start + timedelta(seconds=rng.randrange(365 * 86_400))
            writer.writerow(
                [
                    f"u{user}",
                    f"i{item}",
                    rating,
                    at.isoformat(" "),
                    f"Title {item}, part {item % 3}",
                ]
            )
    return path


def write_groceries(folder: Path, *, rows: int = 3_000, seed: int = 0) -> Path:
    """Write transactions, products and demographics as Parquet files like Complete Journey's."""
    folder.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect()
    con.execute(f"SELECT setseed({(seed % 100) / 100})")
    con.execute(
        f"""CREATE TABLE t AS SELECT 1 + (random() * 80)::BIGINT AS household_id,
            1 + (random() * random() * 150)::BIGINT AS product_id,
            1 + (random() * 3)::BIGINT AS quantity, round(random() * 20, 2) AS sales_value,
            TIMESTAMP '2017-01-01' + INTERVAL 1 SECOND * (random() * 31536000)::BIGINT
                AS transaction_timestamp FROM range({rows})"""
    )
    con.execute(
        """CREATE TABLE p AS SELECT i AS product_id, 'DEPT ' || (i % 7) AS department,
            CASE WHEN i % 11 = 0 THEN NULL ELSE 'CATEGORY ' || (i % 23) END AS product_category
            FROM range(1, 152) r(i)"""
    )
    con.execute(
        "CREATE TABLE d AS SELECT i AS household_id, ['19-24', '25-34', '65+'][1 + i % 3] AS age "
        "FROM range(1, 60) r(i)"
    )
    for table, name in (("t", "transactions"), ("p", "products"), ("d", "demographics")):
        con.execute(f"COPY {table} TO '{folder / name}.parquet' (FORMAT parquet)")
    con.close()
    return folder

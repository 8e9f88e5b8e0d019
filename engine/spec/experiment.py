"""`ExperimentSpec`: everything a pipeline needs to run one experiment, resolved and frozen."""

from typing import Literal

from pydantic import Field, model_validator

from engine.spec.base import Frozen
from engine.spec.features import FeatureConfig
from engine.spec.model import ModelConfig

SqlType = Literal["INT64", "FLOAT", "STRING"]
SplitName = Literal["train", "eval", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "eval", "test")
ROW_KEY = "row_key"
"""Column of every example: 63 bits of the row key's MD5 as INT64; equal keys share it."""
SPLIT = "towerlab_split"
"""Column of the query for examples: which split a row belongs to. Examples don't have it."""


class Column(Frozen):
    """One column of the examples; a repeated one holds a list of values a row."""

    name: str
    type: SqlType
    repeated: bool = False


class SourceFile(Frozen):
    """A file that examples come from, as it was when the experiment was planned."""

    path: str
    size: int
    modified_ns: int


class ExamplesQuery(Frozen):
    """The SQL that yields the examples, sampled and filtered.

    Attributes:
        dialect: the engine that the SQL is written for.
        sql: a SELECT of `columns` and `SPLIT`: every row with the name of its split, in no order.
        kept: by name, SELECTs of the temporary tables that `sql` reads.
        columns: the columns of the examples, `ROW_KEY` among them.
        buyer: column of the buyer id (STRING).
        product: column of the product id (STRING).
        timestamp: column of the event's time, epoch microseconds (INT64), or None.
        fingerprint: hash of path, size and modification time of every source file.
        files: the source files; a run whose files have changed since refuses to start.
        rows_uri: gs:// prefix to which the engine has uploaded the queries' rows, a folder of
            Parquet files a split; None where the queries are to be run.
    """

    dialect: Literal["duckdb", "bigquery"]
    sql: str
    kept: dict[str, str] = {}
    columns: tuple[Column, ...]
    buyer: str
    product: str
    timestamp: str | None
    fingerprint: str = ""
    files: tuple[SourceFile, ...] = ()
    rows_uri: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_splits(cls, value: object) -> object:
        """Take a query of each split, as experiments stored them before there was one of all."""
        if not isinstance(value, dict) or "queries" not in value:
            return value  # pyright: ignore[reportUnknownVariableType]
        written = {**value}  # pyright: ignore[reportUnknownVariableType]
        queries: dict[str, str] = written.pop("queries")
        each = (f"SELECT *, '{name}' AS {SPLIT} FROM ({sql})" for name, sql in queries.items())
        return {**written, "sql": " UNION ALL ".join(each)}

    @property
    def queries(self) -> dict[SplitName, str]:
        """One SELECT a split, all with the columns of the examples."""
        names = ", ".join(self._quoted(column.name) for column in self.columns)
        table, name = self._quoted("examples"), self._quoted(SPLIT)
        kept = (f"{self._quoted(other)} AS ({select})" for other, select in self.kept.items())
        before = f"WITH {', '.join(kept)} " if self.kept else ""
        found = f"{before}SELECT {names} FROM ({self.sql}) AS {table} WHERE {name}"
        return {split: f"{found} = '{split}'" for split in SPLITS}

    def _quoted(self, name: str) -> str:
        if self.dialect == "bigquery":
            return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
        return '"' + name.replace('"', '""') + '"'


class EarlyStopping(Frozen):
    """Training ends when `monitor` hasn't got better for `patience` epochs; the best is kept."""

    patience: int = Field(gt=0, le=1000)
    monitor: Literal["val_loss", "primary"] = "val_loss"


class Split(Frozen):
    """How rows are assigned to train, eval and test.

    `random` hashes the row key into 80/15/5. `time-holdout` tests on the last `holdout_days` and
    splits the rest 80/20 by hash. `strict-time` takes the last `test_days` for test, the `val_days`
    before for eval and the `train_days` before those for train.
    """

    kind: Literal["random", "time-holdout", "strict-time"] = "random"
    holdout_days: int | None = Field(default=None, gt=0)
    train_days: int | None = Field(default=None, gt=0)
    val_days: int | None = Field(default=None, gt=0)
    test_days: int | None = Field(default=None, gt=0)


class TrainingParams(Frozen):
    """The resolved training parameters.

    Attributes:
        sample_percent: share of the buyers (or rows) used, in percent.
        sample_by: what is sampled.
        split_seed: part of the hashes of sample and split; chosen so that no split is empty.
        batch_size: examples a training step.
        seed: seeds initial weights and shuffling.
        deterministic: whether equal seeds give equal results to 1e-6, at some cost in time.
        machine_type: Dataflow's worker type; None where nothing runs on Dataflow.
    """

    sample_percent: float = Field(gt=0, le=100)
    sample_by: Literal["buyer", "row"] = "buyer"
    split: Split = Split()
    split_seed: int = 0
    epochs: int = Field(gt=0, le=1000)
    batch_size: int = Field(gt=0, le=65_536)
    learning_rate: float = Field(gt=0, le=1)
    seed: int = 0
    early_stopping: EarlyStopping | None = None
    deterministic: bool = False
    machine_type: str | None = None


class ExperimentSpec(Frozen):
    """The contract between the engine and the pipelines, written to a run folder as `spec.json`."""

    schema_version: Literal[1] = 1
    uid: str = Field(pattern=r"^[0-9a-f]{12,32}$")
    attempt: int = Field(default=1, ge=1)
    number: int = Field(ge=1)
    dataset: str
    examples: ExamplesQuery
    features: FeatureConfig
    model: ModelConfig
    params: TrainingParams
    backend: Literal["local", "vertex"] = "local"

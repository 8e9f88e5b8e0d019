"""ExampleGen: the rows of each split.

BigQuery is read by TFX's own component, which writes gzipped TFRecords of `tf.train.Example`.
DuckDB is read here without Beam: it reads, joins and filters in parallel itself, and a Beam
pipeline around it took ten times as long. Its rows are written as Parquet, the other payload that
TFX has: encoding rows as examples and decoding them in three components cost more than all else
that these do.
"""

import json
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, NamedTuple

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from google.protobuf.wrappers_pb2 import StringValue
from tfx.components.example_gen.component import QueryBasedExampleGen
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor, executor_spec
from tfx.extensions.google_cloud_big_query.example_gen.component import BigQueryExampleGen
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils

from engine.spec import SPLIT, SPLITS, ExamplesQuery, SourceFile, SplitName
from pipelines import example_columns
from pipelines.code_hash import code_hash
from pipelines.errors import RunFailure
from pipelines.example_columns import PARQUET, as_values

_ROWS_PER_BATCH = 20_000
_FILE_FORMAT = example_gen_pb2.FileFormat.Name(example_gen_pb2.FILE_FORMAT_PARQUET)
_FILE = f"data_parquet-00000-of-00001{PARQUET}"
_log = logging.getLogger(__name__)


def example_gen(query: ExamplesQuery) -> QueryBasedExampleGen:
    """Return the component that writes the examples of a query; its id is always "ExampleGen".

    The source's fingerprint and the hash of this code travel with the SQL, for BigQuery as a
    comment in it: so TFX's cache knows both.
    """
    code = code_hash(__file__, example_columns.__file__)
    if query.dialect == "bigquery":
        origin = f"/* source {query.fingerprint} code {code} */"
        patterns: dict[SplitName, str] = {
            split: f"{query.queries[split]} {origin}" for split in SPLITS
        }
        component = BigQueryExampleGen(input_config=_input_config(patterns))
    else:
        component = DuckDBExampleGen(
            input_config=_input_config({split: split for split in SPLITS}),
            output_data_format=example_gen_pb2.FORMAT_PARQUET,
            output_file_format=example_gen_pb2.FILE_FORMAT_PARQUET,
            custom_config=_custom_config(_source_of(query, code)),
        )
    return component.with_id("ExampleGen")


class _Source(NamedTuple):
    """What DuckDB is to read; `kept` and `sql` as in `ExamplesQuery`."""

    kept: Mapping[str, str]
    sql: str
    files: Sequence[SourceFile]
    fingerprint: str
    code: str


def _source_of(query: ExamplesQuery, code: str) -> _Source:
    return _Source(query.kept, query.sql, query.files, query.fingerprint, code)


def _input_config(patterns: Mapping[SplitName, str]) -> example_gen_pb2.Input:
    splits = [example_gen_pb2.Input.Split(name=n, pattern=p) for n, p in patterns.items()]
    return example_gen_pb2.Input(splits=splits)


def check_unchanged(files: Iterable[SourceFile]) -> None:
    """Accept source files that are as they were when the experiment was planned.

    Raises:
        RunFailure: one is gone or has changed.
    """
    for file in files:
        try:
            now = os.stat(file.path)
        except OSError as error:
            raise RunFailure(
                f"The data file {file.path} can't be read any more: {error.strerror}.",
                hint="Put it back, or correct the dataset and run a new experiment.",
            ) from error
        if (now.st_size, now.st_mtime_ns) != (file.size, file.modified_ns):
            raise RunFailure(
                f"The data file {file.path} has changed since the experiment was submitted.",
                hint="Rerun the experiment: that plans it anew with the data as it is now.",
            )


def _custom_config(source: _Source) -> example_gen_pb2.CustomConfig:
    """Return a source as the only custom configuration that an ExampleGen takes: a message."""
    files = [file.model_dump(mode="json") for file in source.files]
    config = example_gen_pb2.CustomConfig()
    config.custom_config.Pack(StringValue(value=json.dumps(source._replace(files=files))))
    return config


def _planned_source(custom_config: str) -> _Source:
    config, written = example_gen_pb2.CustomConfig(), StringValue()
    proto_utils.json_to_proto(custom_config, config)
    config.custom_config.Unpack(written)
    source = _Source(*json.loads(written.value))
    return source._replace(files=[SourceFile.model_validate(file) for file in source.files])


class DuckDBExecutor(base_beam_executor.BaseBeamExecutor):
    """Runs one query and writes each row to its split."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the examples of every split.

        Raises:
            RunFailure: a source has changed or can't be read, or a split has no rows.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        source = _planned_source(exec_properties["custom_config"])
        check_unchanged(source.files)
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
        files: dict[SplitName, str] = {
            split: os.path.join(artifact_utils.get_split_uri([examples], split), _FILE)
            for split in SPLITS
        }
        try:
            rows = write_examples(source.sql, files, kept=source.kept)
        finally:
            # One that changes meanwhile leaves rows of two states, or none that can be read.
            check_unchanged(source.files)
        for split, count in rows.items():
            if count == 0:
                raise RunFailure(
                    f"The {split} split has no rows.",
                    hint="Use a larger sample, wider filters or another split.",
                )
            _log.info("%s: %d rows", split, count)
        examples_utils.set_payload_format(examples, exec_properties["output_data_format"])
        examples_utils.set_file_format(examples, _FILE_FORMAT)


class DuckDBExampleGen(QueryBasedExampleGen):
    """A QueryBasedExampleGen of one query for DuckDB; its splits' patterns are their names."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(DuckDBExecutor)


def write_examples(
    sql: str, paths: Mapping[SplitName, str], *, kept: Mapping[str, str] = MappingProxyType({})
) -> dict[SplitName, int]:
    """Write a query's rows to Parquet files; a null is a feature that isn't there.

    Args:
        sql: a SELECT for DuckDB, whose column `SPLIT` says which file a row belongs to.
        paths: the file of each split; its folder is made.
        kept: by name, SELECTs of the temporary tables that `sql` reads.

    Returns:
        The number of rows of each split.

    Raises:
        RunFailure: the query can't be run.
    """
    rows = dict.fromkeys(paths, 0)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="towerlab-") as spill,
            duckdb.connect(config={"temp_directory": spill}) as connection,
            ExitStack() as files,
        ):
            for name, select in kept.items():
                connection.execute(f'CREATE TEMPORARY TABLE "{name}" AS {select}')
            reader = connection.sql(sql).to_arrow_reader(_ROWS_PER_BATCH)
            schema = _examples(pa.RecordBatch.from_pylist([], reader.schema)).schema
            writers: dict[SplitName, pq.ParquetWriter] = {}
            for split, path in paths.items():
                os.makedirs(os.path.dirname(path), exist_ok=True)
                writers[split] = files.enter_context(pq.ParquetWriter(path, schema))
            for batch in reader:
                for split, part in _parts(batch):
                    writers[split].write_batch(part)
                    rows[split] += part.num_rows
    except duckdb.Error as error:
        raise RunFailure(
            f"The data can't be read: {error}",
            hint="Check that the files of the dataset exist and are readable.",
        ) from error
    return rows


def _parts(batch: pa.RecordBatch) -> Iterator[tuple[SplitName, pa.RecordBatch]]:
    """Return the rows of each split, without its name."""
    examples = _examples(batch)
    of_split = batch.column(batch.schema.get_field_index(SPLIT))
    for split in SPLITS:
        yield split, examples.filter(pc.equal(of_split, split))


def _examples(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return what belongs to the examples, in their types."""
    names = [name for name in batch.schema.names if name != SPLIT]
    columns = [as_values(batch.column(batch.schema.get_field_index(name))) for name in names]
    return pa.RecordBatch.from_arrays(columns, names)

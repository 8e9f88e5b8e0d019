"""ExampleGen: the rows of each split as gzipped TFRecords of `tf.train.Example`.

BigQuery is read by TFX's own component. DuckDB is read here without Beam: it reads, joins and
filters in parallel itself, and a Beam pipeline around it took ten times as long.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from google.protobuf.wrappers_pb2 import StringValue
from tfx.components.example_gen.component import QueryBasedExampleGen
from tfx.components.example_gen.write_split import to_file_format_str
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor, executor_spec
from tfx.extensions.google_cloud_big_query.example_gen.component import BigQueryExampleGen
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from engine.spec import SPLITS, ExamplesQuery, SourceFile
from pipelines.code_hash import code_hash
from pipelines.errors import RunFailure

_ROWS_PER_BATCH = 20_000
_GZIP_LEVEL = 1
_log = logging.getLogger(__name__)


def example_gen(query: ExamplesQuery) -> QueryBasedExampleGen:
    """Return the component that writes the examples of a query; its id is always "ExampleGen".

    The source's fingerprint and the hash of this code travel as a comment in the SQL: so TFX's
    cache knows both, for DuckDB and for BigQuery alike.
    """
    origin = f"/* source {query.fingerprint} code {code_hash(__file__)} */"
    splits = [
        example_gen_pb2.Input.Split(name=split, pattern=f"{query.queries[split]} {origin}")
        for split in SPLITS
    ]
    input_config = example_gen_pb2.Input(splits=splits)
    if query.dialect == "bigquery":
        component = BigQueryExampleGen(input_config=input_config)
    else:
        component = DuckDBExampleGen(
            input_config=input_config, custom_config=_custom_config(query.files)
        )
    return component.with_id("ExampleGen")


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


def _custom_config(files: Sequence[SourceFile]) -> example_gen_pb2.CustomConfig:
    """Return the files as the only custom configuration that an ExampleGen takes: a message."""
    written = [file.model_dump(mode="json") for file in files]
    config = example_gen_pb2.CustomConfig()
    config.custom_config.Pack(StringValue(value=json.dumps(written)))
    return config


def _planned_files(custom_config: str | None) -> list[SourceFile]:
    if not custom_config:
        return []
    config, written = example_gen_pb2.CustomConfig(), StringValue()
    proto_utils.json_to_proto(custom_config, config)
    config.custom_config.Unpack(written)
    return [SourceFile.model_validate(file) for file in json.loads(written.value)]


class DuckDBExecutor(base_beam_executor.BaseBeamExecutor):
    """Runs one query a split and writes its rows."""

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
        check_unchanged(_planned_files(exec_properties.get("custom_config")))
        input_config = example_gen_pb2.Input()
        proto_utils.json_to_proto(exec_properties["input_config"], input_config)
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        names = [split.name for split in input_config.splits]
        examples.split_names = artifact_utils.encode_split_names(names)
        for split in input_config.splits:
            folder = artifact_utils.get_split_uri([examples], split.name)
            rows = write_examples(
                split.pattern, os.path.join(folder, "data_tfrecord-00000-of-00001.gz")
            )
            if rows == 0:
                raise RunFailure(
                    f"The {split.name} split has no rows.",
                    hint="Use a larger sample, wider filters or another split.",
                )
            _log.info("%s: %d rows", split.name, rows)
        file_format = to_file_format_str(exec_properties["output_file_format"])
        examples_utils.set_payload_format(examples, exec_properties["output_data_format"])
        examples_utils.set_file_format(examples, file_format)


class DuckDBExampleGen(QueryBasedExampleGen):
    """A QueryBasedExampleGen whose splits' patterns are SQL for DuckDB."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(DuckDBExecutor)


def write_examples(sql: str, path: str) -> int:
    """Write a query's rows to a gzipped TFRecord file; a null is a feature that isn't there.

    Args:
        sql: a SELECT for DuckDB.
        path: the file; its folder is made.

    Returns:
        The number of rows.

    Raises:
        RunFailure: the query can't be run.
    """
    tf.io.gfile.makedirs(os.path.dirname(path))
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=_GZIP_LEVEL)
    encoder = RecordBatchToExamplesEncoder()
    rows = 0
    try:
        with duckdb.connect() as connection, tf.io.TFRecordWriter(path, options) as writer:
            for batch in _batches(connection, sql):
                for example in encoder.encode(as_lists(batch)):
                    writer.write(example)
                rows += batch.num_rows
    except duckdb.Error as error:
        raise RunFailure(
            f"The data can't be read: {error}",
            hint="Check that the files of the dataset exist and are readable.",
        ) from error
    return rows


def _batches(connection: duckdb.DuckDBPyConnection, sql: str) -> Iterator[pa.RecordBatch]:
    yield from connection.sql(sql).to_arrow_reader(_ROWS_PER_BATCH)


def as_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch as tfx_bsl wants it: every value a list of one, every null a null.

    A list stays one without its nulls; an empty list is a feature that isn't there, too.
    """
    columns = [_as_list(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _as_list(column: pa.Array) -> pa.ListArray:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return _as_list_of_values(column)
    column = _as_values(column)
    null = column.is_null().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(~null)]).astype(np.int32)
    mask = np.append(null, False)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=mask), column.drop_null())


def _as_list_of_values(column: pa.Array) -> pa.ListArray:
    values, rows = column.flatten(), pc.list_parent_indices(column).to_numpy()
    known = values.is_valid().to_numpy(zero_copy_only=False)
    counts = np.bincount(rows[known], minlength=len(column))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    mask = np.append(counts == 0, False)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=mask), _as_values(values.drop_null()))


def _as_values(column: pa.Array) -> pa.Array:
    """Return the values in one of the three types of an example."""
    kind = column.type
    if pa.types.is_floating(kind):
        return column.cast(pa.float32())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.int64())
    return column.cast(pa.binary())

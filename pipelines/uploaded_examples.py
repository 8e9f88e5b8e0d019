"""ExampleGen of rows that the engine has uploaded as Parquet, for datasets outside BigQuery.

TFX's own Parquet executor turns 0 and "" into missing values; this one encodes as the local
ExampleGen does, so that both write the same examples.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import apache_beam as beam
import pyarrow as pa
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from engine.spec import SPLITS
from pipelines.example_columns import as_lists


def uploaded_example_gen(uri: str) -> FileBasedExampleGen:
    """Return the component that writes the examples of uploaded rows, with the id "ExampleGen".

    TFX takes the files' fingerprint itself, right before the component runs.

    Args:
        uri: prefix of the rows; each split has a folder of Parquet files below it.
    """
    splits = [
        example_gen_pb2.Input.Split(name=split, pattern=f"{split}/*.parquet") for split in SPLITS
    ]
    input_config = example_gen_pb2.Input(splits=splits)
    return UploadedExampleGen(input_base=uri, input_config=input_config).with_id("ExampleGen")


class UploadedRowsExecutor(BaseExampleGenExecutor):
    """Writes the examples of each split's Parquet files, on Beam."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802 - TFX's name
        """Return the transform from a split's files to its serialized examples."""
        return _examples  # pyright: ignore[reportReturnType] - TFX means a function


class UploadedExampleGen(FileBasedExampleGen):
    """A FileBasedExampleGen over one folder of Parquet files a split."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(UploadedRowsExecutor)


@beam.ptransform_fn
@beam.typehints.with_input_types(beam.Pipeline)
@beam.typehints.with_output_types(bytes)
def _examples(
    pipeline: beam.Pipeline, exec_properties: Mapping[str, Any], split_pattern: str
) -> beam.PCollection:
    files = os.path.join(exec_properties["input_base"], split_pattern)
    tables = pipeline | "Read" >> beam.io.ReadFromParquetBatched(files)
    return tables | "Encode" >> beam.FlatMap(_encoded)


def _encoded(table: pa.Table) -> Iterator[bytes]:
    encoder = RecordBatchToExamplesEncoder()
    for batch in table.to_batches():
        yield from encoder.encode(as_lists(batch))

"""The TFX pipeline of an experiment: ExampleGen → StatisticsGen → SchemaGen → Transform → Trainer.

One definition for every runner. TFX's cache decides by a component's inputs and properties, so
each component is told what it needs and nothing else: an experiment that differs from an earlier
one in its model or its training parameters only goes straight to the Trainer.
"""

from collections.abc import Sequence

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
from tfx import v1 as tfx
from tfx.proto import trainer_pb2, transform_pb2

from engine.spec import ExperimentSpec
from pipelines.examples import example_gen
from pipelines.preprocessing import transform_config
from pipelines.statistics import InMemoryStatisticsGen
from pipelines.transform import InMemoryTransform
from pipelines.uploaded_examples import uploaded_example_gen

PIPELINE_NAME = "towerlab"
"""The same for all experiments of a workspace: it is part of every cache key."""

LOCAL_BEAM_ARGS = (
    "--runner=apache_beam.runners.portability.fn_api_runner.fn_runner.FnApiRunner",
    "--sdk_container_image=none",
)
"""Beam in this process. The default runner looks for a download first; without an image, TFX would
build a source distribution for every component."""

_NOT_TRAIN = ["eval", "test"]


def create_pipeline(
    spec: ExperimentSpec,
    *,
    pipeline_root: str,
    run_folder: str,
    metadata_path: str | None,
    beam_args: Sequence[str] = (),
) -> tfx.dsl.Pipeline:
    """Return the pipeline of an experiment.

    Args:
        spec: the experiment.
        pipeline_root: folder (or gs:// prefix) of the components' outputs.
        run_folder: folder (or gs:// prefix) to which the Trainer writes what the engine reads.
        metadata_path: SQLite file of the ML Metadata; None where the runner has its own.
        beam_args: options of the Beam components. None means Beam in this process, and that
            statistics and transform graph of local data are made in memory, without Beam.
    """
    rows_uri = spec.examples.rows_uri
    examples = uploaded_example_gen(rows_uri) if rows_uri else example_gen(spec.examples)
    in_memory = spec.examples.dialect == "duckdb" and not beam_args
    statistics_gen = InMemoryStatisticsGen if in_memory else tfx.components.StatisticsGen
    statistics = statistics_gen(
        examples=examples.outputs["examples"], exclude_splits=_NOT_TRAIN
    ).with_id("StatisticsGen")
    schema = tfx.components.SchemaGen(
        statistics=statistics.outputs["statistics"],
        infer_feature_shape=False,
        exclude_splits=_NOT_TRAIN,
    )
    transform_type = InMemoryTransform if in_memory else tfx.components.Transform
    transform = transform_type(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="pipelines.preprocessing.preprocessing_fn",
        custom_config=transform_config(spec),
        splits_config=transform_pb2.SplitsConfig(analyze=["train"]),
        materialize=False,
        disable_statistics=True,
        disable_analyzer_cache=True,
    ).with_id("Transform")
    trainer = tfx.components.Trainer(
        run_fn="pipelines.trainer.run_fn",
        examples=examples.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval", "test"]),
        custom_config={"spec": spec.model_dump_json(), "run_folder": run_folder},
    )
    metadata = (
        tfx.orchestration.metadata.sqlite_metadata_connection_config(metadata_path)
        if metadata_path
        else None
    )
    return tfx.dsl.Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=pipeline_root,
        components=[examples, statistics, schema, transform, trainer],
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=list(beam_args or LOCAL_BEAM_ARGS),
    )

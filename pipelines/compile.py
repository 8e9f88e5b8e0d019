"""The pipeline of an experiment as a job for Vertex AI Pipelines."""

import posixpath
from collections.abc import Sequence
from pathlib import Path

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
    KubeflowV2DagRunner,
    KubeflowV2DagRunnerConfig,
)

from engine.spec import ExperimentSpec
from pipelines.errors import RunFailure
from pipelines.pipeline import create_pipeline


def compile_job(
    spec: ExperimentSpec,
    *,
    pipeline_root: str,
    image: str,
    output: Path,
    beam_args: Sequence[str] = (),
) -> None:
    """Write the job (PipelineJob as JSON, schema 2.0.0).

    Args:
        spec: the experiment; its examples come from BigQuery.
        pipeline_root: gs:// prefix of the components' outputs; the run folder is in `runs/`.
        image: container image that holds this package and its dependencies.
        output: the JSON file to write.
        beam_args: options of the Beam components, as `--runner=DataflowRunner`.

    Raises:
        RunFailure: the examples come from files of this machine.
    """
    if spec.examples.dialect != "bigquery":
        raise RunFailure(
            f'Dataset "{spec.dataset}" reads files of this machine, which Vertex AI can\'t see.',
            hint="Give the dataset a BigQuery source, or run it locally.",
        )
    pipeline = create_pipeline(
        spec,
        pipeline_root=pipeline_root,
        run_folder=posixpath.join(pipeline_root, "runs", spec.uid),
        metadata_path=None,
        beam_args=beam_args,
    )
    config = KubeflowV2DagRunnerConfig(display_name=f"towerlab-{spec.number}", default_image=image)
    runner = KubeflowV2DagRunner(config, output_dir=str(output.parent), output_filename=output.name)
    runner.run(pipeline, write_out=True)

"""An experiment's pipeline as a job for Vertex AI Pipelines, with its Beam parts on Dataflow."""

from typing import Any

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
    KubeflowV2DagRunner,
    KubeflowV2DagRunnerConfig,
)

from engine.spec import ExperimentSpec
from engine.spec.cloud import EXPERIMENT_LABEL, JOB_LABEL, CloudTarget
from pipelines.errors import RunFailure
from pipelines.pipeline import create_pipeline

_JOB_NAME = "{{$.pipeline_job_name}}"
"""Vertex AI fills in the job's id when a task starts: so the arguments, which are part of its cache
key, are the same in all jobs."""
_PLACEHOLDER = "{{$"


def compile_job(spec: ExperimentSpec, target: CloudTarget) -> dict[str, Any]:
    """Return the job as `google.cloud.aiplatform.v1.PipelineJob` in JSON (pipeline schema 2.0.0).

    Args:
        spec: the experiment; its examples come from BigQuery or were uploaded.
        target: where it runs.

    Raises:
        RunFailure: Vertex AI can't see the examples, would change the spec, or doesn't know on
            which machines the Beam components shall run.
    """
    _check(spec)
    pipeline = create_pipeline(
        spec,
        pipeline_root=target.pipeline_root,
        run_folder=target.run_uri(spec.uid),
        metadata_path=None,
        beam_args=dataflow_args(spec, target),
    )
    config = KubeflowV2DagRunnerConfig(
        display_name=f"towerlab-{spec.number}", default_image=target.image
    )
    job = KubeflowV2DagRunner(config).run(pipeline, write_out=False)
    job["labels"] = {**job.get("labels", {}), **target.labels, EXPERIMENT_LABEL: spec.uid}
    if target.service_account:
        job["serviceAccount"] = target.service_account
    if target.network:
        job["network"] = target.network
    return job


def dataflow_args(spec: ExperimentSpec, target: CloudTarget) -> list[str]:
    """Return the options of the Beam components."""
    args = [
        "--runner=DataflowRunner",
        f"--project={target.project}",
        f"--region={target.dataflow_region}",
        f"--worker_machine_type={spec.params.machine_type}",
        f"--sdk_container_image={target.image}",
        f"--temp_location={target.temp_root}/temp",
        f"--staging_location={target.temp_root}/staging",
        f"--labels={JOB_LABEL}={_JOB_NAME}",
        *(f"--labels={key}={value}" for key, value in sorted(target.labels.items())),
    ]
    if target.service_account:
        args.append(f"--service_account_email={target.service_account}")
    if target.subnetwork:
        args += [f"--subnetwork={target.subnetwork}", "--no_use_public_ips"]
    return args


def _check(spec: ExperimentSpec) -> None:
    if spec.examples.dialect != "bigquery" and spec.examples.rows_uri is None:
        raise RunFailure(
            f'Dataset "{spec.dataset}" reads files of this machine, which Vertex AI can\'t see.',
            hint="Give the dataset a BigQuery source, upload its rows, or run it locally.",
        )
    if spec.params.machine_type is None:
        raise RunFailure(
            "The experiment doesn't say on which machines Dataflow shall run.",
            hint="Choose the hardware: small, medium or large.",
        )
    if _PLACEHOLDER in spec.model_dump_json():
        raise RunFailure(
            f'The definitions contain "{_PLACEHOLDER}", which Vertex AI would replace.',
            hint="Rename the column, or change the filter's value.",
        )

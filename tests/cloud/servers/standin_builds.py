"""Builds without TensorFlow: they read the spec and create a job as the compile step does.

The arguments are checked by the compile step's own parser; the job has all that Vertex AI looks at.
"""

import json
from typing import Any

from google.cloud.aiplatform_v1 import CreatePipelineJobRequest, PipelineJob
from google.cloud.devtools.cloudbuild_v1 import Build

from engine.spec import ExperimentSpec
from engine.spec.cloud import EXPERIMENT_LABEL, CloudTarget, job_id
from engine.spec.run_folder import TFX_NAMES
from pipelines.compile import parse, target_of
from tests.cloud.gcs_server import Bucket
from tests.cloud.servers.pipelines import PipelineService
from tests.cloud.servers.refusal import Refusal


class StandinBuilds:
    """Carries out builds; assign `run` to a CloudBuild's."""

    def __init__(self, pipelines: PipelineService, bucket: Bucket) -> None:
        self._pipelines = pipelines
        self._bucket = bucket

    def run(self, build: Build, arguments: list[str]) -> None:
        """Do what the compile step does with these arguments."""
        assert arguments[:3] == ["python", "-m", "pipelines.compile"], arguments
        given = parse(arguments[3:])
        target = target_of(given)
        spec = ExperimentSpec.model_validate_json(self._bucket.get(given.spec))
        request = CreatePipelineJobRequest(
            parent=target.parent,
            pipeline_job=standin_job(spec, target),
            pipeline_job_id=job_id(spec.uid, spec.attempt),
        )
        try:
            self._pipelines.create(request)
        except Refusal as refusal:
            if refusal.status != "ALREADY_EXISTS":
                raise


def standin_job(spec: ExperimentSpec, target: CloudTarget) -> PipelineJob:
    """Return a job of five tasks without what only a real run needs."""
    config = {"spec": spec.model_dump_json(), "run_folder": target.run_uri(spec.uid)}
    tasks: dict[str, Any] = {
        name: {"taskInfo": {"name": name}, "componentRef": {"name": name}} for name in TFX_NAMES
    }
    constant = {"constantValue": {"stringValue": json.dumps(config)}}
    tasks["Trainer"]["inputs"] = {"parameters": {"custom_config": {"runtimeValue": constant}}}
    labels = {**target.labels, EXPERIMENT_LABEL: spec.uid}
    return PipelineJob(
        display_name=f"towerlab-{spec.number}",
        labels=labels,
        runtime_config={"gcs_output_directory": target.pipeline_root},
        pipeline_spec={
            "pipelineInfo": {"name": "towerlab"},
            "schemaVersion": "2.0.0",
            "sdkVersion": "tfx-1.16.0",
            "root": {"dag": {"tasks": tasks}},
            "deploymentSpec": {"executors": {}},
        },
    )

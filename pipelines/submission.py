"""Creates a pipeline job on Vertex AI: once, however often it is asked to."""

import json
from collections.abc import Mapping
from typing import Any, cast

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.aiplatform_v1 import PipelineJob, PipelineServiceClient

from engine.spec.cloud import CloudTarget
from pipelines.errors import RunFailure

_CALL_SECONDS = 20.0
_RETRY_SECONDS = 120.0
_PASSING = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.TooManyRequests,
    exceptions.InternalServerError,
)


def submit(job: Mapping[str, Any], target: CloudTarget, job_id: str) -> str:
    """Create the job unless it exists; return its resource name.

    Args:
        job: as made by `compile_job`.
        target: where it runs.
        job_id: the same for each attempt to submit it: that makes repeating safe.

    Raises:
        RunFailure: Vertex AI can't be reached, or refuses the job.
    """
    endpoint = target.endpoint or f"{target.region}-aiplatform.googleapis.com"
    try:
        client = PipelineServiceClient(client_options={"api_endpoint": endpoint})
        client.create_pipeline_job(
            parent=target.parent,
            pipeline_job=cast(PipelineJob, PipelineJob.from_json(json.dumps(job))),
            pipeline_job_id=job_id,
            timeout=_CALL_SECONDS,
            retry=Retry(predicate=if_exception_type(*_PASSING), timeout=_RETRY_SECONDS),
        )
    except exceptions.AlreadyExists:
        pass
    except (exceptions.GoogleAPIError, GoogleAuthError) as error:
        raise RunFailure(
            f"Vertex AI didn't take the job {job_id} in {target.region}: {error}",
            hint="Run `towerlab doctor`.",
        ) from error
    return f"{target.parent}/pipelineJobs/{job_id}"

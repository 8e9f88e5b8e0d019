"""A grocery experiment for Google Cloud, and what a compiled job says."""

import json
from pathlib import Path
from typing import Any

from engine.spec import Column, ExperimentSpec
from engine.spec.cloud import CloudTarget
from tests.pipelines.grocery_spec import grocery_spec

TARGET = CloudTarget(
    project="shop",
    region="europe-central2",
    dataflow_region="europe-west1",
    root="gs://bucket/towerlab",
    temp_root="gs://scratch/towerlab",
    image="europe-docker.pkg.dev/shop/r/towerlab:1",
    service_account="runner@shop.iam.gserviceaccount.com",
    network="projects/1/global/networks/private",
    subnetwork="regions/europe-west1/subnetworks/private",
    labels={"team": "search", "stage": "test"},
)


def bigquery_spec(folder: Path = Path("/data"), **changes: object) -> ExperimentSpec:
    """Return the experiment with its rows in BigQuery, on workers of 8 cores."""
    spec = grocery_spec(folder)
    examples = spec.examples.replace(
        dialect="bigquery", sql="SELECT 1 AS x", columns=(Column(name="x", type="INT64"),)
    )
    params = spec.params.replace(machine_type="e2-standard-8")
    return spec.replace(examples=examples, params=params, backend="vertex", **changes)


def parameters(job: dict[str, Any], task: str) -> dict[str, Any]:
    """Return the constant parameters of a task."""
    found = job["pipelineSpec"]["root"]["dag"]["tasks"][task]["inputs"]["parameters"]
    return {
        name: next(iter(value["runtimeValue"]["constantValue"].values()))
        for name, value in found.items()
        if "runtimeValue" in value
    }


def container(job: dict[str, Any], task: str) -> dict[str, Any]:
    """Return the container of a task."""
    return job["pipelineSpec"]["deploymentSpec"]["executors"][f"{task}_executor"]["container"]


def read_job(path: Path) -> dict[str, Any]:
    """Read a job that the compile step wrote."""
    return json.loads(path.read_text("utf-8"))

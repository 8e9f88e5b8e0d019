"""The job for Vertex AI Pipelines: everything that decides is in the JSON."""

import json
from pathlib import Path

import pytest

from engine.spec import SPLITS
from pipelines.errors import RunFailure
from tests.pipelines.grocery_spec import grocery_spec

pytestmark = pytest.mark.pipeline

BEAM_ARGS = ["--runner=DataflowRunner", "--worker_machine_type=e2-standard-8"]


def bigquery_spec():
    spec = grocery_spec(Path("/data"))
    examples = spec.examples.replace(
        dialect="bigquery", queries={split: f"SELECT '{split}' AS x" for split in SPLITS}
    )
    return spec.replace(examples=examples, backend="vertex")


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    from pipelines.compile import compile_job

    output = tmp_path_factory.mktemp("job") / "job.json"
    compile_job(
        bigquery_spec(),
        pipeline_root="gs://bucket/root/",
        image="europe-docker.pkg.dev/p/r/image:1",
        output=output,
        beam_args=BEAM_ARGS,
    )
    return json.loads(output.read_text())


def parameters(job, task):
    found = job["pipelineSpec"]["root"]["dag"]["tasks"][task]["inputs"]["parameters"]
    return {
        name: next(iter(value["runtimeValue"]["constantValue"].values()))
        for name, value in found.items()
        if "runtimeValue" in value
    }


def test_all_five_components_are_tasks_in_order(job):
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    assert set(tasks) == {"ExampleGen", "StatisticsGen", "SchemaGen", "Transform", "Trainer"}
    assert tasks["StatisticsGen"]["dependentTasks"] == ["ExampleGen"]
    assert tasks["SchemaGen"]["dependentTasks"] == ["StatisticsGen"]
    assert set(tasks["Transform"]["dependentTasks"]) == {"ExampleGen", "SchemaGen"}
    assert set(tasks["Trainer"]["dependentTasks"]) == {"ExampleGen", "Transform"}


def test_each_split_has_its_query(job):
    splits = json.loads(parameters(job, "ExampleGen")["input_config"])["splits"]
    assert [split["name"] for split in splits] == list(SPLITS)
    for split in splits:
        assert split["pattern"].startswith(f"SELECT '{split['name']}' AS x /* source f00d code ")


def test_functions_are_dotted_paths(job):
    assert parameters(job, "Transform")["preprocessing_fn"] == (
        "pipelines.preprocessing.preprocessing_fn"
    )
    assert parameters(job, "Trainer")["run_fn"] == "pipelines.trainer.run_fn"


def test_the_trainer_gets_the_spec_and_its_run_folder(job):
    config = json.loads(parameters(job, "Trainer")["custom_config"])
    assert json.loads(config["spec"])["uid"] == "0123456789ab"
    assert config["run_folder"] == "gs://bucket/root/runs/0123456789ab"


def test_beam_args_reach_every_beam_component(job):
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    for task in ("ExampleGen", "StatisticsGen", "Transform"):
        container = executors[f"{task}_executor"]["container"]
        assert set(BEAM_ARGS) <= set(container["args"]), task
        assert container["image"] == "europe-docker.pkg.dev/p/r/image:1"


def test_components_are_cached_and_write_to_the_pipeline_root(job):
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    assert all(task["cachingOptions"]["enableCache"] for task in tasks.values())
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/root/"
    assert job["pipelineSpec"]["pipelineInfo"]["name"] == "towerlab"


def test_files_of_this_machine_can_not_run_on_vertex(tmp_path):
    from pipelines.compile import compile_job

    with pytest.raises(RunFailure, match='Dataset "groceries" reads files of this machine'):
        compile_job(
            grocery_spec(tmp_path), pipeline_root="gs://b", image="i", output=tmp_path / "job.json"
        )

"""The job for Vertex AI Pipelines: everything that decides is in the JSON."""

import json
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1 import PipelineJob

from engine.spec import SPLITS
from engine.spec.cloud import compile_arguments, compile_options
from pipelines.compile import main
from pipelines.errors import RunFailure
from tests.pipelines.compiled import TARGET, bigquery_spec, container, parameters, read_job
from tests.pipelines.grocery_spec import grocery_spec

pytestmark = pytest.mark.pipeline

BEAM_TASKS = ("ExampleGen", "StatisticsGen", "Transform")


def compiled(folder: Path, spec, target=TARGET, /, **options: str):
    """Compile as a build does: with arguments only."""
    spec_file, output = folder / "spec.json", folder / "job.json"
    spec_file.write_text(spec.model_dump_json())
    given = compile_options(target, spec, str(spec_file)) | options
    code = main([*compile_arguments(given), f"--output={output}"])
    return read_job(output) if code == 0 else code


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("job"), bigquery_spec())


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
        assert split["pattern"].startswith(
            "SELECT `x` FROM (SELECT 1 AS x) AS `examples` WHERE `towerlab_split` = "
            f"'{split['name']}' /* source f00d code "
        )
    assert "google_cloud_big_query" in " ".join(container(job, "ExampleGen")["args"])


def test_functions_are_dotted_paths(job):
    assert parameters(job, "Transform")["preprocessing_fn"] == (
        "pipelines.preprocessing.preprocessing_fn"
    )
    assert parameters(job, "Trainer")["run_fn"] == "pipelines.trainer.run_fn"


def test_the_trainer_gets_the_spec_and_its_run_folder(job):
    config = json.loads(parameters(job, "Trainer")["custom_config"])
    assert json.loads(config["spec"])["uid"] == "0123456789ab"
    assert config["run_folder"] == "gs://bucket/towerlab/runs/0123456789ab"


@pytest.mark.parametrize("task", BEAM_TASKS)
def test_every_beam_component_runs_on_dataflow_as_the_target_says(job, task):
    args = container(job, task)["args"]
    assert set(args) >= {
        "--runner=DataflowRunner",
        "--project=shop",
        "--region=europe-west1",
        "--worker_machine_type=e2-standard-8",
        "--sdk_container_image=europe-docker.pkg.dev/shop/r/towerlab:1",
        "--temp_location=gs://scratch/towerlab/temp",
        "--staging_location=gs://scratch/towerlab/staging",
        "--labels=towerlab-job={{$.pipeline_job_name}}",
        "--labels=stage=test",
        "--labels=team=search",
        "--service_account_email=runner@shop.iam.gserviceaccount.com",
        "--subnetwork=regions/europe-west1/subnetworks/private",
        "--no_use_public_ips",
    }
    assert sum("machine_type" in arg for arg in args) == 1


def test_beam_understands_its_arguments(job):
    from apache_beam.options import pipeline_options

    options = pipeline_options.PipelineOptions(container(job, "Transform")["args"])
    assert options.view_as(pipeline_options.WorkerOptions).machine_type == "e2-standard-8"
    assert options.view_as(pipeline_options.GoogleCloudOptions).region == "europe-west1"
    assert len(options.view_as(pipeline_options.GoogleCloudOptions).labels) == 3


def test_the_job_is_one_that_the_api_takes(job):
    message = PipelineJob.from_json(json.dumps(job))
    assert message.display_name == "towerlab-1"
    assert message.service_account == "runner@shop.iam.gserviceaccount.com"
    assert message.network == "projects/1/global/networks/private"
    assert message.labels["towerlab-experiment"] == "0123456789ab"
    assert message.labels["team"] == "search"
    assert message.runtime_config.gcs_output_directory == "gs://bucket/towerlab/cache"


def test_components_are_cached_and_run_in_our_image(job):
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    assert all(task["cachingOptions"]["enableCache"] for task in tasks.values())
    assert job["pipelineSpec"]["pipelineInfo"]["name"] == "towerlab"
    assert {container(job, task)["image"] for task in tasks} == {TARGET.image}


def test_experiments_that_share_data_and_features_share_all_but_the_trainer(job, tmp_path):
    spec = bigquery_spec(uid="f" * 12)
    other = compiled(tmp_path, spec.replace(params=spec.params.replace(epochs=9)))
    for task in ("ExampleGen", "StatisticsGen", "SchemaGen", "Transform"):
        assert container(job, task) == container(other, task)
        assert parameters(job, task) == parameters(other, task)
    assert parameters(job, "Trainer") != parameters(other, "Trainer")


def test_uploaded_rows_are_read_by_a_file_based_example_gen(tmp_path):
    spec = grocery_spec(tmp_path)
    rows = TARGET.rows_uri(spec.uid)
    spec = spec.replace(
        examples=spec.examples.replace(rows_uri=rows),
        params=spec.params.replace(machine_type="e2-standard-4"),
    )
    job = compiled(tmp_path, spec)
    given = parameters(job, "ExampleGen")
    assert given["input_base"] == "gs://bucket/towerlab/runs/0123456789ab/rows"
    patterns = [split["pattern"] for split in json.loads(given["input_config"])["splits"]]
    assert patterns == [f"{split}/*.parquet" for split in SPLITS]
    assert container(job, "ExampleGen")["lifecycle"]["preCacheCheck"]


def test_what_may_be_absent_leaves_no_trace(tmp_path):
    bare = TARGET.replace(service_account=None, network=None, subnetwork=None, labels={})
    job = compiled(tmp_path, bigquery_spec(), bare)
    assert not {"network", "serviceAccount"} & job.keys()
    args = container(job, "Transform")["args"]
    assert not any("network" in arg or "email" in arg or "public_ips" in arg for arg in args)


@pytest.mark.parametrize("option", ["machine-type", "dataflow-region", "image", "network"])
def test_an_option_that_is_not_given_is_an_error(tmp_path, capsys, option):
    options = compile_options(TARGET, bigquery_spec(), "spec.json")
    del options[option]
    with pytest.raises(SystemExit):
        main([*compile_arguments(options), f"--output={tmp_path / 'job.json'}"])
    assert f"--{option}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"region": ""}, "--region is missing."),
        ({"labels": "team"}, '--labels is "team", but must be like'),
        ({"spec": "/nowhere/spec.json"}, "The spec /nowhere/spec.json can't be read"),
        (
            {"machine-type": "e2-standard-4"},
            "The build was asked for e2-standard-4, the spec for e2-standard-8.",
        ),
    ],
)
def test_wrong_options_are_told_in_a_sentence(tmp_path, capsys, options, reason):
    assert compiled(tmp_path, bigquery_spec(), **options) == 2
    assert capsys.readouterr().err.startswith(reason)


def test_a_spec_of_another_version_is_told(tmp_path, capsys):
    spec = tmp_path / "other.json"
    spec.write_text(json.dumps({**json.loads(bigquery_spec().model_dump_json()), "new": 1}))
    assert compiled(tmp_path, bigquery_spec(), spec=str(spec)) == 2
    assert "isn't a spec that this version understands: new: " in capsys.readouterr().err


def test_a_job_without_a_machine_type_is_refused():
    from pipelines.vertex_job import compile_job

    spec = bigquery_spec()
    with pytest.raises(RunFailure, match="on which machines Dataflow shall run"):
        compile_job(spec.replace(params=spec.params.replace(machine_type=None)), TARGET)


def test_text_that_vertex_would_replace_is_refused():
    from pipelines.vertex_job import compile_job

    with pytest.raises(RunFailure, match="which Vertex AI would replace"):
        compile_job(bigquery_spec(dataset="a {{$.x}}"), TARGET)


def test_files_of_this_machine_can_not_run_on_vertex(tmp_path):
    from pipelines.vertex_job import compile_job

    with pytest.raises(RunFailure, match='Dataset "groceries" reads files of this machine'):
        compile_job(grocery_spec(tmp_path), TARGET)

"""One experiment by the local backend and as the job that Vertex AI gets: the same result.

The jobs are those that the servers received from the engine's backend; they run on gs://.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from engine.backends.run_reading import read_metrics
from engine.spec import SPLITS
from engine.spec.run_folder import TEST_ROWS, TRAINING_METRICS, TrainingMetrics
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import served
from tests.cloud.whole_jobs import Shop, run_jobs, shop

__all__ = ["served"]

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(served: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jobs")
    run_jobs(served, folder)
    return folder


@pytest.fixture(scope="module")
def groceries(folder: Path, served: Cloud) -> Iterator[Shop]:
    with shop(folder / "groceries", served) as found:
        yield found


@pytest.fixture(scope="module")
def local(groceries: Shop) -> SimpleNamespace:
    number = groceries.run("--backend", "local")
    view = groceries.follow(number)[-1]
    assert view["status"] == "completed", view["error"]
    (examples,) = (groceries.root / ".towerlab/cache/ExampleGen/examples").iterdir()
    run = groceries.runs / view["uid"]
    return SimpleNamespace(
        view=view,
        metrics=read_metrics(run),
        examples={split: sorted(examples.glob(f"Split-{split}/*")) for split in SPLITS},
        vocabularies={file.name: file.read_text() for file in (run / "vocabularies").iterdir()},
    )


def in_cloud(shop: Shop, cloud: Cloud, folder: Path, *options: str) -> SimpleNamespace:
    """Run the experiment there, and bring here what is compared."""
    number = shop.run("--backend", "vertex", *options)
    seen = shop.follow(number)
    view = seen[-1]
    assert view["status"] == "completed", view["error"]
    job = cloud.pipelines.jobs[view["cloud"]["pipeline_job_name"].rpartition("/")[2]]
    outputs = {
        f"{task.task_name}.{key}": found.artifacts[0].uri
        for task in job.job_detail.task_details
        for key, found in task.outputs.items()
    }
    examples = {}
    for split in SPLITS:
        uris = cloud.bucket.uris(f"{outputs['ExampleGen.examples']}/Split-{split}/")
        examples[split] = [folder / f"{view['uid']}-{split}-{i}.gz" for i in range(len(uris))]
        for file, uri in zip(examples[split], uris, strict=True):
            file.write_bytes(cloud.bucket.get(uri))
    assets = f"{outputs['Transform.transform_graph']}/transform_fn/assets/"
    return SimpleNamespace(
        number=str(number),
        seen=seen,
        view=view,
        outputs=outputs,
        examples=examples,
        metrics=read_metrics(shop.runs / view["uid"]),
        vocabularies={
            uri.rpartition("/")[2]: cloud.bucket.get(uri).decode()
            for uri in cloud.bucket.uris(assets)
        },
        job=job,
    )


@pytest.fixture(scope="module")
def queried(groceries: Shop, served: Cloud, folder: Path) -> SimpleNamespace:
    """The job with rows from BigQuery's SQL, compiled by a build."""
    return in_cloud(groceries, served, folder, "--hardware", "medium")


@pytest.fixture(scope="module")
def uploaded(folder: Path, served: Cloud) -> Iterator[SimpleNamespace]:
    """The job with rows that were sent, compiled by the worker's child."""
    with shop(folder / "here", served, in_bigquery=False, compile="local") as found:
        yield in_cloud(found, served, folder, "--upload-rows", "--hardware", "small")


@pytest.fixture(params=["queried", "uploaded"])
def cloud(request: pytest.FixtureRequest) -> SimpleNamespace:
    return request.getfixturevalue(request.param)


def examples_in(files: list[Path]) -> list[str]:
    """Return a split's examples as sorted texts; a feature without values isn't there."""
    from pipelines.example_columns import batches

    rows = (row for batch in batches([*map(str, files)]) for row in batch.to_pylist())
    return sorted(repr(sorted((n, v) for n, v in row.items() if v)) for row in rows)


@pytest.mark.parametrize("split", SPLITS)
def test_both_have_the_same_examples(local, cloud, split):
    found = examples_in(cloud.examples[split])
    assert found == examples_in(local.examples[split])
    assert found


def test_both_have_the_same_vocabularies(local, cloud):
    assert local.vocabularies == cloud.vocabularies
    assert {"household_id", "product_id", "department", "category", "age"} <= set(
        cloud.vocabularies
    )


def test_both_measure_the_same_but_for_the_seed_s_noise(local, cloud):
    here, there = local.metrics, cloud.metrics
    assert here.rows == there.rows
    assert here.candidates == there.candidates
    assert here.vocabularies == there.vocabularies
    assert here.seen_in_train_share == there.seen_in_train_share
    assert here.baseline.metrics == pytest.approx(there.baseline.metrics)
    assert here.interval.low <= there.interval.value <= here.interval.high
    rmse = [metrics.final_metrics["test_rmse"] for metrics in (here, there)]
    assert rmse[1] == pytest.approx(rmse[0], rel=0.05)
    assert there.loss.train == pytest.approx(here.loss.train, rel=0.05)


def test_the_engine_shows_what_the_job_has_measured(cloud, served):
    uri = f"{cloud.view['artifacts_uri']}/{TRAINING_METRICS}"
    written = TrainingMetrics.model_validate_json(served.bucket.get(uri))
    assert written == cloud.metrics
    assert cloud.view["backend"] == "vertex"
    assert cloud.view["metrics"]["recall_at_100"] == written.final_metrics["recall_at_100"]
    assert cloud.view["metrics"]["rmse"] == written.final_metrics["rmse"]
    assert [c["status"] for c in cloud.view["components"]] == ["completed"] * 5


def test_stages_and_epochs_are_seen_while_the_job_runs(queried):
    stages = dict.fromkeys((view["stage"] or "").partition(",")[0] for view in queried.seen)
    assert [s for s in stages if s in ("Examples", "Transform", "Train")] == [
        "Examples",
        "Transform",
        "Train",
    ]
    running = [view for view in queried.seen if view["status"] == "running"]
    assert running[0]["epochs_seen"] == 0
    assert running[-1]["epochs_seen"] == 3
    assert running[0]["metrics"]["recall_at_100"] is None


def test_statistics_and_schema_are_the_pipeline_s(groceries, queried):
    found = groceries.ask("statistics", queried.number)
    assert found["splits"]["train"]["rows"] == queried.metrics.rows.train


def test_histograms_and_test_rows_come_when_they_are_asked_for(groceries, queried, served):
    found = groceries.ask("histograms", queried.number)
    assert set(found["towers"]) == {"query", "candidate", "rating"}
    rows = served.bucket.get(f"{queried.view['artifacts_uri']}/{TEST_ROWS}")
    assert pq.read_table(io.BytesIO(rows)).num_rows == queried.metrics.rows.test


def test_a_component_s_log_is_what_its_machine_printed(groceries, queried):
    lines = [line["message"] for line in groceries.ask("logs", queried.number, "Train")]
    assert any("recall_at_100" in line for line in lines)


def test_the_machine_type_of_the_wizard_is_in_the_job_that_ran(queried):
    executors = queried.job.pipeline_spec["deploymentSpec"]["executors"]
    for task in ("ExampleGen", "StatisticsGen", "Transform"):
        args = executors[f"{task}_executor"]["container"]["args"]
        assert "--worker_machine_type=e2-standard-8" in args
        assert "--region=europe-west1" in args


def test_the_model_is_exported_where_the_job_says(queried, served):
    model = f"{queried.outputs['Trainer.model']}/Format-Serving/"
    assert f"{model}saved_model.pb" in served.bucket.uris(model)

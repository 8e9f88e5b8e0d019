"""One experiment by the local backend and as the job that Vertex AI would run: the same result."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from engine.backends.run_reading import read_epochs, read_metrics
from engine.definitions.reading import read_definitions
from engine.planning import QuickTestRequest, plan_quick_test
from engine.query.uploads import write_rows
from engine.spec import SPLITS, ExperimentSpec
from engine.spec.cloud import CloudTarget, compile_arguments, compile_options, job_id
from engine.spec.run_folder import HISTOGRAMS, PROGRESS, SPEC, TEST_ROWS, Histograms, Progress
from engine.statistics import read_statistics
from tests.sample_data import write_groceries

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

STAND_IN = "tests.cloud.bigquery_stand_in.Executor"
"""Named, not imported: it needs TensorFlow, which this process does without."""
LOCAL, CLOUD, UPLOADED = "0" * 12, "c" * 12, "d" * 12


def python(*arguments: str, **environment: str) -> None:
    """Run a module in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("workspace")
    write_groceries(root / "data")
    (root / "definitions").mkdir()
    shutil.copy(Path(__file__).with_name("groceries.toml"), root / "definitions")
    return root


def plan(root: Path, **asked: str):
    definitions = read_definitions(root / "definitions")
    request = QuickTestRequest(feature_config="rich", model_config_name="both", **asked)
    return plan_quick_test(request, definitions, root=root)


@pytest.fixture(scope="module")
def local(root: Path) -> SimpleNamespace:
    spec = plan(root).spec(LOCAL, 1)
    folder = root / "runs" / LOCAL
    folder.mkdir(parents=True)
    (root / "cache").mkdir()
    (folder / SPEC).write_text(spec.model_dump_json())
    python("tests.cloud.local_run", str(folder))
    examples = next((root / "cache" / "ExampleGen" / "examples").iterdir())
    return SimpleNamespace(folder=folder, examples=examples, vocabularies=folder / "vocabularies")


def run_job(root: Path, spec: ExperimentSpec, *arguments: str) -> SimpleNamespace:
    """Compile as a child process, run the job, and say where the outputs are."""
    target = CloudTarget(
        project="shop",
        region="europe-central2",
        dataflow_region="europe-west1",
        root=str(root / "bucket"),
        temp_root="gs://scratch",
        image="europe-docker.pkg.dev/shop/r/towerlab:1",
        service_account="runner@shop.iam.gserviceaccount.com",
        labels={"team": "search"},
    )
    folder = Path(target.run_uri(spec.uid))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SPEC).write_text(spec.model_dump_json())
    options = compile_options(target, spec, target.spec_uri(spec.uid))
    job, result = root / f"{spec.uid}.json", root / f"{spec.uid}.outputs.json"
    python("pipelines.compile", *compile_arguments(options), f"--output={job}")
    python(
        "tests.cloud.vertex_machine",
        str(job),
        str(result),
        f"--job-id={job_id(spec.uid, 1)}",
        *arguments,
        TOWERLAB_TEST_TABLES=str(root / "data"),
    )
    outputs = {
        f"{task}.{key}": Path(artifact["uri"])
        for task, artifacts in json.loads(result.read_text()).items()
        for key, artifact in artifacts.items()
    }
    return SimpleNamespace(
        folder=folder,
        job=json.loads(job.read_text()),
        outputs=outputs,
        examples=outputs["ExampleGen.examples"],
    )


@pytest.fixture(scope="module")
def cloud(root: Path) -> SimpleNamespace:
    """The whole job, with rows from BigQuery's SQL."""
    spec = plan(root, backend="vertex", hardware="medium").spec(CLOUD, 2)
    return run_job(root, spec, f"--swap=ExampleGen={STAND_IN}")


@pytest.fixture(scope="module")
def uploaded(root: Path) -> SimpleNamespace:
    """The job's first task, with rows that were sent."""
    spec = plan(root, hardware="small").spec(UPLOADED, 3)
    rows = root / "bucket" / "runs" / UPLOADED / "rows"
    write_rows(spec.examples, rows)
    spec = spec.replace(
        examples=spec.examples.replace(rows_uri=str(rows)),
        params=spec.params.replace(machine_type="e2-standard-4"),
    )
    return run_job(root, spec, "--only=ExampleGen")


def examples_in(folder: Path) -> list[str]:
    """Return a split's examples as sorted texts; a feature without values isn't there."""
    import tensorflow as tf

    files = [str(file) for file in folder.glob("*.gz")]
    rows = []
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        values = {name: str(f) for name, f in features.items() if f.WhichOneof("kind")}
        rows.append(json.dumps({n: v for n, v in values.items() if "value" in v}, sort_keys=True))
    return sorted(rows)


@pytest.mark.parametrize("split", SPLITS)
def test_both_have_the_same_examples(local, cloud, split):
    found = examples_in(cloud.examples / f"Split-{split}")
    assert found == examples_in(local.examples / f"Split-{split}")
    assert found


@pytest.mark.parametrize("split", SPLITS)
def test_rows_that_were_sent_are_the_same_examples(local, uploaded, split):
    found = examples_in(uploaded.examples / f"Split-{split}")
    assert found == examples_in(local.examples / f"Split-{split}")


def test_both_have_the_same_vocabularies(local, cloud):
    assets = cloud.outputs["Transform.transform_graph"] / "transform_fn" / "assets"
    here = {file.name: file.read_text() for file in local.vocabularies.iterdir()}
    there = {file.name: file.read_text() for file in assets.iterdir()}
    assert here == there
    assert {"household_id", "product_id", "department", "category", "age"} <= here.keys()


def test_the_engine_reads_the_cloud_s_result_as_a_local_one(cloud):
    metrics = read_metrics(cloud.folder)
    assert metrics is not None
    assert metrics.model_type == "multitask"
    assert {"test_recall_at_100", "test_rmse"} <= metrics.final_metrics.keys()
    epochs = read_epochs(cloud.folder)
    assert [record.epoch for record in epochs] == [0, 1, 2]
    assert tuple(record.train_loss for record in epochs) == metrics.loss.train
    progress = Progress.model_validate_json((cloud.folder / PROGRESS).read_bytes())
    assert (progress.phase, progress.epoch, progress.epochs) == ("exporting", 3, 3)
    histograms = Histograms.model_validate_json((cloud.folder / HISTOGRAMS).read_bytes())
    assert set(histograms.towers) == {"query", "candidate", "rating"}
    assert pq.read_table(cloud.folder / TEST_ROWS).num_rows == metrics.rows.test


def test_statistics_and_schema_are_read_without_tensorflow(cloud):
    statistics = cloud.outputs["StatisticsGen.statistics"] / "Split-train" / "FeatureStats.pb"
    schema = cloud.outputs["SchemaGen.schema"] / "schema.pbtxt"
    found = read_statistics({"train": statistics.read_bytes()}, schema.read_bytes())
    metrics = read_metrics(cloud.folder)
    assert metrics is not None
    assert found.splits["train"].rows == metrics.rows.train


def test_both_measure_the_same_but_for_the_seed_s_noise(local, cloud):
    here, there = read_metrics(local.folder), read_metrics(cloud.folder)
    assert here is not None
    assert there is not None
    assert here.rows == there.rows
    assert here.candidates == there.candidates
    assert here.vocabularies == there.vocabularies
    assert here.seen_in_train_share == there.seen_in_train_share
    assert here.baseline.metrics == pytest.approx(there.baseline.metrics)
    assert here.interval.low <= there.interval.value <= here.interval.high
    rmse = [metrics.final_metrics["test_rmse"] for metrics in (here, there)]
    assert rmse[1] == pytest.approx(rmse[0], rel=0.05)
    assert there.loss.train == pytest.approx(here.loss.train, rel=0.05)


def test_the_machine_type_of_the_wizard_is_in_the_job_that_ran(cloud):
    executors = cloud.job["pipelineSpec"]["deploymentSpec"]["executors"]
    for task in ("ExampleGen", "StatisticsGen", "Transform"):
        args = executors[f"{task}_executor"]["container"]["args"]
        assert "--worker_machine_type=e2-standard-8" in args
        assert "--region=europe-west1" in args


def test_the_model_is_exported_where_the_job_says(cloud):
    model = cloud.outputs["Trainer.model"] / "Format-Serving"
    assert (model / "saved_model.pb").is_file()

"""Statistics and histograms through the engine: where they are, and where they aren't (yet)."""

import pytest

from engine.errors import InvalidInput, NotAllowed, NotFound
from engine.insights import InsightService
from engine.run_files import RunFiles
from engine.spec.run_folder import (
    HISTOGRAMS,
    SCHEMA_FILE,
    STATISTICS_FILES,
    Histogram,
    Histograms,
    TowerHistograms,
)
from engine.store import experiments
from tests.engine.sample_plans import REQUEST
from tests.engine.sample_statistics import SCHEMA, statistics_file
from tests.engine.scripted_backend import ended, failure

ONE = Histogram(edges=(-1, 0, 1), counts=((1, 2), (3, 4)))
HISTOGRAMS_OF_TWO = Histograms(
    epochs=(0, 1),
    towers={"query": TowerHistograms(weights=ONE, gradients=ONE, layers={"output": ONE})},
)


def _changed(before, after):
    return HISTOGRAMS_OF_TWO.model_dump_json().replace(before, after).encode()


@pytest.fixture
def insights(database, backend, tmp_path):
    files = RunFiles(database, {"local": backend}, tmp_path, wake=lambda: None)
    return InsightService(database, files)


@pytest.fixture
def experiment(service, scheduler, backend, database):
    """Make an experiment that is where a test wants it; return its number and uid."""

    def create(status=None):
        number = service.create_quick_test(REQUEST)
        with database.read() as session:
            uid = experiments.track(session, number).uid
        if status is not None:
            backend.poll_seconds = 0.0
            scheduler.tick()
            backend.put(uid, status)
            scheduler.tick()
        return number, uid

    return create


def test_statistics_are_those_of_the_splits_that_were_measured(insights, backend, experiment):
    number, uid = experiment()
    backend.files = {
        (uid, STATISTICS_FILES["train"]): statistics_file(),
        (uid, STATISTICS_FILES["test"]): statistics_file(),
        (uid, SCHEMA_FILE): SCHEMA,
    }
    found = insights.statistics(number)
    assert list(found.splits) == ["train", "test"]
    assert found.splits["train"].rows == 100
    assert [feature.name for feature in found.schema_features] == ["department", "price", "at"]
    del backend.files[uid, SCHEMA_FILE]
    assert insights.statistics(number).schema_features == ()


def test_histograms_are_those_of_the_run(insights, backend, experiment):
    number, uid = experiment()
    backend.files[uid, HISTOGRAMS] = HISTOGRAMS_OF_TWO.model_dump_json().encode()
    assert insights.histograms(number) == HISTOGRAMS_OF_TWO


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        (None, NotAllowed, "has no {} yet: they come when {} has ended."),
        (ended("completed"), NotFound, "has no {}: its files were removed"),
        (ended("failed", error=failure()), NotFound, "has no {}: it failed before {} ended."),
        (ended("cancelled"), NotFound, "has no {}: it was cancelled before {} ended."),
    ],
)
def test_an_experiment_without_them_says_why(insights, experiment, status, error, sentence):
    number, _ = experiment(status)
    for what, component in (("statistics", "Stats"), ("histograms", "Train")):
        with pytest.raises(error) as refused:
            getattr(insights, what)(number)
        expected = f"Experiment #{number} {sentence.format(what, component)}"
        assert refused.value.message.startswith(expected)
        assert "towerlab" in refused.value.hint


def test_an_experiment_that_is_not_there_is_told(insights):
    for read in (insights.statistics, insights.histograms):
        with pytest.raises(NotFound, match="There is no experiment #7"):
            read(7)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no valid JSON"),
        (b"{", "it is no valid JSON"),
        (b'{"epochs": [], "towers": {}}', "epochs is empty"),
        (b'{"epochs": [0], "towers": {"third": {}}}', "towers.third"),
        (_changed("[0,1]", "[0]"), "weights.counts has 2 rows for 1 epochs"),
        (_changed("[3,4]", "[3]"), r"weights.counts\[1\] has 1 values for 2 bins"),
        (_changed("[3,4]", "[3,-4]"), r"weights.counts\[1\]\[1\] is -4"),
        (_changed("[-1.0,0.0,1.0]", "[0,0,0]"), "weights.edges doesn't ascend"),
        (_changed("1.0]", "NaN]"), "input should be a finite number"),
    ],
)
def test_damaged_histograms_are_told_in_a_sentence(insights, backend, experiment, content, reason):
    number, uid = experiment()
    backend.files[uid, HISTOGRAMS] = content
    told = f"histograms of experiment #{number} can't be believed: in histograms.json, .*{reason}"
    with pytest.raises(InvalidInput, match=told):
        insights.histograms(number)

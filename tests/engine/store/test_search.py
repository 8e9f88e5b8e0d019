"""Lists: filters, words, numbers, pages."""

import pytest

from engine.store.search import ExperimentFilter, page
from tests.engine.sample_plans import REQUEST
from tests.engine.scripted_backend import ended


@pytest.fixture
def found(database):
    def numbers(limit=50, offset=0, **wanted):
        with database.read() as session:
            result = page(session, ExperimentFilter(**wanted), limit=limit, offset=offset)
        return [item.number for item in result.items], result.total

    return numbers


@pytest.fixture
def experiments(service):
    def create(*requests):
        return [service.create_quick_test(REQUEST.replace(**request)) for request in requests]

    return create


def test_newest_come_first_and_pages_count_all(experiments, found):
    first, second, third = experiments({}, {}, {})
    assert found() == ([third, second, first], 3)
    assert found(limit=1, offset=1) == ([second], 3)
    assert found(limit=5, offset=3) == ([], 3)


def test_words_are_found_in_name_description_and_tags(experiments, found):
    named, described, tagged = experiments(
        {"name": "Wider Towers"},
        {"description": "towers as wide as a house"},
        {"tags": ("baseline", "Größe")},
    )
    assert found(search="towers") == ([described, named], 2)
    assert found(search="WIDE towers") == ([described, named], 2)
    assert found(search="wider towers") == ([named], 1)
    assert found(search="base größe") == ([tagged], 1)
    assert found(search="house wider") == ([], 0)


def test_hash_and_digits_are_a_number(experiments, found):
    first, second = experiments({"name": "see #2"}, {"name": "other"})
    assert found(search="#2") == ([second], 1)
    assert found(search="#2 other") == ([second], 1)
    assert found(search="#99") == ([], 0)
    assert found(search=f"#{'9' * 40}") == ([], 0)
    assert found(search="#") == ([first], 1)


@pytest.mark.parametrize("word", ["100%", "a_b", "back\\slash", "it's", 'quo"te', "/", "[x]"])
def test_words_mean_themselves(experiments, found, word):
    (_, exact) = experiments({"name": "100 acb backslash its quote x"}, {"name": f"<{word}>"})
    assert found(search=word) == ([exact], 1)


def test_filters_join(experiments, found, service, backend, database):
    experiments({"feature_config": "rich"}, {"model_config_name": "deep"})
    (done,) = experiments({"feature_config": "rich", "model_config_name": "deep"})
    service.submit_quick_test(done)
    backend.put(backend.submissions[0].uid, ended("completed"))
    service.poll_experiment_status(done)
    assert found(feature_config="rich") == ([3, 1], 2)
    assert found(feature_config="rich", model_config="deep") == ([3], 1)
    assert found(status="completed") == ([3], 1)
    assert found(status="completed", search="#1") == ([], 0)
    assert found(dataset="ratings", model_type="retrieval")[1] == 3
    assert found(dataset="other") == ([], 0)

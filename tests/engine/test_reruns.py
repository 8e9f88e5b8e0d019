"""The changes that a rerun takes."""

import pytest

from engine.errors import InvalidInput
from engine.reruns import changed_request, in_words_of_rerun
from tests.engine.sample_plans import REQUEST


def test_no_change_is_an_exact_rerun():
    assert changed_request(REQUEST, {}) == REQUEST


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("learning_rate", "0.005", "learning_rate", 0.005),
        ("learning-rate", "5e-3", "learning_rate", 0.005),
        ("epochs", "5", "epochs", 5),
        ("sample", "25", "sample_percent", 25.0),
        ("sample_percent", " 25 ", "sample_percent", 25.0),
        ("Batch-Size", "512", "batch_size", 512),
        ("split", "time-holdout", "split", "time-holdout"),
        ("holdout-days", "7", "holdout_days", 7),
        ("tag", "a, b,", "tags", ("a", "b")),
        ("name", "Again", "name", "Again"),
        ("hardware", "large", "hardware", "large"),
    ],
)
def test_values_are_given_as_text(name, text, field, value):
    assert getattr(changed_request(REQUEST, {name: text}), field) == value


@pytest.mark.parametrize("text", ["", "none", "Default"])
def test_parameter_can_be_left_to_the_data_again(text):
    request = REQUEST.replace(batch_size=512)
    assert changed_request(request, {"batch_size": text}).batch_size is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"feature_config": "other"}, "cannot change 'feature_config'"),
        ({"model_config_name": "other"}, "cannot change"),
        ({"momentum": "0.9"}, "cannot change 'momentum'"),
        ({"epochs": "many"}, "epochs must be a whole number, not 'many'"),
        ({"learning_rate": "nan"}, "learning_rate must be a number, not 'nan'"),
        ({"split": "alphabetical"}, "split must be 'random', 'time-holdout' or 'strict-time'"),
    ],
)
def test_what_does_not_fit_is_one_sentence(changes, message):
    with pytest.raises(InvalidInput, match=message):
        changed_request(REQUEST, changes)


def test_the_names_that_can_be_changed_are_those_of_the_options():
    with pytest.raises(InvalidInput) as caught:
        changed_request(REQUEST, {"speed": "9"})
    names = caught.value.hint.removeprefix("It can change ").removesuffix(".").split(", ")
    assert {"sample", "tag", "learning_rate", "holdout_days"} <= set(names)
    assert "sample_percent" not in names


def test_another_split_leaves_the_days_of_the_former_behind():
    parent = REQUEST.replace(split="time-holdout", holdout_days=7)
    assert changed_request(parent, {"split": "random"}).holdout_days is None
    assert changed_request(parent, {"split": "time-holdout"}).holdout_days == 7
    changed = changed_request(parent, {"test-days": "2", "split": "strict-time"})
    assert (changed.holdout_days, changed.test_days) == (None, 2)


@pytest.mark.parametrize(
    ("hint", "reworded"),
    [
        ("Add --holdout-days N.", "Add --set holdout_days=N."),
        ("Add --train-days N --val-days N.", "Add --set train_days=N --set val_days=N."),
        ("Add --split time-holdout.", "Add --set split=time-holdout."),
        ("Send its rows: --upload-rows.", "Send its rows: --set upload_rows=true."),
        ("Choose another split.", "Choose another split."),
    ],
)
def test_hints_name_what_a_rerun_takes(hint, reworded):
    error = in_words_of_rerun(InvalidInput("It needs more.", hint=hint))
    assert (error.message, error.hint) == ("It needs more.", reworded)

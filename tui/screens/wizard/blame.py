"""Which field of the wizard a sentence of the engine is about, so that it can stand beside it."""

import re
from collections.abc import Iterable
from typing import Final

from engine.errors import EngineError
from engine.planning import Plan
from tui.screens.wizard.draft import Checked

_LISTS: Final = ("feature_config", "model_config_name")
"""Fields with nothing beneath them: what is said of them stands at the right."""
_UPLOADING: Final = ("send the rows: --upload-rows", "send the sample")
"""A hint in words of the command line, and in those of the form."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_RULES: Final[tuple[tuple[str, str], ...]] = (
    (r":\d+: (features|datasets)\b", "feature_config"),
    (r":\d+: models\b", "model_config_name"),
    (r"^(There is no|The) (feature config|dataset)\b", "feature_config"),
    (r"^(There is no|The) model config \x00", "model_config_name"),
    (r"^Feature config\b", "feature_config"),
    (r"^Model config\b", "model_config_name"),
    (r"\bearly stopping\b", "patience"),
    (r"\bno BigQuery source\b", "upload_rows"),
    (r"\bVertex\b|^Backend\b|^\[cloud\]", "backend"),
    (r"^The last valid version\b", "feature_config"),
    (r"\bholdout days\b", "holdout_days"),
    (r"\btrain days\b", "train_days"),
    (r"\bval days\b", "val_days"),
    (r"\btest days\b", "test_days"),
    (r"\bbatch\b", "batch_size"),
    (r"\blearning rate\b", "learning_rate"),
    (r"\bepochs\b", "epochs"),
    (r"\bseed\b", "seed"),
    (r"\bsample\b|^only [\d,]+ test rows", "sample_percent"),
    (r"\bsplit\b|\bbuyers who are not in train\b|\bleak", "split"),
)


def field_of(sentence: str) -> str | None:
    """Return the field that an error or a warning is about, or None.

    Names in quotes don't count: a dataset may be called "sample".
    """
    plain = _QUOTED.sub("\0", sentence)
    return next((field for rule, field in _RULES if re.search(rule, plain, re.IGNORECASE)), None)


def stands_beside(sentence: str) -> bool:
    """Return whether a sentence stands beneath the field that it is about."""
    field = field_of(sentence)
    return field is not None and field not in _LISTS


def warnings_of(checked: Checked, answer: Plan | EngineError | None) -> dict[str, str]:
    """Return by field what is unusual about it."""
    warnings = dict(checked.warnings)
    for warning in answer.warnings if isinstance(answer, Plan) else ():
        if name := field_of(warning):
            warnings[name] = f"{warnings[name]} {warning}" if name in warnings else warning
    return warnings


def problems_of(checked: Checked, errors: Iterable[object], *, also_open: bool) -> dict[str, str]:
    """Return by field what is wrong with it.

    Args:
        checked: what is filled in.
        errors: what the engine said, if those are errors.
        also_open: whether a field that isn't filled in yet counts.
    """
    problems = {
        name: problem
        for name, problem in checked.problems.items()
        if also_open or name not in checked.open
    }
    for error in errors:
        if isinstance(error, EngineError) and (name := field_of(error.message)):
            problems.setdefault(name, str(error).replace(*_UPLOADING))
    return problems

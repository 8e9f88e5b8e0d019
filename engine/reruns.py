"""The changes that a rerun takes, by the names that the command line uses."""

import re
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engine.errors import InvalidInput
from engine.planning import QuickTestRequest

_FIXED = frozenset({"dataset", "feature_config", "model_config_name"})
"""A rerun keeps the definitions of its parent."""

_DAYS = frozenset({"holdout_days", "train_days", "val_days", "test_days"})
"""What only some splits take."""

_RENAMED: Mapping[str, str] = {"sample_percent": "sample", "tags": "tag"}
"""Fields whose option has another name."""

_FIELDS: Mapping[str, str] = {
    _RENAMED.get(name, name): name for name in QuickTestRequest.model_fields if name not in _FIXED
}
"""Names of `run`'s options, with underscores, to the request's fields."""

_OPTION = re.compile(rf"--({'|'.join(name.replace('_', '-') for name in _FIELDS)}) ([\w-]+)")

_FLAG = re.compile(
    r"--("
    + "|".join(
        n.replace("_", "-")
        for n, f in QuickTestRequest.model_fields.items()
        if f.annotation is bool
    )
    + r")\b"
)

_UNSET = frozenset({"", "none", "default"})
"""Values that leave a parameter to the model config or the data."""


def changed_request(request: QuickTestRequest, changes: Mapping[str, str]) -> QuickTestRequest:
    """Return a request with some fields changed.

    Args:
        request: what the parent was asked for.
        changes: values as text by the names of `run`'s options, `-` and `_` alike; tags are
            separated by commas; an empty value, "none" or "default" leaves the field to the model
            config or the data. Another split leaves the days of the parent's behind.

    Raises:
        InvalidInput: an unknown name or a value that does not fit.
    """
    given = {_field(name): text.strip() for name, text in changes.items()}
    values = request.model_dump()
    if "split" in given and given["split"] != request.split:
        values |= dict.fromkeys(_DAYS)
    values |= {name: _value(name, text) for name, text in given.items()}
    try:
        return QuickTestRequest.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        option = _RENAMED.get(name, name)
        raise InvalidInput(f"{option} must be {_wanted(first)}, not {values[name]!r}.") from error


def in_words_of_rerun(error: InvalidInput) -> InvalidInput:
    """Return an error whose hint names changes, `--set KEY=VALUE`, instead of options of `run`."""
    hint = _FLAG.sub(lambda m: f"--set {m[1].replace('-', '_')}=true", error.hint)
    hint = _OPTION.sub(lambda m: f"--set {m[1].replace('-', '_')}={m[2]}", hint)
    return InvalidInput(error.message, hint=hint)


def _field(name: str) -> str:
    option = name.strip().lower().replace("-", "_")
    field = _FIELDS.get(_RENAMED.get(option, option))
    if field is None:
        raise InvalidInput(
            f"A rerun cannot change {name!r}.", hint=f"It can change {', '.join(sorted(_FIELDS))}."
        )
    return field


def _wanted(problem: ErrorDetails) -> str:
    """Return what a value that pydantic refused must be."""
    kind = problem["type"]
    if kind.startswith("int_"):
        return "a whole number"
    if kind.startswith(("float_", "finite_number")):
        return "a number"
    if kind == "literal_error":
        return str(problem.get("ctx", {}).get("expected", "another value"))
    return f"another value ({problem['msg']})"


def _value(name: str, text: str) -> object:
    if name == "tags":
        return tuple(tag.strip() for tag in text.split(",") if tag.strip())
    if text.lower() in _UNSET:
        return QuickTestRequest.model_fields[name].default
    return text

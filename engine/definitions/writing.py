"""Definitions as TOML text, in the style of `docs/definitions.md`; reads back to an equal value.

Values and keys are rendered by tomlkit; the layout is ours, since tomlkit spreads what a table
of one line says better (`on = { product_id = "product_id" }`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import tomlkit

from engine.definitions.models import (
    DatasetDefinition,
    Definition,
    FeatureConfigDefinition,
    ModelConfigDefinition,
)

_ON_ONE_LINE = {"buyer_tower", "product_tower", "buyer_crosses", "product_crosses", "target"}
"""Tables and lists of tables that stay inside their own table."""


def dataset_toml(definition: DatasetDefinition) -> str:
    """Return the `[datasets.NAME]` table and those below it."""
    return _text("datasets", definition)


def feature_config_toml(definition: FeatureConfigDefinition) -> str:
    """Return the `[features.NAME]` table and those below it."""
    return _text("features", definition)


def model_config_toml(definition: ModelConfigDefinition) -> str:
    """Return the `[models.NAME]` table and those below it."""
    return _text("models", definition)


def definition_toml(definition: Definition) -> str:
    """Return the table of a definition of any kind."""
    match definition:
        case DatasetDefinition():
            return dataset_toml(definition)
        case FeatureConfigDefinition():
            return feature_config_toml(definition)
        case ModelConfigDefinition():
            return model_config_toml(definition)
        case _:
            raise TypeError(f"{type(definition).__name__} has no table")


def _text(kind: str, definition: Definition) -> str:
    written = {k: v for k, v in definition.as_written().items() if k != "name"}
    header = f"{kind}.{_key(definition.name)}"
    below = {k: v for k, v in written.items() if _has_own_header(k, v)}
    blocks = [[f"[{header}]", *_lines({k: v for k, v in written.items() if k not in below})]]
    for key, value in below.items():
        path = f"{header}.{_key(key)}"
        if isinstance(value, Mapping):
            blocks.append([f"[{path}]", *_lines(cast("Mapping[str, object]", value))])
        else:
            tables = cast("Sequence[Mapping[str, object]]", value)
            blocks += [[f"[[{path}]]", *_lines(table)] for table in tables]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _has_own_header(key: str, value: object) -> bool:
    if key in _ON_ONE_LINE:
        return False
    is_tables = isinstance(value, list) and any(isinstance(v, Mapping) for v in value)
    return is_tables or isinstance(value, Mapping)


def _lines(table: Mapping[str, object]) -> Iterator[str]:
    for key, value in table.items():
        if value is not None:
            yield f"{_key(key)} = {_value(value)}"


def _key(name: str) -> str:
    return tomlkit.key(name).as_string()


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = ", ".join(_lines(cast("Mapping[str, object]", value)))
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_value(v) for v in cast('list[object]', value))}]"
    return tomlkit.item(value).as_string()

"""Commands on definition files: `datasets|features|models list|show|validate`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from engine.cli.datasets import add_data_commands
from engine.cli.group import Invocation, shared_options
from engine.errors import InvalidInput

if TYPE_CHECKING:
    from engine.definitions import Definition, Definitions, Kind, Problem

_NOUNS: dict["Kind", tuple[str, str]] = {
    "datasets": ("dataset", "datasets"),
    "features": ("feature config", "feature configs"),
    "models": ("model config", "model configs"),
}


def definition_commands(kind: "Kind") -> click.Group:
    """Return the commands on one kind of definition."""
    one, many = _NOUNS[kind]

    @click.group(kind, help=f"List, show and check {many}.")
    @shared_options
    def group() -> None:
        """Hold the commands."""

    @group.command("list", help=f"List the {many}.")
    @shared_options
    @click.pass_obj
    def list_(invocation: Invocation) -> None:
        _print_list(invocation, kind, _definitions(invocation))

    @group.command("show", help=f"Print one {one} as TOML.")
    @click.argument("name")
    @shared_options
    @click.pass_obj
    def show(invocation: Invocation, name: str) -> None:
        _print_one(invocation, kind, name, _definitions(invocation))

    @group.command(
        "validate", help=f"Check the {many}, or one of them; exit code 2 if one is wrong."
    )
    @click.argument("name", required=False)
    @shared_options
    @click.pass_obj
    def validate(invocation: Invocation, name: str | None) -> int:
        return _validate(invocation, kind, name, _definitions(invocation))

    del list_, show, validate  # the group holds them
    if kind == "datasets":
        add_data_commands(group)
    return group


def _definitions(invocation: Invocation) -> "Definitions":
    with invocation.engine() as engine:
        return engine.definitions()


def _find(found: "Definitions", kind: "Kind", name: str) -> "Definition":
    if kind == "datasets":
        return found.dataset(name)
    return found.feature_config(name) if kind == "features" else found.model_config(name)


def _print_list(invocation: Invocation, kind: "Kind", found: "Definitions") -> None:
    from engine.cli.output import clipped, foreign, print_json, table

    definitions = found.of_kind(kind)
    problems = found.problems_in(kind)
    if invocation.as_json:
        print_json(
            {
                kind: [_as_json(found, kind, d) for d in definitions.values()],
                "problems": [p.model_dump(mode="json") for p in problems],
            }
        )
        return
    described = any(d.description for d in definitions.values())
    headings = ("Name", "", "Description", "File") if described else ("Name", "", "File")
    made = table(headings, shrink=("Description", "File"))
    for definition in definitions.values():
        made.add_row(
            foreign(definition.name),
            foreign(_in_short(definition)),
            *([clipped(definition.description)] if described else []),
            clipped(str(found.places.get((kind, definition.name), ""))),
        )
    if definitions:
        invocation.out.print(made)
    elif not problems:
        invocation.err.print(
            f"There are no {_NOUNS[kind][1]} yet; `towerlab init FILE` writes some."
        )
    _print_problems(invocation, problems)


def _print_one(invocation: Invocation, kind: "Kind", name: str, found: "Definitions") -> None:
    from engine.cli.output import print_json
    from engine.definitions.writing import definition_toml
    from engine.text import safe_block

    definition = _find(found, kind, name)
    problems = found.problems_of(kind, name)
    if invocation.as_json:
        print_json(
            {
                **_as_json(found, kind, definition),
                "problems": [p.model_dump(mode="json") for p in problems],
            }
        )
        return
    if place := found.places.get((kind, name)):
        click.echo(safe_block(f"# {place}"))
    click.echo(safe_block(definition_toml(definition)), nl=False)
    _print_problems(invocation, problems)


def _validate(invocation: Invocation, kind: "Kind", name: str | None, found: "Definitions") -> int:
    from engine.cli.output import print_json

    problems, warnings = _checked(invocation, kind, name, found)
    if invocation.as_json:
        print_json(
            {
                "valid": not problems,
                "problems": [p.model_dump(mode="json") for p in problems],
                "warnings": warnings,
            }
        )
        return InvalidInput.exit_code if problems else 0
    _print_problems(invocation, problems)
    _print_warnings(invocation, warnings)
    if not problems:
        count = len(found.of_kind(kind))
        one, many = _NOUNS[kind]
        valid = f"{name} is" if name else f"{count} {one if count == 1 else many}, all"
        invocation.out.print(f"{valid} valid.")
    return InvalidInput.exit_code if problems else 0


def _checked(
    invocation: Invocation, kind: "Kind", name: str | None, found: "Definitions"
) -> "tuple[Sequence[Problem], Sequence[str]]":
    """Return what is wrong in the files and, of definitions without a mistake, with the data.

    Beside it stand warnings: what works and may not be meant.
    """
    from engine.validation import check_against_data

    if name is None:
        problems = found.problems_in(kind)
    else:
        problems = found.problems_of(kind, name)
        if not problems:
            _find(found, kind, name)
    names = found.of_kind(kind) if name is None else [name]
    sound = [n for n in names if not found.problems_of(kind, n)]
    with invocation.engine() as engine:
        root = engine.workspace.root
    check = check_against_data(kind, sound, found, root=root)
    return [*problems, *check.problems], check.warnings


def _print_problems(invocation: Invocation, problems: "Sequence[Problem]") -> None:
    from rich.text import Text

    from engine.cli.output import foreign, status_icon

    for problem in problems:
        icon = status_icon("failed", to=invocation.err)
        invocation.err.print(Text.assemble(icon, " ", foreign(str(problem), limit=1_000)))


def _print_warnings(invocation: Invocation, warnings: Sequence[str]) -> None:
    from engine.cli.output import foreign

    for warning in warnings:
        invocation.err.print(foreign(f"Warning: {warning}", "yellow", limit=1_000))


def _as_json(found: "Definitions", kind: "Kind", definition: "Definition") -> dict[str, object]:
    place = found.places.get((kind, definition.name))
    return {
        "name": definition.name,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "hash": definition.hash,
        "definition": definition.as_written(),
    }


def _in_short(definition: "Definition") -> str:
    from engine.definitions import (
        DatasetDefinition,
        FeatureConfigDefinition,
        ModelConfigDefinition,
    )

    match definition:
        case DatasetDefinition():
            return " + ".join([definition.primary, *(join.table for join in definition.joins)])
        case FeatureConfigDefinition():
            column = definition.target_column
            target = f", target {column}" if column else ""
            counts = f"{len(definition.buyer)} + {len(definition.product)} features"
            return f"{definition.dataset}: {counts}{target}"
        case ModelConfigDefinition():
            model = definition.resolve()
            buyer, product = (
                tower.structure(model.output_dim)
                for tower in (model.buyer_tower, model.product_tower)
            )
            return f"{model.type}: {buyer}" + ("" if buyer == product else f" | {product}")
        case _:
            return ""

"""`cloudbuild.yaml` is a build that Google takes, and its arguments are the compile step's."""

import json
from pathlib import Path

import pytest
import yaml
from google.cloud.devtools.cloudbuild_v1 import Build

from engine.spec.cloud import (
    CloudTarget,
    build_substitutions,
    compile_arguments,
    compile_options,
)
from tests.pipelines.compiled import TARGET, bigquery_spec

TEMPLATE = Path(__file__).parents[2] / "engine" / "backends" / "vertex" / "cloudbuild.yaml"


def filled_in(build: Build, values: dict[str, str]) -> list[str]:
    """Return the step's arguments as Cloud Build substitutes them: longest names first."""
    arguments = []
    for argument in build.steps[0].args:
        for name in sorted(values, key=len, reverse=True):
            argument = argument.replace(f"${name}", values[name])
        arguments.append(argument)
    return arguments


@pytest.fixture(scope="module")
def build() -> Build:
    written = yaml.safe_load(TEMPLATE.read_text("utf-8"))
    return Build.from_json(json.dumps(written))


@pytest.fixture
def options() -> dict[str, str]:
    return compile_options(TARGET, bigquery_spec(), TARGET.spec_uri("0123456789ab"))


def test_the_build_runs_the_compile_step_without_a_shell(build):
    (step,) = build.steps
    assert step.name == "$_IMAGE"
    assert step.entrypoint == "python"
    assert list(step.args[:2]) == ["-m", "pipelines.compile"]
    assert not step.script


def test_every_substitution_is_used_and_every_use_is_substituted(build, options):
    used = {word.partition("$")[2] for word in [*build.steps[0].args, build.steps[0].name]}
    assert used - {""} == set(build_substitutions(options))


def test_the_build_and_a_child_process_get_the_same_arguments(build, options):
    found = filled_in(build, build_substitutions(options))
    assert found[2:-2] == compile_arguments(options)
    assert found[-2:] == ["--output=/workspace/job.json", "--submit"]


def test_the_machine_type_and_the_region_are_the_build_s_arguments(build, options):
    found = filled_in(build, build_substitutions(options))
    assert "--machine-type=e2-standard-8" in found
    assert "--dataflow-region=europe-west1" in found
    assert "--spec=gs://bucket/towerlab/runs/0123456789ab/spec.json" in found


def test_the_compile_step_understands_the_build_s_arguments(build, options):
    from pipelines.compile import parse, target_of

    found = filled_in(build, build_substitutions(options))[2:]
    assert target_of(parse(found)) == TARGET
    bare = CloudTarget(
        project="p", region="r", dataflow_region="d", root="gs://b", temp_root="gs://t", image="i"
    )
    empty = compile_options(bare, bigquery_spec(), "gs://b/spec.json")
    assert target_of(parse([*compile_arguments(empty), "--output=job.json"])) == bare


def test_text_is_passed_on_as_it_is(build):
    target = TARGET.replace(image="image; rm -rf / $(id) `id` \"'", labels={})
    options = compile_options(target, bigquery_spec(), "gs://b/a b.json")
    found = filled_in(build, build_substitutions(options))
    assert "--image=image; rm -rf / $(id) `id` \"'" in found
    assert "--spec=gs://b/a b.json" in found

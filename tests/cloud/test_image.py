"""The Dockerfile, as far as it can be checked without a container engine."""

import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^ ]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, lines joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    pairs = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [(name, arguments.strip()) for name, _, arguments in pairs]


def arguments_of(instructions, name: str) -> list[list[str]]:
    return [shlex.split(arguments) for found, arguments in instructions if found == name]


def pinned(file: str) -> dict[str, str]:
    text = (ROOT / "requirements" / file).read_text("utf-8")
    return {pin["name"]: pin["version"] for pin in _PIN.finditer(text)}


def test_beam_s_launcher_is_of_the_pinned_version(instructions):
    (version,) = arguments_of(instructions, "ARG")
    assert version == [f"BEAM_VERSION={pinned('local.txt')['apache-beam']}"]
    assert ("FROM", "apache/beam_python3.11_sdk:${BEAM_VERSION} AS beam") in instructions
    assert ["--from=beam", "/opt/apache/beam", "/opt/apache/beam"] in arguments_of(
        instructions, "COPY"
    )
    assert ("ENTRYPOINT", '["/opt/apache/beam/boot"]') in instructions


def test_the_image_is_a_slim_python_of_our_version(instructions):
    images = [arguments[0] for arguments in arguments_of(instructions, "FROM")]
    assert images[-1] == "python:3.11-slim-bookworm"
    assert images[1] == "python:3.11-bookworm"
    assert 'requires-python = ">=3.11,<3.12"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_packages_are_the_hashed_ones_that_local_runs_use(instructions):
    (installing,) = [run for run in arguments_of(instructions, "RUN") if "uv" in run]
    assert installing.count("--require-hashes") == 2
    assert {"/requirements/uv.txt", "/requirements/local.txt"} <= set(installing)
    local, dev = pinned("local.txt"), pinned("dev.txt")
    assert local.items() <= dev.items()
    for file in ("uv.txt", "local.txt"):
        text = (ROOT / "requirements" / file).read_text("utf-8")
        assert text.count("==") == len(pinned(file)) > 0
        assert text.count("--hash=sha256:") >= len(pinned(file))


def sources(instructions) -> list[str]:
    copies = arguments_of(instructions, "COPY")
    return [path for copy in copies if not copy[0].startswith("--from") for path in copy[:-1]]


def test_all_that_is_copied_is_there_and_not_ignored(instructions):
    allowed = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for source in sources(instructions):
        assert (ROOT / source).exists(), source
        assert f"!{source}" in allowed
    assert {line[1:] for line in allowed if line.startswith("!")} == set(sources(instructions))
    assert "*" in allowed


def test_what_is_copied_from_a_stage_is_made_there(instructions):
    stages = {a[-1] for a in arguments_of(instructions, "FROM") if "AS" in a}
    for copy in arguments_of(instructions, "COPY"):
        if copy[0].startswith("--from="):
            assert copy[0].removeprefix("--from=") in stages
    assert any("/opt/towerlab" in run for run in arguments_of(instructions, "RUN"))


def test_the_package_in_the_image_imports_nothing_that_is_not_copied(instructions):
    """`pipelines` needs `engine.spec`; that it needs no more is import-linter's contract."""
    copied = {PurePosixPath(source).name for source in sources(instructions)}
    assert {"engine", "pipelines"} <= copied
    (environment,) = [e for e in arguments_of(instructions, "ENV") if "PYTHONPATH" in str(e)]
    assert "PYTHONPATH=/opt/source" in environment


def test_the_wheel_has_every_file(tmp_path):
    """The compile step's, the Trainer's, the migrations' and the templates of `init`, too."""
    build = ("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    subprocess.run([sys.executable, *build], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        there = set(archive.namelist())
    for package in ("engine", "pipelines", "tui"):
        for file in (ROOT / package).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert file.relative_to(ROOT).as_posix() in there, file

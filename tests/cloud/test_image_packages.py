"""The image's packages and sources without a container engine: in an environment of their own.

It holds the files of the packages that the image installs, and no others, and the sources from a
wheel. What is missing from the requirements is missing here, too.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.cloud.test_image import ROOT, pinned
from tests.pipelines.compiled import TARGET, bigquery_spec

_UNREACHABLE = re.compile(
    r"error sending request|failed to fetch|dns error|connection|timed out|network"
    r"|could not find a version",
    re.IGNORECASE,
)
_DEBIAN = {
    *("libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libutil.so.1"),
    *("ld-linux-x86-64.so.2", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"),
}
"""What python:3.11-slim-bookworm has of libraries that packages are linked with."""


class Image:
    """An environment like the image's.

    Attributes:
        source: what is /opt/source there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.source = folder / "source"
        venv.create(folder / "env", symlinks=True)
        self.packages = next((folder / "env").glob("lib/python*/site-packages"))

    def run(self, *arguments: str) -> str:
        """Run the image's Python; return what it writes."""
        done = subprocess.run(
            [self._folder / "env" / "bin" / "python", *arguments],
            cwd=self._folder,
            env={"PYTHONPATH": str(self.source), "TF_USE_LEGACY_KERAS": "1", "HOME": "/nowhere"},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    image = Image(tmp_path_factory.mktemp("image"))
    for name in pinned("local.txt"):
        for file in distribution(name).files or ():
            if ".." not in file.parts:
                _link(Path(str(file.locate())), image.packages / file)
    wheels = tmp_path_factory.mktemp("wheels")
    build = ("-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels))
    subprocess.run([sys.executable, *build], cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as archive:
        archive.extractall(image.source)
    shutil.rmtree(image.source / "tui")  # the image has none
    return image


def _link(file: Path, at: Path) -> None:
    """Link a file, and what it was compiled to."""
    cached = [file.parent / "__pycache__" / f"{file.stem}.{sys.implementation.cache_tag}.pyc"]
    for path, link in ((file, at), *((c, at.parent / "__pycache__" / c.name) for c in cached)):
        if path.is_file() and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(path, link)


def test_the_sources_are_the_wheel_s_and_the_compile_step_starts(image: Image):
    told = image.run("-m", "pipelines.compile", "--help")
    assert "--dataflow-region" in told
    where = image.run("-c", "import engine, pipelines; print(engine.__path__, pipelines.__path__)")
    assert where.count(str(image.source)) == 2
    spec = image.run("-c", "import importlib.util as u; print(u.find_spec('pytest'))")
    assert spec.strip() == "None"


def test_a_database_is_set_up_by_the_wheel_s_migrations(image: Image, tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'towerlab.db'}"
    code = (
        "from engine.store import experiments, open_database\n"
        f"with open_database({url!r}).read() as session:\n"
        "    print(experiments.tracked(session))"
    )
    assert image.run("-c", code).strip() == "[]"


def test_packages_are_linked_with_nothing_that_the_slim_image_lacks(image: Image):
    readelf = shutil.which("readelf") or pytest.skip(
        "readelf is missing, which lists what is needed"
    )
    needed: dict[str, str] = {}
    there: set[str] = set()
    for library in image.packages.rglob("*.so*"):
        told = subprocess.run(
            [readelf, "-d", library.resolve()], check=False, capture_output=True, text=True
        )
        there.add(library.name)
        needed |= {name: library.name for name in re.findall(r"\(NEEDED\).*\[(.+)\]", told.stdout)}
    assert len(there) > 100
    lacking = {name: by for name, by in needed.items() if name not in there | _DEBIAN}
    assert lacking == {}


@pytest.mark.pipeline
def test_an_experiment_is_compiled_there(image: Image, tmp_path: Path):
    from engine.spec.cloud import compile_arguments, compile_options

    spec = tmp_path / "spec.json"
    spec.write_text(bigquery_spec().model_dump_json())
    options = compile_options(TARGET, bigquery_spec(), str(spec))
    output = tmp_path / "job.json"
    image.run("-m", "pipelines.compile", *compile_arguments(options), f"--output={output}")
    executors = json.loads(output.read_text())["pipelineSpec"]["deploymentSpec"]["executors"]
    assert {e["container"]["image"] for e in executors.values() if "container" in e} == {
        TARGET.image
    }


@pytest.mark.pipeline
def test_whatever_a_task_runs_can_be_imported_there(image: Image):
    """All of our modules, TFX's entry point of a task, and the worker that Beam's launcher runs."""
    code = (
        "import importlib, pkgutil, pipelines\n"
        "names = [m.name for m in pkgutil.walk_packages(pipelines.__path__, 'pipelines.')]\n"
        "names += ['tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor',\n"
        "          'tfx.orchestration.kubeflow.v2.file_based_example_gen.driver',\n"
        "          'tfx.extensions.google_cloud_big_query.example_gen.executor',\n"
        "          'apache_beam.runners.worker.sdk_worker_main', 'dill']\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
        "print(len(names))"
    )
    assert int(image.run("-c", code).split()[-1]) > 40


@pytest.fixture
def uv() -> str:
    found = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    if not Path(found).exists():
        pytest.skip("uv is missing, which installs the image's packages")
    return found


def dry_run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    told = done.stdout + done.stderr
    if done.returncode and _UNREACHABLE.search(told) and "hash" not in told.lower():
        pytest.skip(f"no index of packages can be reached: {told.strip()[-200:]}")
    assert done.returncode == 0, told
    return told


@pytest.mark.slow
def test_the_requirements_can_be_installed(uv: str, tmp_path: Path):
    """As the Dockerfile does, for Python 3.11 on Debian 12; nothing is installed."""
    environment = tmp_path / "env"
    dry_run(uv, "venv", "-q", "--python", sys.executable, str(environment))
    told = dry_run(
        *(uv, "pip", "sync", "--dry-run", "--require-hashes"),
        *("--python", str(environment / "bin" / "python")),
        *("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_36"),
        str(ROOT / "requirements" / "local.txt"),
    )
    assert set(re.findall(r"^ \+ ([\w.-]+)==", told, re.MULTILINE)) == set(pinned("local.txt"))


@pytest.mark.slow
@pytest.mark.parametrize("file", ["local.txt", "uv.txt"])
def test_the_hashes_are_those_of_the_index(uv: str, tmp_path: Path, file: str):
    pins = tmp_path / "pins.in"
    pins.write_text("\n".join(f"{name}=={version}" for name, version in pinned(file).items()))
    locked = dry_run(
        *(uv, "pip", "compile", "-q", "--no-deps", "--generate-hashes", "--no-annotate"),
        *("--no-header", "--python-version", "3.11", str(pins)),
    )
    there, ours = hashes(locked), hashes((ROOT / "requirements" / file).read_text("utf-8"))
    assert ours.keys() == there.keys() == pinned(file).keys()
    assert {name for name, found in ours.items() if not found or not found <= there[name]} == set()


def hashes(requirements: str) -> dict[str, set[str]]:
    """Return the hashes of each package."""
    parts = re.split(r"^(?=[\w.-]+==)", requirements, flags=re.MULTILINE)[1:]
    return {
        part.partition("==")[0]: set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", part))
        for part in parts
    }


@pytest.mark.slow
def test_uv_itself_can_be_installed_with_its_hash(tmp_path: Path):
    venv.create(tmp_path / "env", with_pip=True)
    told = dry_run(
        *(str(tmp_path / "env" / "bin" / "python"), "-m", "pip", "install", "--dry-run"),
        *("--disable-pip-version-check", "--require-hashes"),
        *("--requirement", str(ROOT / "requirements" / "uv.txt")),
    )
    assert f"Would install uv-{pinned('uv.txt')['uv']}" in told

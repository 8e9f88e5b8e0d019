"""What goes to whoever builds the image: all sources, and nothing that lies about in a checkout."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_LYING = (
    *(".env", "key.json", "config.toml", "definitions/shop.toml", ".towerlab/towerlab.db"),
    *("engine/.env", "pipelines/.netrc", "requirements/.env", ".git/config", "data/rows.csv"),
    *("engine/__pycache__/x.cpython-311.pyc", ".venv/bin/python", "tests/cloud/key.pem"),
)
"""Files as they are found in checkouts."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What is committed, with what somebody left lying about."""
    for name in tracked():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    for name in LEFT_LYING:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("secret")
    return tmp_path


def tracked() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is no checkout of git")
    return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def copied() -> set[str]:
    """What the image is made of."""
    folders = ("engine/", "pipelines/")
    files = ("requirements/uv.txt", "requirements/local.txt")
    return {name for name in tracked() if name.startswith(folders) or name in files}


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def sent_by_docker(folder: Path) -> set[str]:
    """Return what `.dockerignore` leaves: of what matches a path or a parent, the last counts."""
    lines = (folder / ".dockerignore").read_text("utf-8").splitlines()
    rules = [(line.lstrip("!"), line.startswith("!")) for line in lines if line[:1] not in "#"]
    patterns = [(re.compile(_pattern(text)), sent) for text, sent in rules]

    def is_sent(name: str) -> bool:
        parts = name.split("/")
        paths = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        verdicts = [sent for rule, sent in patterns if any(rule.fullmatch(path) for path in paths)]
        return not verdicts or verdicts[-1]

    return {name for name in files(folder) if is_sent(name)}


def _pattern(text: str) -> str:
    """Return a pattern of Docker's as a regular expression: `**/` is any number of folders."""
    parts = re.split(r"(\*\*/|\*)", text)
    known = {"**/": "(?:.*/)?", "*": "[^/]*"}
    return "".join(known.get(part, re.escape(part)) for part in parts)


def test_docker_gets_what_the_image_is_made_of_and_nothing_else(checkout: Path):
    assert sent_by_docker(checkout) == copied()


def test_cloud_build_gets_that_too(checkout: Path, tmp_path_factory: pytest.TempPathFactory):
    # gcloud reads its file as git reads this one.
    shutil.copyfile(checkout / ".gcloudignore", checkout / ".gitignore")
    repository = str(tmp_path_factory.mktemp("repository"))
    subprocess.run(["git", "init", "-q", "--bare", repository], check=True)
    names = sorted(name for name in files(checkout) if not name.startswith(".git/"))
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=checkout,
        env={"GIT_DIR": repository, "GIT_WORK_TREE": str(checkout)},
        input="\n".join(names),
        check=True,
        capture_output=True,
        text=True,
    )
    sent = set(names) - set(ignored.stdout.splitlines())
    assert sent == copied() | {".dockerignore", "Dockerfile"}

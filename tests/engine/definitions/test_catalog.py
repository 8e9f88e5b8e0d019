import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

from engine.definitions.catalog import DefinitionCatalog
from engine.definitions.snapshot import Definitions
from tests.engine.definitions.definition_files import STANDARD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "definitions"
    made.mkdir()
    (made / "models.toml").write_text(STANDARD, encoding="utf-8")
    return made


@pytest.fixture
def changes(folder: Path) -> Iterator[Queue[Definitions]]:
    """What a watcher of the folder reports."""
    stop, seen = threading.Event(), Queue[Definitions]()
    catalog = DefinitionCatalog(folder)
    assert list(catalog.current.models) == ["standard"]
    thread = threading.Thread(target=catalog.watch, args=(stop, seen.put))
    thread.start()
    assert list(seen.get(timeout=5).models) == ["standard"]
    yield seen
    stop.set()
    thread.join(timeout=5)
    assert not thread.is_alive()


def save(folder: Path, text: str, name: str = "models.toml") -> float:
    (folder / name).write_text(text, encoding="utf-8")
    return time.monotonic()


def test_the_catalog_keeps_the_last_good_version(folder: Path):
    catalog = DefinitionCatalog(folder)
    good = catalog.current
    save(folder, "[")
    found = catalog.refresh()
    assert found.models == good.models
    assert catalog.current is found
    assert len(found.problems) == 1


def test_a_change_before_the_watch_begins_is_told(folder: Path):
    catalog, stop, seen = DefinitionCatalog(folder), threading.Event(), Queue[Definitions]()
    assert list(catalog.current.models) == ["standard"]
    save(folder, STANDARD.replace("standard", "deep"))
    catalog.refresh()  # somebody else has seen it, the watcher's reader has not
    thread = threading.Thread(target=catalog.watch, args=(stop, seen.put))
    thread.start()
    assert list(seen.get(timeout=5).models) == ["deep"]
    stop.set()
    thread.join(timeout=5)


def test_a_saved_file_is_live_within_a_second(folder: Path, changes: Queue[Definitions]):
    saved = save(folder, STANDARD.replace("standard", "deep"))
    found = changes.get(timeout=5)
    assert list(found.models) == ["deep"]
    assert time.monotonic() - saved < 1.5


def test_an_invalid_edit_and_its_repair_are_both_told(folder: Path, changes: Queue[Definitions]):
    save(folder, STANDARD.replace('"standard"', '"standart"'))
    found = changes.get(timeout=5)
    assert [p.key for p in found.problems] == ["models.standard.preset"]
    assert found.models["standard"].preset == "standard"
    save(folder, STANDARD)
    assert changes.get(timeout=5).problems == ()


def test_a_folder_that_is_replaced_is_watched_again(folder: Path, changes: Queue[Definitions]):
    shutil.rmtree(folder)
    assert changes.get(timeout=5).problems != ()
    folder.mkdir()
    save(folder, STANDARD.replace("models.standard", "models.other"))
    deadline = time.monotonic() + 10
    names: list[str] = []
    while names != ["other"] and time.monotonic() < deadline:
        names = list(changes.get(timeout=5).models)
    assert names == ["other"]


def test_a_folder_that_comes_and_goes_all_the_time_stays_watched(
    folder: Path, changes: Queue[Definitions]
):
    for round_ in range(40):  # the folder may go at any moment of the watcher's start
        shutil.rmtree(folder)
        folder.mkdir()
        save(folder, STANDARD.replace("models.standard", f"models.round{round_}"))
    names: list[str] = []
    while names != ["round39"]:
        names = list(changes.get(timeout=10).models)


def test_files_that_are_no_definitions_and_equal_saves_are_not_told(
    folder: Path, changes: Queue[Definitions]
):
    save(folder, "anything", "notes.txt")
    save(folder, STANDARD)
    save(folder, STANDARD.replace("standard", "minimal"), "more.toml")
    assert list(changes.get(timeout=5).models) == ["minimal", "standard"]
    with pytest.raises(Empty):
        changes.get_nowait()

"""The first frame's data: the same as the engine's, without the engine."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pysqlite3
import pytest
from sqlalchemy import update

from engine.api import Engine
from engine.glance import SCHEMA, glance
from engine.store import open_database
from engine.store.models import ExperimentRow
from engine.store.schema import HEAD
from engine.workspace import Workspace
from tests.engine.sample_plans import REQUEST, SamplePlanner
from tests.engine.scripted_backend import ScriptedBackend

START = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
VARIED = (
    {},
    {"status": "running", "stage": "Train", "progress": 0.4, "started_at": START},
    {
        "status": "completed",
        "started_at": START,
        "ended_at": START + timedelta(minutes=3),
        **{f"recall_at_{k}": k / 200 for k in (5, 10, 50, 100)},
        **{name: 1.5 for name in ("rmse", "mae", "test_rmse", "test_mae")},
        **{"difference": 0.1, "difference_low": -0.05, "difference_high": 0.25},
    },
    {
        "status": "failed",
        "error_component": "Transform",
        "error_message": "\x1b[31mbad",
        "error_hint": "Look.",
    },
    {"status": "cancelled", "cancel_requested_at": START, "ended_at": START},
    {"status": "lost", "cancel_requested_at": START, "version": 77},
    {"status": "completed", "delete_requested_at": START, "sample_percent": 1, "tags": []},
)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "my %lab #1"
    root.mkdir()
    (root / "config.toml").write_text("")
    return root


@pytest.fixture
def engine(root):
    with Engine(
        Workspace(root),
        start_worker=False,
        backends={"local": ScriptedBackend()},
        planner=SamplePlanner(),
    ) as engine:
        yield engine


@pytest.fixture
def varied(engine):
    database = open_database(engine.workspace.database_url)
    for i, values in enumerate(VARIED):
        request = REQUEST.replace(name=f"Größe {i} ␛", description="d" * i, tags=("ä", '"', "b"))
        number = engine.create(request).number
        if values:
            with database.write() as session:
                session.execute(
                    update(ExperimentRow).where(ExperimentRow.number == number).values(**values)
                )
    database.close()
    return engine


def plain(page):
    """Return a page's cards as dictionaries, without the engine's estimates."""
    names = [name for name in type(page.items[0]).__slots__ if name != "remaining_seconds"]
    return [{name: getattr(card, name) for name in names} for card in page.items]


def test_glance_shows_what_the_engine_shows(root, varied):
    seen = glance(root, limit=50)
    expected = varied.cards(limit=50)
    assert plain(seen.page) == plain(expected)
    assert [type(v) for card in plain(seen.page) for v in card.values()] == [
        type(v) for card in plain(expected) for v in card.values()
    ]
    assert seen.page.total == expected.total == len(VARIED)
    assert dict(seen.counts) == dict(varied.status_counts())
    assert list(seen.counts) == list(varied.status_counts())
    assert seen.name == varied.workspace.name
    assert [card.number for card in glance(root, limit=2).page.items] == [7, 6]


def test_glance_needs_no_open_engine_and_changes_nothing(root, varied):
    expected = plain(varied.cards())
    varied.close()
    file = Workspace(root).default_database
    before = file.read_bytes()
    assert plain(glance(root, limit=50).page) == expected
    assert file.read_bytes() == before


def test_configured_name_is_shown(root, engine):
    (root / "config.toml").write_text('[workspace]\nname = "Grocery"\n')
    assert glance(root, limit=5).name == "Grocery"


def test_schema_is_that_of_the_store():
    assert SCHEMA == HEAD


@pytest.mark.parametrize(
    "config",
    [
        '[workspace]\ndatabase = "postgresql://host/db"\n',
        '[workspace]\ndatabase = "other.db"\n',
        "[workspace]\nname = 3\n",
        "workspace = 3\n",
        "[workspace\n",
    ],
)
def test_unusual_settings_wait_for_the_engine(root, engine, config):
    (root / "config.toml").write_text(config)
    assert glance(root, limit=5) is None


def test_unusual_databases_wait_for_the_engine(root, engine):
    file = Workspace(root).default_database
    engine.close()
    connection = pysqlite3.connect(file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    assert glance(root, limit=5) is None
    connection.execute("DROP TABLE alembic_version")
    connection.commit()
    connection.close()
    assert glance(root, limit=5) is None
    for stale in root.glob(".towerlab/towerlab.db*"):
        stale.unlink()
    assert glance(root, limit=5) is None
    assert not file.exists()
    file.write_bytes(b"these are not the rows you are looking for" * 200)
    assert glance(root, limit=5) is None


def test_locked_database_waits_for_the_engine(root, engine):
    file = Workspace(root).default_database
    engine.close()
    connection = pysqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("BEGIN EXCLUSIVE")
    assert glance(root, limit=5) is None
    connection.execute("ROLLBACK")
    assert glance(root, limit=5).page.total == 0
    connection.close()


def test_folder_without_settings_waits_for_the_engine(tmp_path):
    assert glance(tmp_path / "missing", limit=5) is None


@pytest.mark.parametrize(
    "module",
    ["glance", "cards", "formats", "states", "workspace", "text", "errors"],
)
def test_first_frame_needs_nothing_heavy(module):
    heavy = ("sqlalchemy", "pydantic", "click", "rich", "duckdb", "textual", "engine.spec")
    code = f"import sys, engine.{module}\nprint([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == "[]"

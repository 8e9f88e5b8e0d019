"""The schema: migrations and models agree, old databases come up to date, opening is cheap."""

import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pysqlite3
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from engine.errors import InvalidInput
from engine.spec.run_folder import TrainingMetrics
from engine.store import documents, fetches, open_database
from engine.store.models import Base, ExperimentRow
from engine.store.schema import HEAD, MIGRATIONS, bring_to_head, migrate, revision
from engine.store.sqlite import sqlite_engine
from engine.store.views import summary


def schema_of(path):
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        )
        return {(kind, name): _normalised(sql) for kind, name, sql in found}


def _normalised(sql):
    head, _, body = " ".join(sql.replace("(", " ( ").replace(")", " ) ").split()).partition("(")
    return head, sorted(part.strip() for part in body.rpartition(")")[0].split(","))


@pytest.fixture
def migrated(tmp_path):
    path = tmp_path / "migrated.db"
    engine = sqlite_engine(make_url(f"sqlite:///{path}"))
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()
    return path


def test_migrations_lead_to_the_models(migrated, tmp_path):
    open_database(f"sqlite:///{tmp_path / 'created.db'}").close()
    created = schema_of(tmp_path / "created.db")
    by_migration = schema_of(migrated)
    assert by_migration.keys() == created.keys()
    assert {k for k in created if by_migration[k] != created[k]} == set()


def test_alembic_finds_no_difference(migrated):
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize("dump", sorted(Path(__file__).parent.glob("schema_*.sql")))
def test_a_database_of_an_earlier_schema_comes_up_to_date_and_keeps_what_it_holds(dump, tmp_path):
    path = tmp_path / "old.db"
    with closing(pysqlite3.connect(str(path))) as old:
        old.executescript(dump.read_text(encoding="utf-8"))
        before = old.execute("SELECT number, uid, recall_at_100 FROM experiments").fetchall()
    database = open_database(f"sqlite:///{path}")
    with database.read() as session:
        rows = session.query(ExperimentRow).order_by(ExperimentRow.number).all()
        assert [(r.number, r.uid, r.recall_at_100) for r in rows] == sorted(before)
        for row in rows:
            assert summary(row).number == row.number
            metrics = documents.get(session, row.number, "metrics", TrainingMetrics)
            assert (metrics is not None) == (row.recall_at_100 is not None)
    database.close()
    created = tmp_path / "created.db"
    open_database(f"sqlite:///{created}").close()
    assert schema_of(path) == schema_of(created)


def test_results_from_before_say_what_they_are_judged_by_and_how_long_they_trained(tmp_path):
    path = tmp_path / "old.db"
    dump = Path(__file__).parent / "schema_0001.sql"
    with closing(pysqlite3.connect(str(path))) as old:
        old.executescript(dump.read_text(encoding="utf-8"))
        found = old.execute("SELECT content FROM documents WHERE kind = 'metrics'").fetchone()
        metrics = json.loads(found[0])
        metrics["interval"]["metric"] = "test_rmse"
        metrics["new_products"] = {
            "rows": 9, "metrics": {"recall_at_100": 0.5}, "popularity": {"recall_at_100": 0.4},
        }  # fmt: skip
        old.execute(
            "UPDATE documents SET content = ? WHERE kind = 'metrics' AND experiment_number = 1",
            (json.dumps(metrics),),
        )
        old.execute(
            "UPDATE experiments SET model_type = 'multitask', rows_test = 99 WHERE number = 1"
        )
        old.commit()
    database = open_database(f"sqlite:///{path}")
    with database.read() as session:
        first, second, failed = (session.get_one(ExperimentRow, n) for n in (1, 2, 6))
        assert (first.primary_metric, first.epochs_trained) == ("test_rmse", 3)
        assert (first.new_recall_at_100, first.difference) == (0.5, None)
        assert (second.primary_metric, second.epochs_trained) == ("recall_at_100", 8)
        assert second.difference is not None
        assert (failed.primary_metric, failed.epochs_trained) == ("recall_at_100", None)
    database.close()


def test_requests_to_the_worker_survive_an_upgrade(tmp_path):
    path = tmp_path / "old.db"
    dump = Path(__file__).parent / "schema_0005.sql"
    with closing(pysqlite3.connect(str(path))) as old:
        old.executescript(dump.read_text(encoding="utf-8"))
    database = open_database(f"sqlite:///{path}")
    with database.read() as session:
        assert [(f.number, f.name) for f in fetches.pending(session)] == [(2, "logs:Transform")]
        answered_since = datetime(2026, 11, 26, tzinfo=UTC)
        assert fetches.answered(session, 1, "logs:Train", answered_since) == fetches.Answer("", "")
        assert fetches.watched(session, answered_since) == {3}
        assert session.get_one(ExperimentRow, 3).status == "lost"
    database.close()


def test_head_is_the_newest_migration():
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_opening_again_changes_nothing_and_does_without_alembic(tmp_path):
    url = f"sqlite:///{tmp_path / 'towerlab.db'}"
    open_database(url).close()
    code = (
        "import sys\nfrom engine.store import open_database\n"
        f"open_database({url!r})\nprint('alembic' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == "False"


def test_database_of_a_newer_version_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path / 'towerlab.db'}"
    database = open_database(url)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(InvalidInput, match="newer version"):
        open_database(url)


def test_empty_file_becomes_a_database(tmp_path):
    path = tmp_path / "towerlab.db"
    path.touch()
    database = open_database(f"sqlite:///{path}")
    with database.engine.connect() as connection:
        assert revision(connection) == HEAD
        bring_to_head(database.engine)
    database.close()


def test_schema_is_valid_on_postgresql():
    dialect = postgresql.dialect()
    for table in Base.metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=dialect))

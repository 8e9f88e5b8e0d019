"""The schema: migrations and models agree, old databases come up to date, opening is cheap."""

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from engine.errors import InvalidInput
from engine.store import open_database
from engine.store.models import Base
from engine.store.schema import HEAD, MIGRATIONS, bring_to_head, migrate, revision
from engine.store.sqlite import sqlite_engine


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

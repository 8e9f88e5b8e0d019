"""`RunFiles` where the database can be read, but not written."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from engine.backends.vertex.backend import VertexBackend
from engine.run_files import RunFiles
from engine.store import fetches, open_database
from engine.workspace import Workspace

FULL = """
    CREATE TRIGGER full BEFORE INSERT ON fetches
    BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END
"""


def test_a_run_is_shown_although_nobody_can_note_that_it_is_watched(tmp_path):
    (tmp_path / "config.toml").touch()
    workspace = Workspace(tmp_path)
    workspace.prepare()
    database = open_database(workspace.database_url)
    with database.write() as session:
        session.execute(text(FULL))
    backends = {"vertex": VertexBackend(workspace)}
    files = RunFiles(database, backends, workspace.runs, wake=lambda: None)
    files.watch(1, "vertex")
    with database.read() as session:
        assert fetches.watched(session, datetime.now(UTC) - timedelta(hours=1)) == set()
    database.close()

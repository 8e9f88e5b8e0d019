"""The real database: pragmas, transactions, its errors as ours, opened by several at once."""

import subprocess
import sys

import pytest
from sqlalchemy import insert, text

from engine.errors import EnvironmentNotReady, InvalidInput
from engine.store import open_database
from engine.store.models import LeaseRow
from engine.store.sqlite import file_system, wal_is_safe


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'towerlab.db'}"


@pytest.fixture
def database(url):
    opened = open_database(url)
    yield opened
    opened.close()


def test_every_connection_has_the_pragmas(database):
    expected = {
        "synchronous": 2,
        "busy_timeout": 30_000,
        "foreign_keys": 1,
        "trusted_schema": 0,
    }
    with database.read() as session:
        found = {name: session.scalar(text(f"PRAGMA {name}")) for name in expected}
    assert found == expected


def test_local_file_systems_get_the_write_ahead_log(database, tmp_path):
    with database.read() as session:
        mode = session.scalar(text("PRAGMA journal_mode"))
    assert mode == ("wal" if wal_is_safe((3, 53, 4), file_system(tmp_path)) else "delete")


@pytest.mark.parametrize(
    ("version", "kind", "safe"),
    [
        ((3, 51, 3), "ext4", True),
        ((3, 53, 0), "tmpfs", True),
        ((3, 51, 2), "ext4", False),
        ((3, 50, 7), "xfs", True),
        ((3, 50, 6), "xfs", False),
        ((3, 44, 6), "overlay", True),
        ((3, 40, 1), "ext4", False),
        ((3, 53, 0), "nfs4", False),
        ((3, 53, 0), "fuse.sshfs", False),
        ((3, 53, 0), "", False),
    ],
)
def test_write_ahead_log_needs_the_fix_and_a_local_file_system(version, kind, safe):
    assert wal_is_safe(version, kind) is safe


def test_file_system_is_that_of_the_deepest_mount(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "30 22 0:25 / /home rw shared:2 - nfs4 server:/home rw\n"
        "31 30 0:26 / /home/ann/my\\040data rw - xfs /dev/sdb rw\n"
        "32 22 0:27 / /homework rw - tmpfs tmpfs rw\n"
    )
    home = type(tmp_path)("/home/ann")
    assert file_system(home / "lab" / "towerlab.db", mounts) == "nfs4"
    assert file_system(home / "my data" / "towerlab.db", mounts) == "xfs"
    assert file_system(type(tmp_path)("/srv/towerlab.db"), mounts) == "ext4"
    assert file_system(tmp_path, tmp_path / "missing") == ""


def test_write_excludes_other_writers_from_its_first_read(database, url):
    """A read that upgraded would fail with BUSY_SNAPSHOT; BEGIN IMMEDIATE waits instead."""
    other = open_database(url)
    with other.engine.connect() as impatient:
        impatient.exec_driver_sql("PRAGMA busy_timeout=1")
    with database.write() as session:
        session.get(LeaseRow, 1)
        with pytest.raises(EnvironmentNotReady, match="locked"), other.write() as second:
            second.get(LeaseRow, 1)
    other.close()


def test_write_commits_all_or_nothing(database):
    def interrupted():
        with database.write() as session:
            session.execute(insert(LeaseRow).values(id=1, epoch=1))
            raise RuntimeError("killed here")

    with pytest.raises(RuntimeError):
        interrupted()
    with database.read() as session:
        assert session.get(LeaseRow, 1) is None


def test_read_sees_one_state(database):
    with database.write() as session:
        session.execute(insert(LeaseRow).values(id=1, epoch=1))
    with database.read() as session:
        before = session.scalar(text("SELECT epoch FROM lease"))
        with database.write() as writer:
            writer.execute(text("UPDATE lease SET epoch = 2"))
        after = session.scalar(text("SELECT epoch FROM lease"))
    assert (before, after) == (1, 1)


def test_full_disk_is_one_sentence_and_loses_nothing(database):
    with database.write() as session:
        session.execute(insert(LeaseRow).values(id=1, epoch=1))
    with database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with (
        pytest.raises(EnvironmentNotReady, match="disk is full") as caught,
        database.write() as session,
    ):
        session.execute(
            insert(LeaseRow), [{"id": i, "epoch": i, "host": "x" * 4000} for i in range(2, 50)]
        )
    assert caught.value.hint
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM lease")) == 1


def test_damaged_file_is_reported_and_kept(tmp_path, url):
    open_database(url).close()
    path = tmp_path / "towerlab.db"
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    path.write_bytes(data)

    def opened_and_checked():
        open_database(url).check()

    with pytest.raises(EnvironmentNotReady, match="damaged"):
        opened_and_checked()
    assert path.read_bytes() == bytes(data)


def test_file_that_is_no_database_is_reported_and_kept(tmp_path, url):
    path = tmp_path / "towerlab.db"
    path.write_text("these are not the rows you are looking for " * 100)
    with pytest.raises(EnvironmentNotReady, match="damaged"):
        open_database(url)
    assert path.read_text().startswith("these are not")


def test_sound_database_passes_the_check(database):
    database.check()


@pytest.mark.parametrize("url", ["nonsense://x/y", "sqlite+nodriver:///x"])
def test_unusable_url_is_invalid_input(url):
    with pytest.raises(InvalidInput, match="cannot be used"):
        open_database(url)


def test_folder_that_is_missing_is_reported():
    with pytest.raises(EnvironmentNotReady, match="cannot be opened"):
        open_database("sqlite:////nonexistent/towerlab.db")


def test_many_processes_may_open_a_new_database_at_once(tmp_path, url):
    code = f"from engine.store import open_database\nopen_database({url!r}).check()\nprint('ok')"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    results = [process.communicate(timeout=60) for process in processes]
    assert [out.strip() for out, _ in results] == ["ok"] * 4, [err for _, err in results]

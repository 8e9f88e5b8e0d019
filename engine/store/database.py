"""`Database`: transactions that read or write, and a library's errors as ours."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, func, make_url, select
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.orm import Session

from engine.errors import EngineError, EnvironmentNotReady, InvalidInput
from engine.store.models import ExperimentRow
from engine.store.schema import bring_to_head
from engine.store.sqlite import WRITES, sqlite_engine


class Database:
    """An open database with the current schema. May be shared between threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = engine.execution_options(**{WRITES: True})
        self._token_lock = threading.Lock()
        self._token_connection: Connection | None = None

    @property
    def location(self) -> str:
        """The file, or the address without its password."""
        return _location(self.engine)

    @contextmanager
    def read(self) -> Generator[Session]:
        """Open a session that sees one state of the database.

        Raises:
            EnvironmentNotReady: it cannot be read.
        """
        with _translated(self.location), Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Generator[Session]:
        """Open a session with the right to write; it commits at the end, or not at all.

        Raises:
            EnvironmentNotReady: it cannot be written (disk full, locked for long, damaged).
        """
        with _translated(self.location), Session(self._writing) as session, session.begin():
            yield session

    def change_token(self) -> int:
        """Return a number that differs whenever anybody changed the database since the last call.

        Asks on a connection of its own that never writes: SQLite then counts the commits of every
        other connection, of this process and of all others, without reading a table.

        Raises:
            EnvironmentNotReady: it cannot be read.
        """
        sqlite = self.engine.dialect.name == "sqlite"
        with _translated(self.location), self._token_lock:
            if self._token_connection is None:
                self._token_connection = self.engine.connect()
            with self._token_connection.begin():
                if sqlite:
                    return self._token_connection.exec_driver_sql(
                        "PRAGMA data_version"
                    ).scalar_one()
                versions = select(func.count(), func.sum(ExperimentRow.version))
                return hash(tuple(self._token_connection.execute(versions).one()))

    def check(self) -> None:
        """Look for damage; takes about a second per gigabyte.

        Raises:
            EnvironmentNotReady: the file is damaged.
        """
        if self.engine.dialect.name != "sqlite":
            return
        with self.read() as session:
            found = session.connection().exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise _damaged(self.location, str(found))

    def close(self) -> None:
        """Close every connection."""
        with self._token_lock:
            if self._token_connection is not None:
                self._token_connection.close()
                self._token_connection = None
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Open a database, making it or bringing its schema up to date.

    Raises:
        InvalidInput: the URL is wrong, or a newer Towerlab wrote the database.
        EnvironmentNotReady: it cannot be opened.
    """
    try:
        parsed = make_url(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        engine = sqlite_engine(parsed) if sqlite else create_engine(parsed)
    except (SQLAlchemyError, ImportError) as error:
        raise InvalidInput(
            f"The database {url} cannot be used: {error}.",
            hint="`[workspace] database` in config.toml takes a path or a SQLAlchemy URL.",
        ) from error
    with _translated(_location(engine)):
        bring_to_head(engine)
    return Database(engine)


def _location(engine: Engine) -> str:
    return engine.url.database if engine.dialect.name == "sqlite" else str(engine.url)  # pyright: ignore[reportReturnType]


@contextmanager
def _translated(location: str) -> Generator[None]:
    try:
        yield
    except DatabaseError as error:
        raise _explained(location, error) from error


def _explained(location: str, error: DatabaseError) -> EngineError:
    text = str(error.orig).lower()
    if "malformed" in text or "not a database" in text:
        return _damaged(location, str(error.orig))
    if "disk is full" in text or "disk i/o" in text:
        return EnvironmentNotReady(
            f"The database {location} cannot be written: its disk is full or failing.",
            hint="Free some space; nothing that was stored is lost.",
        )
    if "locked" in text:
        return EnvironmentNotReady(
            f"The database {location} has been locked by another process for 30 s.",
            hint="See who uses it: `fuser -v` with its path.",
        )
    if "readonly" in text or "unable to open" in text:
        return EnvironmentNotReady(
            f"The database {location} cannot be opened for writing: {error.orig}.",
            hint="Check the owner and permissions of the file and its folder.",
        )
    return EnvironmentNotReady(f"The database {location} answered: {error.orig}.")


def _damaged(location: str, finding: str) -> EnvironmentNotReady:
    aside = Path(location).with_suffix(".damaged").name
    return EnvironmentNotReady(
        f"The database {location} is damaged ({finding}); nothing was changed.",
        hint=f"Stop every Towerlab, set it aside (say, as {aside}) and restore a backup.",
    )

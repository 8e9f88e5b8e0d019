"""Bringing a database to the current schema.

Opening costs one query: alembic is imported only when something has to be done. A new database is
made from the models; a test proves that the migrations lead to the same schema.
"""

from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
)

from engine.errors import InvalidInput
from engine.store.models import Base
from engine.store.sqlite import WRITES

HEAD = "0005"
"""The newest migration in `migrations/versions`; a test compares."""

MIGRATIONS = Path(__file__).parent / "migrations"

_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The table in which alembic keeps the revision, as alembic makes it."""


def bring_to_head(engine: Engine) -> None:
    """Create the tables of a new database, or migrate an older one.

    Raises:
        InvalidInput: the database was written by a newer Towerlab.
    """
    with engine.connect() as connection:
        if revision(connection) == HEAD:
            return
    # Several processes may come here at once: what is missing is looked at again under the lock.
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        found = revision(connection)
        if found is None and not inspect(connection).has_table(Base.metadata.sorted_tables[0].name):
            create(connection)
        elif found != HEAD:
            migrate(connection)


def revision(connection: Connection) -> str | None:
    """Return the schema's revision; None in a database that has none."""
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.execute(select(_version.c.version_num)).scalar()


def create(connection: Connection) -> None:
    """Create every table from the models, and note the revision."""
    Base.metadata.create_all(connection)
    _version.create(connection)
    connection.execute(insert(_version).values(version_num=HEAD))


def migrate(connection: Connection, target: str = "head") -> None:
    """Run the migrations up to `target` within the connection's transaction.

    Raises:
        InvalidInput: the database's revision is unknown here.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, target)
    except CommandError as error:
        raise InvalidInput(
            "The database was written by a newer version of Towerlab.", hint="Update Towerlab."
        ) from error

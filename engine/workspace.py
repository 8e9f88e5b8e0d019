"""Where everything of a workspace lives. Paths are built from uids, never from names."""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EnvironmentNotReady, InvalidInput, NotFound

if TYPE_CHECKING:
    from engine.config import CloudSettings, Settings

CONFIG = "config.toml"
STATE = ".towerlab"


@dataclass(frozen=True)
class Workspace:
    """A folder with `config.toml`, definition files and, in `.towerlab/`, its state."""

    root: Path

    @cached_property
    def settings(self) -> "Settings":
        """The validated settings, read once.

        Raises:
            InvalidInput: `config.toml` is wrong.
        """
        from engine.config import load_settings  # pydantic, which a first frame does without

        return load_settings(self.root / CONFIG)

    @property
    def cloud(self) -> "CloudSettings":
        """The settings of Google Cloud as they are now: who corrects them needn't begin anew.

        While the file is wrong, those that were read first count.

        Raises:
            InvalidInput: `config.toml` was wrong from the beginning.
        """
        first = self.settings
        from engine.config import load_settings

        try:
            return load_settings(self.root / CONFIG).cloud
        except InvalidInput:
            return first.cloud

    @property
    def name(self) -> str:
        """What the workspace is called on screen."""
        return self.settings.workspace.name or self.root.name

    @property
    def definitions(self) -> Path:
        """Folder of the definition files."""
        return self.root / self.settings.workspace.definitions

    @property
    def state(self) -> Path:
        """Folder of the database, the runs and the cache."""
        return self.root / STATE

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the database."""
        configured = self.settings.workspace.database
        if "://" in configured:
            return configured
        return f"sqlite:///{self.root / configured if configured else self.default_database}"

    @property
    def default_database(self) -> Path:
        """The SQLite file, unless the settings name another database."""
        return self.state / "towerlab.db"

    @cached_property
    def id(self) -> str:
        """What tells this workspace from all others, 16 hexadecimal digits; made once.

        Raises:
            EnvironmentNotReady: it can be neither read nor written.
        """
        file = self.state / "id"
        try:
            if not file.exists():
                self.state.mkdir(parents=True, exist_ok=True)
                made = self.state / f"id.{secrets.token_hex(8)}"
                made.write_text(secrets.token_hex(8), encoding="ascii")
                with suppress(FileExistsError):  # another process was first
                    os.link(made, file)
                made.unlink()
            return file.read_text(encoding="ascii")
        except OSError as error:
            raise EnvironmentNotReady(
                f"{file} cannot be read or written: {error.strerror}.",
                hint="Check its owner and permissions, and the free space.",
            ) from error

    @property
    def wake_file(self) -> Path:
        """Touched after every intent; the worker watches it."""
        return self.state / "wake"

    @property
    def worker_log(self) -> Path:
        """What the worker writes to its standard output and error."""
        return self.state / "worker.log"

    @property
    def runs(self) -> Path:
        """Folder of the run folders."""
        return self.state / "runs"

    @property
    def cache(self) -> Path:
        """Shared TFX outputs, ExampleGen to Transform, and `metadata.db` (ML Metadata)."""
        return self.state / "cache"

    @property
    def tables(self) -> Path:
        """Copies of databases' tables."""
        return self.state / "tables"

    def run_folder(self, uid: str) -> Path:
        """The folder that one local experiment owns."""
        return self.runs / uid

    def prepare(self) -> None:
        """Create the state folders, which git ignores, and set the process's umask.

        Raises:
            EnvironmentNotReady: the workspace cannot be written.
        """
        os.umask(0o027 if self.settings.workspace.shared else 0o077)
        try:
            for folder in (self.state, self.runs, self.cache):
                folder.mkdir(parents=True, exist_ok=True)
            ignored = self.state / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n", encoding="ascii")
        except OSError as error:
            raise EnvironmentNotReady(
                f"{self.state} cannot be written: {error.strerror}.",
                hint="Check its owner and permissions, and the free space.",
            ) from error


def find_workspace(start: Path) -> Workspace:
    """Return the workspace of the nearest folder, from `start` upwards, with a `config.toml`.

    Raises:
        NotFound: there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG).is_file():
            return Workspace(folder)
    raise NotFound(
        f"No workspace here: neither {start} nor a folder above it has a {CONFIG}.",
        hint="Run `towerlab init FILE`, `towerlab demo`, or pass --workspace DIR.",
    )

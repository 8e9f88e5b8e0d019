"""The shared cache: what TFX may reuse, and proof that it is whole.

TFX reuses an earlier execution's outputs when ML Metadata says that they are live; it looks at no
file. Here every execution that ended leaves a manifest of its files, and before a run whatever has
no manifest that fits is retired: outputs of a killed run, of a full disk, deleted by `towerlab gc`,
or of the workspace that this one was copied from.
"""

import fcntl
import logging
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from ml_metadata import ListOptions, MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from pydantic import ValidationError

from engine.spec.cache_folder import CACHE_LOCK, MANIFESTS, METADATA, Manifest
from pipelines.run_files import replace_file

_log = logging.getLogger(__name__)


class SharedCache:
    """The cache folder of a workspace.

    Args:
        folder: its absolute path.
        runs: the folder of the run folders, whose artifacts nobody else reuses.
    """

    def __init__(self, folder: Path, runs: Path) -> None:
        self.folder = folder
        self.metadata_path = folder / METADATA
        self._runs = runs
        self._manifests = folder / MANIFESTS

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the cache for this run alone; waits while another run uses it."""
        lock = os.open(self.folder / CACHE_LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def prepare(self) -> None:
        """End the executions that dead runs left open, and retire what isn't whole.

        Only call it while the cache is locked: then no other run lives.
        """
        self._manifests.mkdir(exist_ok=True)
        if not self.metadata_path.exists():
            return
        store = open_metadata(self.metadata_path)
        self._end_open_executions(store)
        whole = self._whole_artifacts()
        live = store.get_artifacts(ListOptions(filter_query="state = LIVE"))
        broken = [artifact for artifact in live if not self._is_usable(artifact.uri, whole)]
        for artifact in broken:
            artifact.state = mlmd.Artifact.DELETED
            _log.info("%s is not whole and won't be reused", artifact.uri)
        if broken:
            store.put_artifacts(broken)

    def add(self, execution_id: int, component: str, uris: Iterable[str]) -> None:
        """Note that an execution has written all its outputs.

        Args:
            execution_id: of ML Metadata.
            component: name of the component.
            uris: paths of its output artifacts.
        """
        paths = [path for uri in uris if (path := Path(uri)).is_relative_to(self.folder)]
        manifest = Manifest(
            execution_id=execution_id,
            component=component,
            artifacts={str(path.relative_to(self.folder)): _files(path) for path in paths},
        )
        path = self._manifests / f"{execution_id}.json"
        replace_file(path, manifest.model_dump_json().encode())

    def _end_open_executions(self, store: MetadataStore) -> None:
        query = "last_known_state = RUNNING OR last_known_state = NEW"
        abandoned = store.get_executions(ListOptions(filter_query=query))
        for execution in abandoned:
            execution.last_known_state = mlmd.Execution.CANCELED
        if abandoned:
            store.put_executions(abandoned)

    def _whole_artifacts(self) -> set[Path]:
        """Return the artifacts whose files are as they were; forget the manifests of the others."""
        whole: set[Path] = set()
        for path in self._manifests.glob("*.json"):
            try:
                manifest = Manifest.model_validate_json(path.read_bytes())
            except ValidationError:
                path.unlink()
                continue
            artifacts = {self.folder / name: files for name, files in manifest.artifacts.items()}
            if all(path.is_dir() and _files(path) == files for path, files in artifacts.items()):
                whole.update(artifacts)
            else:
                path.unlink()
        return whole

    def _is_usable(self, uri: str, whole: set[Path]) -> bool:
        path = Path(uri)
        return path in whole or path.is_relative_to(self._runs)


def open_metadata(path: Path) -> MetadataStore:
    """Open a SQLite file of ML Metadata, made if missing."""
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return MetadataStore(config)


def _files(folder: Path) -> dict[str, int]:
    """Return the size in bytes of each file by its path inside."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}

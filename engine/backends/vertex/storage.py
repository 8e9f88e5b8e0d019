"""Objects in Cloud Storage, by gs:// URI. Prefixes end in `/`: `exp1/` is no part of `exp10/`."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from google.api_core import exceptions
from google.cloud.storage import Blob
from google.cloud.storage.retry import DEFAULT_RETRY

from engine.backends.vertex.clients import Clients
from engine.backends.vertex.problems import told

_PAGE = 500
_SERVICE = "Cloud Storage"


class Storage:
    """What is read and written of a target's bucket."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._project = clients.target.project

    def upload(self, uri: str, content: bytes) -> None:
        """Write an object whole.

        Raises:
            EnvironmentNotReady: it can't be written now.
        """
        with told(_SERVICE, f"write {uri}", self._project):
            self._blob(uri).upload_from_string(content, **self._options)

    def upload_file(self, uri: str, path: Path) -> None:
        """Write a file, unless an equal one is there.

        Raises:
            EnvironmentNotReady: it can't be written now.
        """
        with told(_SERVICE, f"write {uri}", self._project):
            blob = self._blob(uri)
            if blob.exists(**self._options):
                blob.reload(**self._options)
                if blob.size == path.stat().st_size and blob.metadata == _stamp(path):
                    return
            blob.metadata = _stamp(path)
            blob.upload_from_filename(str(path), **self._options)

    def download(self, uri: str, path: Path, *, limit: int, known: int | None = None) -> int | None:
        """Replace a file by an object's content.

        Args:
            uri: of the object.
            path: of the file, which is replaced whole.
            limit: a larger object is taken for absent.
            known: generation that the file has.

        Returns:
            The generation that the file has now; None where there is no object (of that size).

        Raises:
            EnvironmentNotReady: it can't be read now.
        """
        with told(_SERVICE, f"read {uri}", self._project):
            blob = self._blob(uri)
            try:
                blob.reload(**self._options)
                generation, size = int(blob.generation or 0), int(blob.size or 0)
                if generation == known or size > limit:
                    return generation if generation == known else None
                content = self._content(blob, limit) if size else b""  # nothing has no range
            except exceptions.NotFound as error:
                if "bucket" in str(error).lower() and "object" not in str(error).lower():
                    raise
                return None
        replace_file(path, content)
        return generation

    def _content(self, blob: Blob, limit: int) -> bytes:
        return blob.download_as_bytes(end=limit, raw_download=True, **self._options)

    def delete_prefix(self, prefix: str, *, keep: tuple[str, ...] = ()) -> int:
        """Delete what is below a prefix that ends in `/`; return how many objects there were.

        Args:
            prefix: gs:// URI.
            keep: prefixes, each ending in `/`, below which nothing is deleted.

        Raises:
            EnvironmentNotReady: something is left; it may be repeated.
        """
        if not all(part.endswith("/") for part in (prefix, *keep)):
            raise ValueError(f"{prefix} or one of {keep} doesn't end in a slash.")
        deleted = 0
        with told(_SERVICE, f"delete {prefix}", self._project):
            for blob in self._list(prefix):
                if not f"gs://{blob.bucket.name}/{blob.name}".startswith(keep or ("\0",)):
                    _delete(blob, self._options)
                    deleted += 1
        return deleted

    def folders(self, prefix: str) -> list[str]:
        """Return the prefixes right below one, each ending in `/`.

        Raises:
            EnvironmentNotReady: they can't be listed now.
        """
        bucket, name = _parts(prefix)
        with told(_SERVICE, f"list {prefix}", self._project):
            pages = self._clients.storage.list_blobs(
                bucket, prefix=name, delimiter="/", page_size=_PAGE, **self._options
            )
            for _ in pages:
                pass
            found: set[str] = cast("set[str]", vars(pages)["prefixes"])
            return sorted(f"gs://{bucket}/{name}" for name in found)

    def _list(self, prefix: str) -> Iterator[Blob]:
        bucket, name = _parts(prefix)
        yield from self._clients.storage.list_blobs(
            bucket, prefix=name, page_size=_PAGE, **self._options
        )

    def _blob(self, uri: str) -> Blob:
        bucket, name = _parts(uri)
        return self._clients.storage.bucket(bucket).blob(name)

    @property
    def _options(self) -> dict[str, Any]:
        patience = self._clients.patience
        return {
            "timeout": patience.call,
            "retry": DEFAULT_RETRY.with_timeout(patience.retries).with_delay(patience.pause),
        }


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


def _stamp(path: Path) -> dict[str, str]:
    return {"towerlab-modified": str(path.stat().st_mtime_ns)}


def _delete(blob: Blob, options: dict[str, Any]) -> None:
    try:
        blob.delete(**options)
    except exceptions.NotFound:
        return


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that readers see whole, as it was or as it is now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(draft, path)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise

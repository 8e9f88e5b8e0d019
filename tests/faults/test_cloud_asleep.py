"""A machine that was asleep: its connections are gone, and nobody has told it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from engine.backends.vertex.clients import Clients, Patience
from engine.backends.vertex.jobs import Jobs
from engine.backends.vertex.target import owned, target_of
from engine.spec.cloud import CloudTarget
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, served

__all__ = ["cloud", "served"]

EVER = datetime.now(UTC) - timedelta(days=1)


class Network:
    """What is between the clients and a server; it may forget the connections that there are.

    Attributes:
        address: where clients reach the server.
        connections: that were made so far.
    """

    def __init__(self, server: str) -> None:
        host, _, port = server.partition(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._forgotten = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        """Swallow whatever comes on the connections that there are; nobody hears of it."""
        self._forgotten.set()
        self._forgotten = threading.Event()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(self._server)
                for source, target in ((client, server), (server, client)):
                    arguments = (source, target, self._forgotten)
                    threading.Thread(target=self._forward, args=arguments, daemon=True).start()

    def _forward(
        self, source: socket.socket, target: socket.socket, forgotten: threading.Event
    ) -> None:
        with suppress(OSError):
            while content := source.recv(65_536):
                if not forgotten.is_set():
                    target.sendall(content)
            if not forgotten.is_set():
                target.shutdown(socket.SHUT_WR)


@pytest.fixture
def network(cloud: Cloud) -> Iterator[Network]:
    network = Network(cloud.settings.endpoints.vertex)
    yield network
    network.close()


@pytest.fixture
def target(cloud: Cloud, network: Network) -> CloudTarget:
    return owned(target_of(cloud.settings), "a" * 16).replace(endpoint=network.address)


def test_a_connection_that_is_gone_is_given_up_and_made_anew(
    cloud: Cloud, network: Network, target: CloudTarget
):
    patience = Patience(call=2, retries=20, pause=0.01, silence=1)
    jobs = Jobs(Clients(target, cloud.settings.endpoints, patience))
    assert jobs.list(EVER) == {}
    assert network.connections == 1
    network.forget()
    assert jobs.list(EVER) == {}
    assert network.connections == 2


def test_a_connection_that_lives_is_kept(cloud: Cloud, network: Network, target: CloudTarget):
    jobs = Jobs(Clients(target, cloud.settings.endpoints, Patience()))
    for _ in range(20):
        assert jobs.list(EVER) == {}
    assert network.connections == 1

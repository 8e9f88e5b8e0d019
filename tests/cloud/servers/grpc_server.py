"""A gRPC server over TLS for services whose messages are those of Google's client libraries."""

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
from google.protobuf.unknown_fields import UnknownFieldSet

from tests.cloud.certificates import Identity
from tests.cloud.servers.faults import Fault, Faults
from tests.cloud.servers.refusal import Refusal

_THREADS = 32


class Method(NamedTuple):
    """What answers a request, and the type of the request (of proto-plus, or plain)."""

    answer: Callable[[Any], Any]
    request: Any


class Service(NamedTuple):
    """Methods by name, under the full name of their service."""

    name: str
    methods: Mapping[str, Method]
    faults: Faults


@contextmanager
def serve(services: list[Service], identity: Identity) -> Generator[int]:
    """Serve on a free port of this machine, which is yielded."""
    server = grpc.server(ThreadPoolExecutor(_THREADS))
    server.add_generic_rpc_handlers(
        tuple(
            grpc.method_handlers_generic_handler(
                service.name,
                {name: _handler(name, m, service.faults) for name, m in service.methods.items()},
            )
            for service in services
        )
    )
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([identity]))
    server.start()
    try:
        yield port
    finally:
        for service in services:
            service.faults.clear()
        server.stop(0).wait()


def _handler(name: str, method: Method, faults: Faults) -> grpc.RpcMethodHandler:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        fault = faults.next(name)
        if fault is not None and fault.kind != "lose":
            _fail(fault, faults, context)
        try:
            _check_known(getattr(type(request), "pb", lambda message: message)(request))
            answered = method.answer(request)
        except Refusal as refusal:
            context.abort(grpc.StatusCode[refusal.status], refusal.message)
        if fault is not None:
            context.abort(grpc.StatusCode[fault.status], "the answer got lost")
        return answered

    request = method.request
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=getattr(request, "deserialize", None) or request.FromString,
        response_serializer=_serialize,
    )


def _fail(fault: Fault, faults: Faults, context: grpc.ServicerContext) -> None:
    if fault.kind == "hang":
        faults.released.wait(60)
    context.abort(grpc.StatusCode[fault.status], fault.message)


def _serialize(message: Any) -> bytes:
    kind = type(message)
    return kind.serialize(message) if hasattr(kind, "serialize") else message.SerializeToString()


def _check_known(message: Any) -> None:
    """Refuse a message that has a field which its type doesn't."""
    if len(UnknownFieldSet(message)):
        raise Refusal("INVALID_ARGUMENT", f"Unknown field in {message.DESCRIPTOR.full_name}.")
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            parts = [v for v in value.values() if hasattr(v, "ListFields")]
        else:
            parts = value if field.label == field.LABEL_REPEATED else [value]
        for part in parts:
            _check_known(part)

"""How a server says no: a gRPC code by its name, and a sentence."""

from typing import NoReturn

HTTP_CODES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


class Refusal(Exception):
    """Raised by a server's method instead of an answer."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def refuse(status: str, message: str) -> NoReturn:
    """Answer with a status.

    Raises:
        Refusal: always.
    """
    raise Refusal(status, message)


def page_start(token: str) -> int:
    """Return where a page begins; tokens of pages are the number of what came before."""
    if token and not token.isdigit():
        refuse("INVALID_ARGUMENT", "Invalid page_token.")
    return int(token or 0)

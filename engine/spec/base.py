"""What every value of the contract has in common: frozen, strict, and hashed by its content."""

import hashlib
import json
from typing import Self

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value that refuses unknown fields and numbers that are not finite."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,  # a command needs few of the models, and building all takes 0.1 s
    )

    def content_hash(self, *, without: frozenset[str] = frozenset()) -> str:
        """Return the first 16 hex digits of the SHA-256 of this value's canonical JSON.

        Args:
            without: names of top-level fields that do not count (a name, a description).
        """
        return content_hash(self.model_dump(mode="json", exclude=set(without)))

    def replace(self, **changes: object) -> Self:
        """Return a validated copy with some fields changed."""
        return type(self).model_validate({**self.model_dump(), **changes})


def content_hash(value: object) -> str:
    """Return the first 16 hex digits of the SHA-256 of a JSON value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

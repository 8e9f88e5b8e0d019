"""The hash that samples and splits, the same in every engine.

    hash = the first 8 hex digits of md5(purpose "|" seed "|" key)

Digits of equal length compare as text as they would as numbers, so nothing needs to be parsed.
A key's text is injective: each part is its length, a colon and itself, "-" when null.
"""

from collections.abc import Sequence
from typing import Literal

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

Purpose = Literal["sample", "split"]
_HASHES = 2**32
_LOW_DIGITS = 15


def key_text(parts: Sequence[Expr]) -> Expr:
    """Return the text of a key from the texts of its parts."""
    texts: list[Expr] = []
    for i, part in enumerate(parts):
        if i:
            texts.append(exp.Literal.string("|"))
        length = exp.cast(exp.Length(this=part.copy()), "TEXT")
        marked = exp.Concat(expressions=[length, exp.Literal.string(":"), part.copy()])
        texts.append(exp.func("COALESCE", marked, exp.Literal.string("-")))
    return texts[0] if len(texts) == 1 else exp.Concat(expressions=texts)


def row_number(key: Expr) -> Expr:
    """Return the lowest 63 of the first 64 bits of md5(key) as INT64."""
    digest = exp.MD5(this=key)
    first = _from_hex(_digits(digest, 1, 1))
    low = _from_hex(_digits(digest, 2, _LOW_DIGITS))
    high = exp.Paren(this=exp.BitwiseAnd(this=first, expression=exp.Literal.number(7)))
    return exp.Add(
        this=exp.Mul(this=high, expression=exp.Literal.number(16**_LOW_DIGITS)), expression=low
    )


def salted_hash(purpose: Purpose, seed: int, key: Expr) -> Expr:
    """Return the hash of a key as 8 hex digits."""
    salt = exp.Literal.string(f"{purpose}|{seed}|")
    return _digits(exp.MD5(this=exp.Concat(expressions=[salt, key])), 1, 8)


def below(hashed: Expr, share: float) -> Expr:
    """Return whether a hash is in the first `share` (0 to 1) of all hashes."""
    bound = round(share * _HASHES)
    if bound >= _HASHES:
        return exp.true()
    return exp.LT(this=hashed, expression=exp.Literal.string(f"{bound:08x}"))


def _digits(text: Expr, start: int, length: int) -> Expr:
    return exp.Substring(
        this=text, start=exp.Literal.number(start), length=exp.Literal.number(length)
    )


def _from_hex(digits: Expr) -> Expr:
    return exp.cast(exp.Concat(expressions=[exp.Literal.string("0x"), digits]), "BIGINT")

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text import safe_block, safe_line

# Surrogates and every control are what files, logs and names may really hold.
anything = st.text(st.characters(codec=None, categories=None), max_size=300)
hostile = st.text(
    st.sampled_from("\x1b\x9b[]0;m\x07\r\n\t\u202e\u200b\u2028\ud800a€"), max_size=300
)
UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.one_of(anything, hostile), st.integers(1, 400))
def test_a_safe_line_has_no_controls_and_fits_its_limit(text: str, limit: int) -> None:
    line = safe_line(text, limit=limit)
    assert not {unicodedata.category(c) for c in line} & UNSAFE
    assert len(line) <= limit
    line.encode()


@given(st.one_of(anything, hostile), st.integers(1, 400))
def test_a_safe_block_keeps_nothing_but_line_breaks(text: str, limit: int) -> None:
    block = safe_block(text, limit=limit)
    assert not {unicodedata.category(c) for c in block if c != "\n"} & UNSAFE
    assert len(block) <= limit


@given(st.text(st.characters(categories=["L", "Nd", "P", "S"]), max_size=200))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert safe_line(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07", "␛]0;owned␇"),
        ("\x1b]52;c;aGk=\x1b\\", "␛]52;c;aGk=␛\\"),
        ("a\nb\r\nc", "a␊b␍␊c"),
        ("a\tb", "a    b"),
        ("abc\u202efdp.exe", "abc<U+202E>fdp.exe"),
        ("zero\u200bwidth", "zero<U+200B>width"),
        ("\x9b2J", "<U+009B>2J"),
        ("half \ud83d", "half \ufffd"),
        ("[@click=app.quit]x[/]", "[@click=app.quit]x[/]"),
        ("naïve — 東京 🛒", "naïve — 東京 🛒"),
    ],
)
def test_what_becomes_of_dangerous_and_of_harmless_text(text: str, expected: str) -> None:
    assert safe_line(text) == expected


def test_a_long_line_is_cut_with_an_ellipsis() -> None:
    assert safe_line("abcdef", limit=4) == "abc…"
    assert safe_line("x" * 10_000_000, limit=4) == "xxx…"


def test_a_block_keeps_its_lines() -> None:
    assert safe_block("one\r\ntwo\x07\n\nthree") == "one\ntwo␇\n\nthree"

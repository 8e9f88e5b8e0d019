"""A comparison as text of a file: Markdown, CSV or JSON."""

import csv
import io
from typing import TYPE_CHECKING, Final

from engine.text import safe_line

if TYPE_CHECKING:
    from engine.analysis.comparison import Comparison

FORMATS: Final[dict[str, str]] = {"Markdown": "md", "CSV": "csv", "JSON": "json"}
"""What can be chosen, and how such a file's name ends."""
_FORMULA = ("=", "+", "-", "@")


def exported(found: "Comparison", kind: str) -> str:
    """Return a comparison as a text of one of the `FORMATS`."""
    if kind == "Markdown":
        return _markdown(found)
    return _csv(found) if kind == "CSV" else found.model_dump_json(indent=2) + "\n"


def _headings(found: "Comparison") -> list[str]:
    return [f"#{n}{' (baseline)' if n == found.baseline else ''}" for n in found.numbers]


def _markdown(found: "Comparison") -> str:
    columns = len(found.numbers)
    lines = [f"# Comparison of {', '.join(f'#{n}' for n in found.numbers)}", ""]
    for section in found.sections:
        heads = [section.title, *_headings(found)]
        lines += [f"| {' | '.join(heads)} |", f"|{' --- |' * (columns + 1)}"]
        for row in section.rows:
            cells = [f"**{_md(c.text)}**" if c.best else _md(c.text) for c in row.cells]
            lines.append(f"| {' | '.join([_md(row.label), *cells])} |")
        lines.append("")
    return "\n".join([*lines, *(f"- {_md(pair.verdict)}" for pair in found.pairs)]) + "\n"


def _md(text: str) -> str:
    escaped = safe_line(text, limit=2_000)
    for character in "\\|*_`<[":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped


def _csv(found: "Comparison") -> str:
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(["section", "row", *_headings(found), "best"])
    for section in found.sections:
        for row in section.rows:
            best = [f"#{n}" for n, c in zip(found.numbers, row.cells, strict=True) if c.best]
            cells = (_plain(cell.text, cell.value) for cell in row.cells)
            rows.writerow([section.title, row.label, *cells, " ".join(best)])
    return written.getvalue()


def _plain(text: str, value: float | None) -> str | float:
    """Return the number of a cell, or its text in a form that no spreadsheet takes as a formula."""
    if value is not None:
        return value
    safe = safe_line(text, limit=2_000)
    return f"'{safe}" if safe.startswith(_FORMULA) else safe

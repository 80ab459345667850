"""A row of a table in a Markdown file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from adaptergen.edit.order import place
from adaptergen.edit.text import Splice, Text, read

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def add_table_row(
    data: bytes, path: str, header: Sequence[str], target: str, cells: Sequence[str],
    replace: bool = False,
) -> bytes:  # fmt: skip
    """The file with a row whose first cell links to `target`; a row that is there stays.

    `replace`: but its first cell, which then is ours. The table is the one with that header.
    """
    text = read(data, path)
    rows = _rows(text, header)
    line = f"| {' | '.join(cells)} |"
    targets = [match[1] if (match := _LINK.search(text.text, *row)) else None for row in rows]
    there = [row for row, link in zip(rows, targets, strict=True) if link == target]
    if len(there) > 1:
        raise text.failed(
            "entry-twice",
            f"{len(there)} rows are about `{target}`",
            "leave one of the rows",
            *(text.line_of(start) for start, _ in there),
        )
    if there:
        start, end = there[0]
        first = text.text.index("|", text.text.index("|", start) + 1, end)
        return text.spliced([Splice(start, first, f"| {cells[0]} ")]).data if replace else data
    at = place(targets, [0] * len(rows), target)
    if at == 0:
        return text.spliced([Splice.insert(rows[0][0], f"{line}\n")]).data
    return text.spliced([Splice.insert(rows[-1 if at is None else at - 1][1], f"\n{line}")]).data


def _rows(text: Text, header: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of the rows of the table, at least one."""
    lines = [(start, text.line_end(start)) for start in text.starts]
    heads = [n for n, line in enumerate(lines) if _cells(text.text[slice(*line)]) == list(header)]
    if len(heads) > 1:
        raise text.failed(
            "container-twice",
            f"{len(heads)} tables have the header {' | '.join(header)}",
            "leave one of the tables",
            *(number + 1 for number in heads),
        )
    rows = []
    for line in lines[heads[0] + 2 :] if heads else ():
        if not text.text[slice(*line)].startswith("|"):
            break
        rows.append(line)
    if not rows:
        raise text.failed(
            "container-missing",
            f"no table has the header {' | '.join(header)} and a row",
            "check that this is TransformerLens, and which version: `adaptergen catalog --tl PATH`",
        )
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]

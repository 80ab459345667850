"""Rows of a list in a JSON file and of a table in a Markdown file; other lines stay as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adaptergen.edit.container import place
from adaptergen.edit.text import CLEAN_COPY, NOT_TRANSFORMER_LENS, Splice, Text, read
from adaptergen.problems import listing

Row = Mapping[str, object]
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class _Part:
    """A value in the file, with where it starts and ends."""

    value: object
    start: int
    end: int


def add_rows(
    data: bytes, path: str, container: str, keys: Sequence[str], rows: Sequence[Row]
) -> bytes:
    """The file with the rows in the list `container` of its object, existing rows unchanged.

    `keys` are the members that identify a row; a new row goes behind the last one with the same
    first key, or to the end.
    """
    text = read(data, path)
    array, parts = _list(text, container)
    behind: dict[int, list[Row]] = {}
    for row in rows:
        wanted = [row[key] for key in keys]
        there = [part for part in parts if _key(part, keys) == wanted]
        if len(there) > 1:
            raise text.failed(
                "entry-twice",
                f"{listing(map(str, wanted))} is {len(there)} times in `{container}`",
                "leave one of the rows",
                *(text.line_of(part.start) for part in there),
            )
        if not there:
            alike = [n for n, part in enumerate(parts) if _key(part, keys[:1]) == wanted[:1]]
            behind.setdefault(alike[-1] if alike else len(parts) - 1, []).append(row)
    if not behind:
        return data
    made = text.spliced(
        _insertion(text, array, parts, at, new) for at, new in sorted(behind.items())
    )
    expected: list[object] = list(behind.get(-1, []))
    for number, part in enumerate(parts):
        expected += [part.value, *behind.get(number, [])]
    return _verified(made, container, expected)


def remove_rows(data: bytes, path: str, container: str, removed: Callable[[Row], bool]) -> bytes:
    """The file without the rows of the list `container` for which `removed` is true."""
    text = read(data, path)
    _, parts = _list(text, container)
    kept: list[object] = []
    splices = []
    for number, part in enumerate(parts):
        if not (isinstance(part.value, dict) and removed(part.value)):
            kept.append(part.value)
        elif kept:
            # With the comma before it; a comma behind it then follows the row before.
            splices.append(Splice(parts[number - 1].end, part.end, ""))
        else:
            last = number == len(parts) - 1
            splices.append(Splice(part.start, part.end if last else parts[number + 1].start, ""))
    made = text.spliced(splices)
    return _verified(made, container, kept)


def set_number(data: bytes, path: str, key: str, number: int) -> bytes:
    """The file with another number for a member of its object, unchanged if that is missing."""
    text = read(data, path)
    found = [part for name, part in _items(text, 0) if name == key]
    if len(found) != 1 or not isinstance(found[0].value, int):
        return data
    return text.spliced([Splice(found[0].start, found[0].end, str(number))]).data


def _insertion(
    text: Text, array: _Part, parts: list[_Part], at: int, rows: Sequence[Row]
) -> Splice:
    plain = text.text.isascii()
    if not parts:
        return Splice.insert(array.end - 1, json.dumps(rows, ensure_ascii=plain)[1:-1])
    part = parts[at]
    indent = text.indent(part.start)
    lines = "\n" in text.text[part.start : part.end]
    # A new row has before it what stands between two rows, or before the only one.
    start = parts[0].end if len(parts) > 1 else array.start + 1
    between = text.text[start : parts[1].start if len(parts) > 1 else part.start]
    if len(parts) == 1:
        between = f",{between or ' '}"
    shown = ""
    for row in rows:
        row_text = json.dumps(row, indent=2 if lines else None, ensure_ascii=plain)
        shown += between + row_text.replace("\n", f"\n{indent}")
    return Splice.insert(part.end, shown)


def _key(part: _Part, keys: Sequence[str]) -> list[object]:
    return [part.value.get(key) for key in keys] if isinstance(part.value, dict) else []


def _verified(made: Text, container: str, expected: list[object]) -> bytes:
    if [part.value for part in _list(made, container)[1]] != expected:
        raise AssertionError("an edit would have changed more than its rows")
    return made.data


def _list(text: Text, name: str) -> tuple[_Part, list[_Part]]:
    """The list that is a member of the file's object, and its elements."""
    found = [part for key, part in _items(text, 0) if key == name]
    if len(found) > 1:
        raise text.failed(
            "container-twice",
            f"`{name}` is there {len(found)} times",
            f"leave one `{name}` in the file",
            *(text.line_of(part.start) for part in found),
        )
    if not found or not isinstance(found[0].value, list):
        message = f"the file is no object with a list `{name}`"
        raise text.failed("container-missing", message, NOT_TRANSFORMER_LENS)
    return found[0], [part for _, part in _items(text, found[0].start)]


def _items(text: Text, at: int) -> Iterator[tuple[str | None, _Part]]:
    """The members of the object at an offset, or the elements of a list, which have no names."""
    at = _skip(text, at)
    named = text.text[at : at + 1] == "{"
    if not named and text.text[at : at + 1] != "[":
        return
    while True:
        at = _skip(text, at + 1)
        if text.text[at : at + 1] in ("}", "]"):
            return
        key = _value(text, at) if named else None
        part = _value(text, at if key is None else _skip(text, _skip(text, key.end) + 1))
        yield None if key is None else str(key.value), part
        at = _skip(text, part.end)
        if text.text[at : at + 1] != ",":
            return


def _value(text: Text, at: int) -> _Part:
    try:
        value, end = _DECODER.raw_decode(text.text, at)
    except (ValueError, RecursionError) as error:
        line = text.line_of(min(getattr(error, "pos", at), len(text.text)))
        message = f"this is not JSON: {getattr(error, 'msg', error)}"
        raise text.failed("unreadable-source", message, CLEAN_COPY, line) from error
    return _Part(value, at, end)


def _skip(text: Text, at: int) -> int:
    """The offset of what follows white space."""
    match = _SPACE.match(text.text, at)
    return match.end() if match else at


def add_table_row(
    data: bytes, path: str, header: Sequence[str], target: str, cells: Sequence[str],
    replace: bool = False,
) -> bytes:  # fmt: skip
    """The file with a row whose first cell links to `target`, in the table with that header.

    An existing row stays; with `replace` its first cell is replaced.
    """
    text = read(data, path)
    rows = _table_rows(text, header)
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


def _table_rows(text: Text, header: Sequence[str]) -> list[tuple[int, int]]:
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
            NOT_TRANSFORMER_LENS,
        )
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]

"""Rows of a list in a JSON file, added and removed without laying the file out anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adaptergen.edit.text import Splice, Text, read
from adaptergen.problems import listing

Row = Mapping[str, object]
_DECODER = json.JSONDecoder()
_SPACE = " \t\n\r"


@dataclass(frozen=True)
class _Part:
    """A value in the file, with where it starts and ends."""

    value: object
    start: int
    end: int


def add_rows(
    data: bytes, path: str, container: str, keys: Sequence[str], rows: Sequence[Row]
) -> bytes:
    """The file with the rows in the list `container` of its object; those that are there stay.

    `keys` are the members that tell one row from another; a new row is put behind the last one
    that has the same first key, or at the end.
    """
    text = read(data, path)
    array = _member(text, container)
    parts = list(_elements(text, array))
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
    if [part.value for part in _elements(made, _member(made, container))] != expected:
        raise AssertionError("an edit would have changed more than its rows")
    return made.data


def remove_rows(data: bytes, path: str, container: str, goes: Callable[[Row], bool]) -> bytes:
    """The file without the rows of the list `container` that `goes` says yes to."""
    text = read(data, path)
    parts = list(_elements(text, _member(text, container)))
    kept: list[object] = []
    splices = []
    for number, part in enumerate(parts):
        if not (isinstance(part.value, dict) and goes(part.value)):
            kept.append(part.value)
        elif kept:
            # With the comma before it: the one behind it, if any, serves the row before.
            splices.append(Splice(parts[number - 1].end, part.end, ""))
        else:
            last = number == len(parts) - 1
            splices.append(Splice(part.start, part.end if last else parts[number + 1].start, ""))
    made = text.spliced(splices)
    if [part.value for part in _elements(made, _member(made, container))] != kept:
        raise AssertionError("an edit would have changed more than its rows")
    return made.data


def set_number(data: bytes, path: str, key: str, number: int) -> bytes:
    """The file with another number for a member of its object; unchanged if it has no such one."""
    text = read(data, path)
    found = [part for name, part in _members(text, 0) if name == key]
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
    # What stands between two rows, or before the only one, is what stands before a new one.
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


def _member(text: Text, name: str) -> _Part:
    found = [part for key, part in _members(text, 0) if key == name]
    if len(found) > 1:
        raise text.failed(
            "container-twice",
            f"`{name}` is there {len(found)} times",
            f"leave one `{name}` in the file",
            *(text.line_of(part.start) for part in found),
        )
    if not found or not isinstance(found[0].value, list):
        raise text.failed(
            "container-missing",
            f"the file is no object with a list `{name}`",
            "check that this is TransformerLens, and which version: `adaptergen catalog --tl PATH`",
        )
    return found[0]


def _members(text: Text, at: int) -> Iterator[tuple[str, _Part]]:
    at = _skip(text, at)
    if text.text[at : at + 1] != "{":
        return
    while True:
        at = _skip(text, at + 1)
        if text.text[at : at + 1] == "}":
            return
        key = _value(text, at)
        colon = _skip(text, key.end)
        part = _value(text, _skip(text, colon + 1))
        yield str(key.value), part
        at = _skip(text, part.end)
        if text.text[at : at + 1] != ",":
            return


def _elements(text: Text, array: _Part) -> Iterator[_Part]:
    at = array.start
    while True:
        at = _skip(text, at + 1)
        if text.text[at : at + 1] == "]":
            return
        part = _value(text, at)
        yield part
        at = _skip(text, part.end)
        if text.text[at : at + 1] != ",":
            return


def _value(text: Text, at: int) -> _Part:
    try:
        value, end = _DECODER.raw_decode(text.text, at)
    except (ValueError, RecursionError) as error:
        line = text.line_of(min(getattr(error, "pos", at), len(text.text)))
        raise text.failed(
            "unreadable-source",
            f"this is not JSON: {getattr(error, 'msg', error)}",
            "take the file from a clean checkout: `git checkout -- FILE`",
            line,
        ) from error
    return _Part(value, at, end)


def _skip(text: Text, at: int) -> int:
    while at < len(text.text) and text.text[at] in _SPACE:
        at += 1
    return at

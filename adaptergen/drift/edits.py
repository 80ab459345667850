"""Edits of YAML files as text at places, so that all else stays as people wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptergen import guard
from adaptergen.output.compare import unified
from adaptergen.problems import Failed, Loc, Problem, quote
from adaptergen.source.read import parse, read_source, split_lines

_BOM = "\ufeff"
_LINE_END = re.compile("\r\n|\n|\r")

#: Text, a list, or the pairs of a mapping.
Value = str | tuple[str, ...] | frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Edit:
    """Text that stands at a line and column of a file, both from 1, and what is put there.

    `value` is what the file then has at `loc`. A line that is put there ends as those around it.
    """

    file: str
    line: int
    column: int
    old: str
    new: str
    loc: Loc
    value: Value


@dataclass(frozen=True)
class Rewritten:
    """A file as it is, and with its edits."""

    before: bytes
    after: bytes


def edited(edits: Sequence[Edit]) -> dict[Path, Rewritten]:
    """Every file that is edited. Raises `Failed` where an edit has to be made by hand."""
    made: dict[Path, Rewritten] = {}
    problems: list[Problem] = []
    for file in dict.fromkeys(edit.file for edit in edits):
        own = [edit for edit in edits if edit.file == file]
        before = guard.read(Path(file))
        text = before.decode("utf-8")
        after = _applied(text, own)
        if not _says(text, after, own):
            apart = [edit for edit in own if not _says(text, _applied(text, [edit]), [edit])]
            problems += by_hand(apart or own, "as it is laid out, this cannot be edited")
        made[Path(file)] = Rewritten(before, after.encode())
    if problems:
        raise Failed(problems)
    return made


def by_hand(edits: Iterable[Edit], why: str) -> list[Problem]:
    """A problem for each edit that a person has to make, with what is to be written."""
    problems: list[Problem] = []
    for edit in edits:
        hint = f"write {quote(f'{edit.loc[-1]}: {flow(edit.value)}', 200)} here by hand"
        source = read_source(Path(edit.file), edit.file)
        problems.append(source.problem("update-by-hand", why, hint, edit.loc, key=True))
    return problems


def diff(texts: Mapping[Path, Rewritten]) -> str:
    """What would change, as a unified diff."""
    files = sorted(texts.items(), key=lambda item: item[0])
    return "".join(unified(path.as_posix(), text.before, text.after) for path, text in files)


def flow(value: Value) -> str:
    """A value in the style of YAML that is one line."""
    if isinstance(value, frozenset):
        return f"{{{', '.join(f'{name}: {text}' for name, text in sorted(value))}}}"
    return value if isinstance(value, str) else f"[{', '.join(value)}]"


def _data_of(value: Value) -> Any:
    if isinstance(value, frozenset):
        return dict(value)
    return value if isinstance(value, str) else [*value]


def _applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with those edits whose old text is there."""
    bom = text[: text.startswith(_BOM)]
    body = text[len(bom) :]
    ends = list(_LINE_END.finditer(body))
    starts = [0, *(end.end() for end in ends)]
    # From the end, so that places before an edit stay what they are.
    for edit in sorted(edits, key=lambda e: (e.line, e.column), reverse=True):
        if edit.line > len(starts):
            continue
        at = starts[edit.line - 1] + edit.column - 1
        end = ends[edit.line - 1 : edit.line] or ends[:1]
        old, new = (
            text.replace("\n", end[0].group()) if end else text for text in (edit.old, edit.new)
        )
        if body.startswith(old, at):
            body = body[:at] + new + body[at + len(old) :]
    return bom + body


def _says(before: str, after: str, edits: Iterable[Edit]) -> bool:
    """Whether a text says what the one before does but for what its edits are to change."""
    meant, said = _data(before), _data(after)
    for edit in edits:
        around = meant
        for part in edit.loc[:-1]:
            around = around[part]
        around[edit.loc[-1]] = _data_of(edit.value)
    return bool(meant == said)


def _data(text: str) -> Any:
    """What a text says; None if it cannot be read."""
    plain = text.removeprefix(_BOM)
    try:
        root, problems = parse(plain, "", split_lines(plain))
    except Failed:
        return None
    return None if problems else root.value

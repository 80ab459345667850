"""Edits of a spec that follow from what changed.

They are text at places of YAML files, so that all else stays as people wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptergen import guard
from adaptergen.drift.compare import renamed_kinds
from adaptergen.lock.declared import nodes_of
from adaptergen.lock.entry import Entry
from adaptergen.output.compare import unified
from adaptergen.plan.model import Plan
from adaptergen.problems import Failed, Loc, Problem, SourceLocation, quote
from adaptergen.records import DriftFinding as Finding
from adaptergen.source.read import parse, read_source
from adaptergen.source.source import Source
from adaptergen.spec.load import PACKAGED

_BOM = "\ufeff"
_RELEASE = re.compile(r"\d+\.\d+\.\d+")
_LINE_END = re.compile("\r\n|\n|\r")

#: Text, or a list.
Value = str | tuple[str, ...]


@dataclass(frozen=True)
class Edit:
    """Text that stands at a place of a file, and what is put there.

    `value` is what the file then has at `loc`. A line that is put there ends as those around it.
    """

    place: SourceLocation
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
    for file in dict.fromkeys(edit.place.path for edit in edits):
        own = [edit for edit in edits if edit.place.path == file]
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
        hint = f"write {quote(f'{edit.loc[-1]}: {_flow(edit.value)}', 200)} here by hand"
        source = read_source(Path(edit.place.path), edit.place.path)
        problems.append(source.problem("update-by-hand", why, hint, edit.loc, key=True))
    return problems


def diff(texts: Mapping[Path, Rewritten]) -> str:
    """What would change, as a unified diff."""
    files = sorted(texts.items(), key=lambda item: item[0])
    return "".join(unified(path.as_posix(), text.before, text.after) for path, text in files)


def _flow(value: Value) -> str:
    """A value in the style of YAML that is one line."""
    return value if isinstance(value, str) else f"[{', '.join(value)}]"


def _applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with those edits whose old text is there."""
    bom = text[: text.startswith(_BOM)]
    body = text[len(bom) :]
    ends = list(_LINE_END.finditer(body))
    starts = [0, *(end.end() for end in ends)]
    # From the end, so that places before an edit stay what they are.
    for edit in sorted(edits, key=lambda e: (e.place.line, e.place.column), reverse=True):
        if edit.place.line > len(starts):
            continue
        at = starts[edit.place.line - 1] + edit.place.column - 1
        end = ends[edit.place.line - 1 : edit.place.line] or ends[:1]
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
        around[edit.loc[-1]] = edit.value if isinstance(edit.value, str) else [*edit.value]
    return bool(meant == said)


def _data(text: str) -> Any:
    """What a text says; None if it cannot be read."""
    plain = text.removeprefix(_BOM)
    try:
        root, problems = parse(plain, "")
    except Failed:
        return None
    return None if problems else root.value


def derived_edits(plan: Plan, old: Entry, new: Entry, findings: Iterable[Finding]) -> list[Edit]:
    """Modules that are elsewhere now, and kinds that are called otherwise."""
    findings = list(findings)
    edits = [edit for finding in findings for edit in _path(plan, finding)]
    for before, after in renamed_kinds(old, new).items():
        if before in plan.spec.blocks.kinds:
            edits.append(_also_called(plan.at().source, before, after))
    return list(dict.fromkeys(edits))


def verified_edit(plan: Plan, transformers: str, others: Iterable[Edit] = ()) -> Edit | None:
    """The release among those that the spec was verified with; None if it is there, or is none.

    With another path of a module, it is the only one: older releases do not have the path.
    """
    if transformers in plan.spec.verified_with.transformers or not _RELEASE.fullmatch(transformers):
        return None
    source, loc = plan.at().source, ("verified_with", "transformers")
    if any(edit.loc[-1] == "path" for edit in others):
        return _only(source, loc, transformers)
    return _one_more(source, loc, transformers)


def _path(plan: Plan, finding: Finding) -> Iterator[Edit]:
    if finding.code != "path-renamed":
        return
    old, new = finding.paths
    for kind in finding.kinds:
        node = nodes_of(plan, kind).get(old)
        around = old[: len(old) - len(node.path)] if node else ""
        if node is None or not new.startswith(around):
            continue
        source, loc = node.where.source, (*node.where.loc, "path")
        # A path may be that of a parameter of a shape, or in a shape that comes with adaptergen;
        # that is for a person to change.
        if source.value(loc) == node.path and not source.path.startswith(PACKAGED):
            place, value = source.place(loc), new[len(around) :]
            text = _like(source, place, value)
            written = _text(source, place)[: place.length]
            yield Edit(place, written, text, loc, value)


def _also_called(source: Source, kind: str, word: str) -> Edit:
    """Another name for a kind, in the list that has those of other releases."""
    where = ("blocks", "kinds", kind)
    names = (*where, "formerly")
    if source.value(names) is not None:
        return _one_more(source, names, word)
    first = source.place((*where, next(iter(source.value(where)))), key=True)
    if _text(source, source.place(where)).startswith("{"):
        return Edit(first, "", f"formerly: [{word}], ", names, (word,))
    indent, end = _before(source, first), _end(source, source.place(where, key=True))
    return Edit(end, "", f"\n{indent}formerly: [{word}]", names, (word,))


def _one_more(source: Source, loc: Loc, item: str) -> Edit:
    """One more item of a list, laid out as its last one is."""
    items, start = source.value(loc), source.place(loc)
    value = (*items, item)
    if not items:
        return Edit(start, "[", f"[{item}", loc, value)
    last = source.place((*loc, len(items) - 1))
    text, before = _like(source, last, item), _before(source, last)
    if not _text(source, start).startswith("["):
        return Edit(_end(source, last), "", f"\n{before}{text}", loc, value)
    after = _text(source, last)[last.length :]
    behind = SourceLocation(last.path, last.line, last.column + last.length)
    rest = re.fullmatch(r"(,?)(\s*(?:#.*)?)", after)
    if rest and not before.strip():
        comma, comment = rest.groups()
        return Edit(behind, after, f",{comment}\n{before}{text}{comma}", loc, value)
    return Edit(behind, "", f", {text}", loc, value)


def _only(source: Source, loc: Loc, item: str) -> Edit:
    """One item in the place of all that a list has."""
    places = [source.place((*loc, number)) for number in range(len(source.value(loc)))]
    if not places:
        return _one_more(source, loc, item)
    first, last = places[0], places[-1]
    lines = list(source.lines[first.line - 1 : last.line])
    lines[-1] = lines[-1][: last.column - 1 + last.length]
    lines[0] = lines[0][first.column - 1 :]
    return Edit(first, "\n".join(lines), _like(source, first, item), loc, (item,))


def _text(source: Source, place: SourceLocation) -> str:
    return source.lines[place.line - 1][place.column - 1 :]


def _before(source: Source, place: SourceLocation) -> str:
    return source.lines[place.line - 1][: place.column - 1]


def _end(source: Source, place: SourceLocation) -> SourceLocation:
    """The end of the line of a place."""
    return SourceLocation(place.path, place.line, len(source.lines[place.line - 1]) + 1)


def _like(source: Source, place: SourceLocation, text: str) -> str:
    """The text in the quotes that what stands at a place has."""
    sign = _text(source, place)[:1]
    return f"{sign}{text}{sign}" if sign in ('"', "'") else text

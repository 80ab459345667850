"""Edits of a spec that follow from what changed: text at places, so that the rest stays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from adaptergen.drift.edits import Edit, Value
from adaptergen.drift.finding import Finding
from adaptergen.drift.kinds import renamed_kinds
from adaptergen.lock.declared import nodes_of
from adaptergen.lock.entry import Entry
from adaptergen.plan.model import Plan
from adaptergen.problems import Loc, SourceLocation
from adaptergen.source.source import Source

_RELEASE = re.compile(r"\d+\.\d+\.\d+")


def derived_edits(
    plan: Plan, source: Source, old: Entry, new: Entry, findings: Iterable[Finding]
) -> list[Edit]:
    """Modules that are elsewhere now, and kinds that are called otherwise."""
    findings = list(findings)
    edits = [edit for finding in findings for edit in _path(plan, finding)]
    for before, after in renamed_kinds(old, new).items():
        if before in plan.spec.blocks.kinds:
            edits.append(_also_called(source, before, after))
    return list(dict.fromkeys(edits))


def verified_edit(
    source: Source, plan: Plan, transformers: str, others: Iterable[Edit] = ()
) -> Edit | None:
    """The release among those that the spec was verified with; None if it is there, or is none.

    With another path of a module, it is the only one: older releases do not have the path.
    """
    if transformers in plan.spec.verified_with.transformers or not _RELEASE.fullmatch(transformers):
        return None
    loc = ("verified_with", "transformers")
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
        # A path may be that of a parameter of a shape; that is for a person to change.
        if source.value(loc) == node.path:
            place, value = source.place(loc), new[len(around) :]
            text = _like(source, place, value)
            yield _edit(source, place, _written(source, place), text, loc, value)


def _also_called(source: Source, kind: str, word: str) -> Edit:
    """Another name for a kind, in the list that has those of other releases."""
    where = ("blocks", "kinds", kind)
    names = (*where, "formerly")
    if source.value(names) is not None:
        return _one_more(source, names, word)
    first = source.place((*where, next(iter(source.value(where)))), key=True)
    if _text(source, source.place(where)).startswith("{"):
        return _edit(source, first, "", f"formerly: [{word}], ", names, (word,))
    indent, end = _before(source, first), _end(source, source.place(where, key=True))
    return _edit(source, end, "", f"\n{indent}formerly: [{word}]", names, (word,))


def _one_more(source: Source, loc: Loc, item: str) -> Edit:
    """One more item of a list, laid out as its last one is."""
    items, start = source.value(loc), source.place(loc)
    value = (*items, item)
    if not items:
        return _edit(source, start, "[", f"[{item}", loc, value)
    last = source.place((*loc, len(items) - 1))
    text, before = _like(source, last, item), _before(source, last)
    if not _text(source, start).startswith("["):
        return _edit(source, _end(source, last), "", f"\n{before}{text}", loc, value)
    after = _text(source, last)[last.length :]
    behind = SourceLocation(last.path, last.line, last.column + last.length)
    rest = re.fullmatch(r"(,?)(\s*(?:#.*)?)", after)
    if rest and not before.strip():
        comma, comment = rest.groups()
        return _edit(source, behind, after, f",{comment}\n{before}{text}{comma}", loc, value)
    return _edit(source, behind, "", f", {text}", loc, value)


def _only(source: Source, loc: Loc, item: str) -> Edit:
    """One item in the place of all that a list has."""
    places = [source.place((*loc, number)) for number in range(len(source.value(loc)))]
    if not places:
        return _one_more(source, loc, item)
    first, last = places[0], places[-1]
    lines = list(source.lines[first.line - 1 : last.line])
    lines[-1] = lines[-1][: last.column - 1 + last.length]
    lines[0] = lines[0][first.column - 1 :]
    return _edit(source, first, "\n".join(lines), _like(source, first, item), loc, (item,))


def _edit(
    source: Source, place: SourceLocation, old: str, new: str, loc: Loc, value: Value
) -> Edit:
    return Edit(source.path, place.line, place.column, old, new, loc, value)


def _text(source: Source, place: SourceLocation) -> str:
    return source.lines[place.line - 1][place.column - 1 :]


def _written(source: Source, place: SourceLocation) -> str:
    return _text(source, place)[: place.length]


def _before(source: Source, place: SourceLocation) -> str:
    return source.lines[place.line - 1][: place.column - 1]


def _end(source: Source, place: SourceLocation) -> SourceLocation:
    """The end of the line of a place."""
    return SourceLocation(place.path, place.line, len(source.lines[place.line - 1]) + 1)


def _like(source: Source, place: SourceLocation, text: str) -> str:
    """The text in the quotes that what stands at a place has."""
    sign = _text(source, place)[:1]
    return f"{sign}{text}{sign}" if sign in ('"', "'") else text

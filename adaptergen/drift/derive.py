"""Edits of a spec that follow from what changed: text at places, so that the rest stays."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from adaptergen.drift.finding import Finding
from adaptergen.drift.kinds import renamed_kinds
from adaptergen.lock.declared import nodes_of
from adaptergen.lock.entry import Entry
from adaptergen.plan import Plan
from adaptergen.problems import Place
from adaptergen.source import Source


@dataclass(frozen=True)
class Edit:
    """Text that stands at a line and column of a file, both from 1, and what is put there."""

    file: str
    line: int
    column: int
    old: str
    new: str


def derived_edits(
    plan: Plan, source: Source, old: Entry, new: Entry, findings: Iterable[Finding]
) -> list[Edit]:
    """Paths of modules that are elsewhere now, and names of kinds that have another."""
    edits = [edit for finding in findings for edit in _path(plan, finding)]
    for before, after in renamed_kinds(old, new).items():
        if before in plan.spec.blocks.kinds:
            edits.append(_also_called(source, before, after))
    return list(dict.fromkeys(edits))


def proved_edit(source: Source, plan: Plan, transformers: str) -> Edit | None:
    """The release among those that the spec is proved on; None if it is there."""
    known = plan.spec.proved_on.transformers
    if transformers in known:
        return None
    place = source.place(("proved_on", "transformers", len(known) - 1))
    return Edit(source.path, place.line, place.column, known[-1], f"{known[-1]}, {transformers}")


def edited(edits: Iterable[Edit]) -> dict[Path, str]:
    """The new text of every file that is edited."""
    texts: dict[Path, list[str]] = {}
    # From the end, so that places before an edit stay what they are.
    for edit in sorted(edits, key=lambda e: (e.file, e.line, e.column), reverse=True):
        path = Path(edit.file)
        lines = texts.setdefault(path, path.read_text(encoding="utf-8").splitlines(keepends=True))
        line, at = lines[edit.line - 1], edit.column - 1
        assert line[at:].startswith(edit.old), "the place is that of the text"
        lines[edit.line - 1] = line[:at] + edit.new + line[at + len(edit.old) :]
    return {path: "".join(lines) for path, lines in texts.items()}


def diff(texts: dict[Path, str]) -> str:
    """What would change, as a unified diff."""
    parts: list[str] = []
    for path, text in sorted(texts.items()):
        before = path.read_text(encoding="utf-8").splitlines(keepends=True)
        name = path.as_posix()
        parts += difflib.unified_diff(before, text.splitlines(keepends=True), name, name)
    return "".join(parts)


def _path(plan: Plan, finding: Finding) -> Iterator[Edit]:
    if finding.code != "path-renamed":
        return
    old, new = finding.paths
    for kind in finding.kinds:
        node = nodes_of(plan, kind).get(old)
        around = old[: len(old) - len(node.path)] if node else ""
        if node is None or not new.startswith(around):
            continue
        place = node.where.source.place((*node.where.loc, "path"))
        # A path may be that of a parameter of a shape; that is for a person to change.
        if _text(node.where.source, place).startswith(node.path):
            yield Edit(place.path, place.line, place.column, node.path, new[len(around) :])


def _also_called(source: Source, kind: str, word: str) -> Edit:
    """Another name for a kind, in the list that has those of other releases."""
    where = ("blocks", "kinds", kind)
    key, names = source.place(where, key=True), source.place((*where, "formerly"))
    text = _text(source, names)
    if names.line > key.line and text.startswith("["):
        return Edit(source.path, names.line, names.column, "[", f"[{word}, ")
    head = source.lines[key.line - 1][key.column - 1 :]
    pad = " " * (key.column + 1)
    return Edit(source.path, key.line, key.column, head, f"{head}\n{pad}formerly: [{word}]")


def _text(source: Source, place: Place) -> str:
    return source.lines[place.line - 1][place.column - 1 :]

"""Entries of lists, sets and dicts: added, replaced, removed."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from adaptergen.edit.container import Container, find, name_of
from adaptergen.edit.insert import group_under, insertion
from adaptergen.edit.text import Splice, Text, read
from adaptergen.edit.verify import drop, verify
from adaptergen.problems import quote

_WIDTH = 100


@dataclass(frozen=True)
class Entry:
    """What a container shall hold: an item, or a key with the source text of its value."""

    container: str
    kind: str
    """`list`, `set` or `dict`."""
    name: str
    value: str = ""
    """Only in a dict: a name, or a literal."""
    under: str = ""
    """The comment that opens the group it belongs to, where no order gives it a place."""
    heading: bool = False
    """That comment is written if it is not there."""


def add(data: bytes, path: str, entry: Entry) -> bytes:
    """The file with the entry; the same bytes if it is there. `Failed` if it cannot be."""
    text = read(data, path)
    tree = text.tree()
    container = find(text, tree, entry.container, entry.kind)
    number = _number(text, container, entry.name, entry.container)
    if number is not None:
        _check_value(text, container, number, entry)
        return data
    item = _item(entry, text.indent(container.opening))
    splices = insertion(text, container, entry.name, item, entry.under, entry.heading)
    made = text.spliced(splices)
    after = made.tree()
    changed = find(made, after, entry.container, entry.kind)
    new = [number for number, name in enumerate(changed.names) if name == entry.name]
    if len(new) == 1:
        _check_value(made, changed, new[0], entry)
        drop(changed.node, new[0])
    verify(tree, after)
    return made.data


def replace(data: bytes, path: str, entry: Entry) -> bytes:
    """The file with the value of an entry that is there, as it shall be."""
    text = read(data, path)
    tree = text.tree()
    container = find(text, tree, entry.container, entry.kind)
    number = _number(text, container, entry.name, entry.container)
    if number is None or not isinstance(container.node, ast.Dict):
        return add(data, path, entry)
    value = container.node.values[number]
    if _same(value, entry.value):
        return data
    made = text.spliced([Splice(text.start(value), text.end(value), entry.value)])
    after = made.tree()
    changed = find(made, after, entry.container, entry.kind)
    _check_value(made, changed, number, entry)
    drop(changed.node, number)
    drop(container.node, number)
    verify(tree, after)
    return made.data


def names_under(data: bytes, path: str, container: str, kind: str, under: str) -> list[str]:
    """The names in the group that the comment `under` opens; none if there is no such group."""
    text = read(data, path)
    found = find(text, text.tree(), container, kind)
    return [name for name in group_under(text, found, under) if name is not None]


def check(data: bytes, path: str) -> None:
    """`Failed` if the file cannot be edited, whatever the edit."""
    text = read(data, path)
    if path.endswith(".py"):
        text.tree()


def remove(data: bytes, path: str, entry: Entry, number: int = -1) -> bytes:
    """The file without one of the entries of that name, by default the last of them."""
    text = read(data, path)
    tree = text.tree()
    container = find(text, tree, entry.container, entry.kind)
    at = [n for n, name in enumerate(container.names) if name == entry.name][number]
    made = text.spliced(_removal(text, container, at))
    after = made.tree()
    drop(container.node, at)
    verify(tree, after)
    return made.data


def _removal(text: Text, container: Container, at: int) -> list[Splice]:
    item, items = container.items[at], container.items
    start, end = text.line_start(item.start), text.line_end(item.behind)
    before = items[at - 1].behind if at else container.opening
    after = items[at + 1].start if at + 1 < len(items) else container.closing
    rest = [other for other in items if other is not item]
    # A tuple of one needs its comma.
    bare = isinstance(container.node, ast.Tuple) and len(rest) == 1 and rest[0].comma is None
    comma = [Splice.insert(rest[0].end, ",")] if bare else []
    if before < start and end < after:
        # Alone on its lines: they go, with the comment that may stand behind it.
        return [*comma, Splice(start, end + 1, "")]
    if at + 1 < len(items):
        return [*comma, Splice(item.start, after, "")]
    if not rest:
        return [Splice(item.start, item.behind, "")]
    # The comma before it stays where the item had none that could take its place.
    kept = before if item.comma is None and isinstance(container.node, ast.Tuple) else rest[-1].end
    return [Splice(kept, item.end, "")]


def _number(text: Text, container: Container, name: str, called: str) -> int | None:
    found = [number for number, other in enumerate(container.names) if other == name]
    if len(found) > 1:
        raise text.failed(
            "entry-twice",
            f"{quote(name)} is {len(found)} times in `{called}`",
            "leave one of them: `adaptergen audit PATH --fix` removes what is there twice",
            *(text.line_of(container.items[number].start) for number in found),
        )
    return found[0] if found else None


def _check_value(text: Text, container: Container, number: int, entry: Entry) -> None:
    if not isinstance(container.node, ast.Dict):
        return
    value = container.node.values[number]
    if not _same(value, entry.value):
        raise text.failed(
            "entry-differs",
            f"{quote(entry.name)} is in `{entry.container}` with another value: "
            f"{quote(ast.unparse(value))}, not {quote(entry.value)}",
            "make the spec say the same, or change the entry by hand first",
            text.line_of(container.items[number].start),
        )


def _same(value: ast.expr, wanted: str) -> bool:
    return ast.dump(value) == ast.dump(ast.parse(wanted, mode="eval").body)


def _item(entry: Entry, indent: str) -> str:
    if entry.kind != "dict":
        return _text(entry.name)
    line = f"{_text(entry.name)}: {entry.value}"
    value = ast.parse(entry.value, mode="eval").body
    if isinstance(value, ast.List) and len(indent) + 4 + len(line) + 1 > _WIDTH:
        # As black writes a list that is too long for a line.
        parts = "".join(f"\n    {_text(name_of(part) or '')}," for part in value.elts)
        return f"{_text(entry.name)}: [{parts}\n]"
    return line


def _text(value: str) -> str:
    """A string literal as black writes it."""
    shown = repr(value)
    return f'"{shown[1:-1]}"' if shown[0] == "'" and '"' not in shown else shown

"""Entries of lists, sets and dicts: added, replaced, removed."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from adaptergen.edit.container import Container, find, group_under, insertion, name_of
from adaptergen.edit.text import Splice, Text, read
from adaptergen.problems import quote

_WIDTH = 100


@dataclass(frozen=True)
class Entry:
    """An item of a container, or a key with the source text of its value."""

    container: str
    kind: str
    """`list`, `set` or `dict`."""
    name: str
    value: str = ""
    """Only in a dict: a name, or a literal."""
    under: str = ""
    """The comment above the group it belongs to, in a container that is not sorted."""
    heading: bool = False
    """That comment is added if it is missing."""


def add(data: bytes, path: str, entry: Entry) -> bytes:
    """The file with the entry, unchanged if it has it. `Failed` if it cannot be edited."""
    text, tree, container = _open(data, path, entry)
    number = _number(text, container, entry)
    if number is not None:
        _check_value(text, container, number, entry)
        return data
    item = _item(entry, text.indent(container.opening))
    made = text.spliced(insertion(text, container, entry.name, item, entry.under, entry.heading))
    after = made.tree()
    changed = find(made, after, entry.container, entry.kind)
    number = changed.names.index(entry.name)
    _check_value(made, changed, number, entry)
    drop(changed.node, number)
    verify(tree, after)
    return made.data


def replace(data: bytes, path: str, entry: Entry) -> bytes:
    """The file with that value of an entry, which is added if it is missing."""
    text, tree, container = _open(data, path, entry)
    number = _number(text, container, entry)
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


def remove(data: bytes, path: str, entry: Entry) -> bytes:
    """The file without the entry, of several of that name without the last."""
    text, tree, container = _open(data, path, entry)
    at = [number for number, name in enumerate(container.names) if name == entry.name][-1]
    made = text.spliced(_removal(text, container, at))
    drop(container.node, at)
    verify(tree, made.tree())
    return made.data


def names_under(data: bytes, path: str, container: str, kind: str, under: str) -> list[str]:
    """The names in the group below the comment `under`; none if there is no such group."""
    text = read(data, path)
    found = find(text, text.tree(), container, kind)
    return group_under(text, found, under)


def check(data: bytes, path: str) -> None:
    """Raises `Failed` if the file cannot be edited at all."""
    text = read(data, path)
    if path.endswith(".py"):
        text.tree()


def drop(node: ast.expr | ast.ImportFrom, number: int) -> None:
    """Take one entry out of a node."""
    if isinstance(node, ast.Dict):
        del node.keys[number], node.values[number]
    elif isinstance(node, ast.ImportFrom):
        del node.names[number]
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        del node.elts[number]


def verify(before: ast.Module, after: ast.Module) -> None:
    """Both trees are equal, the entry dropped; a difference is a bug, and nothing is written."""
    if ast.dump(before) != ast.dump(after):
        raise AssertionError("an edit would have changed more than its entry")


def _open(data: bytes, path: str, entry: Entry) -> tuple[Text, ast.Module, Container]:
    text = read(data, path)
    tree = text.tree()
    return text, tree, find(text, tree, entry.container, entry.kind)


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
        # Alone on its lines, which are removed with a comment behind it.
        return [*comma, Splice(start, end + 1, "")]
    if at + 1 < len(items):
        return [*comma, Splice(item.start, after, "")]
    if not rest:
        return [Splice(item.start, item.behind, "")]
    # The comma before it stays if the tuple had none behind it.
    kept = before if item.comma is None and isinstance(container.node, ast.Tuple) else rest[-1].end
    return [Splice(kept, item.end, "")]


def _number(text: Text, container: Container, entry: Entry) -> int | None:
    found = [number for number, name in enumerate(container.names) if name == entry.name]
    if len(found) > 1:
        raise text.failed(
            "entry-twice",
            f"{quote(entry.name)} is {len(found)} times in `{entry.container}`",
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

"""Containers in Python source: a display bound to a name, and where a new item belongs in it.

The least text is inserted, in the form that the other items have: in order where they are in order,
or else at the end.
"""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from adaptergen.edit.text import NOT_TRANSFORMER_LENS, Splice, Text

_SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
_DISPLAYS: dict[str, tuple[type[ast.expr], ...]] = {
    "list": (ast.List, ast.Tuple),
    "set": (ast.Set,),
    "dict": (ast.Dict,),
}
#: Entries are taken for sorted if so many neighbours are in order.
_SORTED_RUN = 4

_SortKey = tuple["str | int", ...]


@dataclass(frozen=True)
class Token:
    """A token with its offsets."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Item:
    """One item: offsets of its first and behind its last token, and of the comma, if any."""

    name: str | None
    """The text of the item, or of its key; None if that is no string literal."""
    start: int
    end: int
    comma: int | None

    @property
    def behind(self) -> int:
        """The offset behind the item and its comma."""
        return self.end if self.comma is None else self.comma + 1


@dataclass(frozen=True)
class Container:
    """A list, tuple, set or dict display, or the names of an import statement."""

    opening: int
    """The offset behind the opening bracket."""
    closing: int
    """The offset of the closing bracket, or behind the last name where there is none."""
    items: tuple[Item, ...]
    node: ast.expr | ast.ImportFrom
    bracketed: bool = True

    @property
    def names(self) -> list[str | None]:
        """The names of the items."""
        return [item.name for item in self.items]


def tokens(text: Text) -> list[Token]:
    """The tokens of a file, without comments and white space."""
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text.text).readline):
        if token.type not in _SILENT and token.type != tokenize.ENDMARKER:
            start, end = (text.starts[row - 1] + col for row, col in (token.start, token.end))
            found.append(Token(token.string, start, end))
    return found


def find(text: Text, tree: ast.Module, name: str, kind: str) -> Container:
    """The one container of that name; `Failed` if there is none, or more than one."""
    bound = [statement for statement in top_level(tree) if name in _targets(statement)]
    if len(bound) > 1:
        raise text.failed(
            "container-twice",
            f"`{name}` is set {len(bound)} times, so it is not clear which one counts",
            f"leave one place in the file that sets `{name}`",
            *(statement.lineno for statement in bound),
        )
    value = getattr(bound[0], "value", None) if bound else None
    if isinstance(value, _DISPLAYS[kind]) and not isinstance(bound[0], ast.AugAssign):
        start, end = text.start(value), text.end(value)
        if text.text[start] in "([{":
            inside = [one for one in tokens(text) if start < one.start and one.end < end]
            named: list[ast.expr | None] = getattr(value, "elts", [])
            last: list[ast.expr] = getattr(value, "elts", [])
            if isinstance(value, ast.Dict):
                named, last = value.keys, value.values
            items = split(inside, [name_of(one) for one in named], [text.end(one) for one in last])
            return Container(start + 1, end - 1, items, value)
    raise text.failed(
        "container-missing",
        f"there is no {kind} called `{name}` written out at the top level of the file"
        if not bound
        else f"`{name}` is not a {kind} that is written out",
        NOT_TRANSFORMER_LENS,
        *(statement.lineno for statement in bound),
    )


def split(
    found: Sequence[Token], names: Sequence[str | None], ends: Sequence[int]
) -> tuple[Item, ...]:
    """The items that consist of the tokens; `ends` are the offsets behind their syntax nodes."""
    items: list[Item] = []
    rest = list(found)
    for name, end in zip(names, ends, strict=True):
        # A comma before the end belongs to the item; brackets of the item may close behind it.
        commas = (at for at, token in enumerate(rest) if token.text == "," and token.start >= end)
        at = next(commas, len(rest))
        comma = rest[at].start if at < len(rest) else None
        items.append(Item(name, rest[0].start, rest[at - 1].end, comma))
        rest = rest[at + 1 :]
    return tuple(items)


def name_of(node: ast.expr | None) -> str | None:
    """The text of a string literal."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def top_level(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, nested ones included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from top_level(child)


def _targets(statement: ast.stmt) -> set[str]:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        # A bare annotation binds nothing.
        targets = [statement.target] if statement.value is not None else []
    return {
        node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
    }


def insertion(
    text: Text, container: Container, name: str, item: str, under: str = "", heading: bool = False
) -> list[Splice]:
    """The splices that put `item`, called `name`, where it belongs.

    Without an order the item goes to the end of the group below the comment `under`, or to the end
    of the container. `heading`: a missing group is added.
    """
    items = container.items
    if not items:
        return [_into_nothing(text, container, item)]
    groups = _groups(text, container)
    at = None if heading else place(container.names, groups, name)
    if at is not None:
        return (
            _after(text, container, at - 1, item) if at else [_before_first(text, container, item)]
        )
    last = _last_of_group(text, container, groups, under) if under else None
    on_own_lines = "\n" in text.text[items[-1].behind : container.closing]
    if last is None and heading and on_own_lines:
        item = f"# {under}\n{item}"
    return _after(text, container, len(items) - 1 if last is None else last, item)


def group_under(text: Text, container: Container, under: str) -> list[str]:
    """The names of the items in the group that opens with a comment."""
    groups = _groups(text, container)
    last = _last_of_group(text, container, groups, under)
    pairs = zip(container.names, groups, strict=False)
    return [name for name, group in pairs if last is not None and group == groups[last] and name]


def _after(text: Text, container: Container, number: int, item: str) -> list[Splice]:
    before = container.items[number]
    last = number == len(container.items) - 1
    follows = container.closing if last else container.items[number + 1].start
    comma = "," if before.comma is not None else ""
    if not container.bracketed or "\n" not in text.text[before.behind : follows]:
        if comma:
            return [Splice.insert(before.behind, f" {item},")]
        return [Splice.insert(before.end, f", {item}")]
    line = f"\n{textwrap.indent(item, _indent(text, container, number))}{comma}"
    splices = [Splice.insert(text.line_end(before.behind), line)]
    return splices if comma else [Splice.insert(before.end, ","), *splices]


def _before_first(text: Text, container: Container, item: str) -> Splice:
    first = container.items[0]
    if container.bracketed and _starts_line(text, first.start):
        line = textwrap.indent(item, text.indent(first.start))
        return Splice.insert(text.line_start(first.start), f"{line},\n")
    return Splice.insert(first.start, f"{item}, ")


def _into_nothing(text: Text, container: Container, item: str) -> Splice:
    comma = "," if text.text[container.opening - 1] == "(" else ""
    if "\n" not in text.text[container.opening : container.closing]:
        return Splice.insert(container.closing, f"{item}{comma}")
    indent = text.indent(container.closing) + "    "
    if _starts_line(text, container.closing):
        line = f"{textwrap.indent(item, indent)},\n"
        return Splice.insert(text.line_start(container.closing), line)
    return Splice.insert(container.closing, f"{item},")


def _indent(text: Text, container: Container, number: int) -> str:
    for item in (container.items[number], *container.items):
        if _starts_line(text, item.start):
            return text.indent(item.start)
    return text.indent(container.opening) + "    "


def _starts_line(text: Text, offset: int) -> bool:
    return not text.text[text.line_start(offset) : offset].strip()


def _groups(text: Text, container: Container) -> list[int]:
    """The group of each item: comments and blank lines of their own part them."""
    groups, current = [0], 0
    for before, item in pairwise(container.items):
        between = text.text[before.behind : item.start].split("\n")[1:-1]
        # A line between two items holds a comment or nothing, or the comma.
        current += any(line.strip().startswith("#") or not line.strip() for line in between)
        groups.append(current)
    return groups


def _last_of_group(text: Text, container: Container, groups: list[int], under: str) -> int | None:
    """The last item of the group that opens with the comment `under`."""
    wanted = f"# {under}".casefold()
    previous = container.opening
    for number, item in enumerate(container.items):
        lines = text.text[previous : item.start].split("\n")
        if any(line.strip().casefold() == wanted for line in lines):
            return max(other for other, group in enumerate(groups) if group == groups[number])
        previous = item.behind
    return None


def _sort_key(name: str) -> _SortKey:
    """Case does not matter, and numbers are ordered by value, as in isort."""
    parts = re.split(r"(\d+)", name.casefold())
    return tuple(int(part) if number % 2 else part for number, part in enumerate(parts))


def place(names: Sequence[str | None], groups: Sequence[int], name: str) -> int | None:
    """Before which of the others `name` belongs; None if they are not sorted around it.

    `groups` numbers the groups of entries, which comments or blank lines separate. An entry
    without a name (None) interrupts the order.
    """
    keys = [None if one is None else _sort_key(one) for one in names]
    new = _sort_key(name)
    known = [key for key in keys if key is not None]
    if len(set(groups)) <= 1 and len(known) == len(keys) and known == sorted(known):
        return bisect_right(known, new)
    best: tuple[int, int] | None = None
    for start, end in _runs(keys, groups):
        run = [key for key in keys[start:end] if key is not None]
        at = bisect_right(run, new)
        if len(run) >= _SORTED_RUN and 0 < at < len(run) and (best is None or len(run) > best[0]):
            best = len(run), start + at
    return best[1] if best else None


def _runs(keys: Sequence[_SortKey | None], groups: Sequence[int]) -> list[tuple[int, int]]:
    """The longest stretches in ascending order, each within one group."""
    runs, start = [], 0
    for number in range(1, len(keys) + 1):
        if number < len(keys):
            one, other = keys[number - 1], keys[number]
            same = groups[number - 1] == groups[number]
            if same and one is not None and other is not None and one < other:
                continue
        runs.append((start, number))
        start = number
    return runs

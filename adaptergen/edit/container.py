"""A container in a source file: a display bound to a name, with the place of every item."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adaptergen.edit.text import Text

_SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
DISPLAYS: dict[str, tuple[type[ast.expr], ...]] = {
    "list": (ast.List, ast.Tuple),
    "set": (ast.Set,),
    "dict": (ast.Dict,),
}


@dataclass(frozen=True)
class Token:
    """A token with its offsets; what is silent is left out."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Item:
    """One item: offsets of its first and behind its last token, and of the comma, if any."""

    name: str | None
    """The text of the item, or of its key; None if it is no plain text."""
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
    """What counts in the file, in order."""
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text.text).readline):
        if token.type not in _SILENT and token.type != tokenize.ENDMARKER:
            start, end = (text.starts[row - 1] + col for row, col in (token.start, token.end))
            found.append(Token(token.string, start, end))
    return found


def find(text: Text, tree: ast.Module, name: str, kind: str) -> Container:
    """The one container of that name; `Failed` if there is none, or more than one."""
    bound = [statement for statement in top_level(tree.body) if name in _targets(statement)]
    if len(bound) > 1:
        raise text.failed(
            "container-twice",
            f"`{name}` is set {len(bound)} times, so it is not clear which one counts",
            f"leave one place in the file that sets `{name}`",
            *(statement.lineno for statement in bound),
        )
    value = getattr(bound[0], "value", None) if bound else None
    if isinstance(value, DISPLAYS[kind]) and not isinstance(bound[0], ast.AugAssign):
        made = _display(text, value)
        if made is not None:
            return made
    raise text.failed(
        "container-missing",
        f"there is no {kind} called `{name}` written out at the top level of the file"
        if not bound
        else f"`{name}` is not a {kind} that is written out",
        "check that this is TransformerLens, and which version: `adaptergen catalog --tl PATH`",
        *(statement.lineno for statement in bound),
    )


def split(
    found: Sequence[Token], names: Sequence[str | None], ends: Sequence[int]
) -> tuple[Item, ...] | None:
    """The items between two brackets; None if they are not as the tree has them.

    `ends` are the offsets behind the nodes: a comma before is the item's own (a lambda has some).
    """
    items: list[Item] = []
    depth, first, last = 0, None, None
    for token in found:
        number = len(items)
        if (
            token.text == ","
            and depth == 0
            and (number == len(ends) or token.start >= ends[number])
        ):
            if first is None or last is None or number == len(ends):
                return None
            items.append(Item(names[number], first.start, last.end, token.start))
            first = None
            continue
        if len(token.text) == 1:
            depth += (token.text in "([{") - (token.text in ")]}")
        first, last = first or token, token
    if first is not None and last is not None and len(items) < len(ends):
        items.append(Item(names[len(items)], first.start, last.end, None))
    return tuple(items) if len(items) == len(ends) else None


def name_of(node: ast.expr | None) -> str | None:
    """The text that a node is."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def elements(node: ast.expr) -> list[ast.expr | None]:
    """What names the items of a display."""
    if isinstance(node, ast.Dict):
        return list(node.keys)
    return list(getattr(node, "elts", []))


def _display(text: Text, node: ast.expr) -> Container | None:
    start, end = text.start(node), text.end(node)
    if text.text[start] not in "([{":
        return None
    inside = [token for token in tokens(text) if start < token.start and token.end < end]
    named, last = elements(node), getattr(node, "values", None) or elements(node)
    items = split(inside, [name_of(one) for one in named], [text.end(one) for one in last if one])
    return None if items is None else Container(start + 1, end - 1, items, node)


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        for part in ("body", "orelse", "handlers", "finalbody"):
            if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inner = getattr(statement, part, [])
                for one in inner:
                    yield from top_level(one.body if isinstance(one, ast.ExceptHandler) else [one])


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

"""Mutants of a Python module: its source with one mistake that an author makes.

A mutant is the source with one stretch of it replaced. What is replaced is found in the tree that
`ast` makes; the rest of the text stays as it is. A mistake that does not compile, or that changes
nothing but the text, is left out. Imports, annotations and docstrings are left alone.
"""

from __future__ import annotations

import ast
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SLOTS = ("mixer", "attn", "mlp")
#: Operators as they are written, and as a mistake writes them.
SWAPPED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "+"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*"), ast.MatMult: ("@", "*"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"), ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"), ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"), ast.And: ("and", "or"), ast.Or: ("or", "and"),
}  # fmt: skip
#: Operators that a mistake leaves out.
LEFT_OUT = (ast.Not, ast.USub, ast.Invert)
_OTHER_END = {"hook_in": "hook_out", "hook_out": "hook_in"}
_DROPPED = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return, ast.Raise, ast.Delete)


@dataclass(frozen=True)
class Mutant:
    """One mistake: what kind, in which function or class, and the text before and after it.

    `number` tells mistakes apart that are alike in all of this. Lines are for people only: a
    survivor is known by the rest, so that it is found again when lines move. `source` is the text
    of the `file` with the mistake in it.
    """

    operator: str
    where: str
    before: str
    after: str
    number: int
    line: int
    source: str
    file: str

    @property
    def identity(self) -> tuple[str, str, str, str, str, int]:
        """What stays the same when lines move."""
        return (self.file, self.operator, self.where, self.before, self.after, self.number)


def mutants(file: str, source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of the text."""
    edits = _Edits(source, ast.parse(source))
    seen = {(start, _shape(source[start:end])) for start, end in edits.scopes}
    counts, found = Counter[tuple[str, str, str, str]](), []
    for edit in sorted(edits.all(), key=lambda edit: (edit.start, edit.end)):
        start, end = edits.scope_of(edit)
        shape = _shape(source[start : edit.start] + edit.text + source[edit.end : end])
        if shape is None or (start, shape) in seen:
            continue
        seen.add((start, shape))
        text = source[: edit.start] + edit.text + source[edit.end :]
        key = (edit.operator, edit.where, _shown(source[edit.start : edit.end]), _shown(edit.text))
        line = source.count("\n", 0, edit.start) + 1
        found.append(Mutant(*key, counts[key], line, text, file))
        counts[key] += 1
    return found


def _shape(text: str) -> str | None:
    """What Python makes of a function or module, wherever its lines are; None if nothing."""
    text = textwrap.dedent(text)
    try:
        compile(text, "<mutant>", "exec")
        return ast.dump(ast.parse(text))
    except SyntaxError:
        return None


def _shown(text: str) -> str:
    return " ".join(text.split())


@dataclass(frozen=True)
class _Edit:
    operator: str
    where: str
    start: int
    end: int
    text: str


class _Edits:
    """Finds the edits of one module."""

    def __init__(self, source: str, tree: ast.Module) -> None:
        self.source, self.tree = source, tree
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        #: The module and its functions, by where they start and end; inner ones last.
        self.scopes = [(0, len(source))]
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                self.scopes.append((self._lines[first - 1], self._end(node)))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self._named = [path for call in calls if (path := self._path(call)) is not None]
        self.paths = sorted({path.value for path in self._named})
        kinds = [call for call in calls if self._is_kind(call)]
        self.builders = list(dict.fromkeys(self._text(call.args[1]) for call in kinds))
        self.bridges = {
            alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and "generalized_components" in str(node.module)
            for alias in node.names
        } | {node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.bases}

    def scope_of(self, edit: _Edit) -> tuple[int, int]:
        """The innermost function around an edit, or the module."""
        around = [one for one in self.scopes if one[0] <= edit.start and edit.end <= one[1]]
        return min(around, key=lambda one: one[1] - one[0])

    def all(self) -> Iterator[_Edit]:
        """Every edit; some may not compile."""
        yield from self._body(self.tree, "module")

    def _body(self, node: ast.AST, where: str) -> Iterator[_Edit]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.Import, ast.ImportFrom, ast.arg)):
                continue
            if child in (getattr(node, "annotation", None), getattr(node, "returns", None)):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue  # a docstring
            inside = where
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                inside = child.name if where == "module" else f"{where}.{child.name}"
            visit = getattr(self, f"_{type(child).__name__}", None)
            for operator, start, end, text in visit(child) if visit else ():
                yield _Edit(operator, inside, start, end, text)
            if isinstance(child, _DROPPED) and where != "module":
                yield self._dropped_statement(child, inside)
            yield from self._body(child, inside)

    # Positions in the text. `ast` counts bytes of UTF-8 within a line.

    def _at(self, line: int, column: int) -> int:
        start = self._lines[line - 1]
        text = self.source[start : self._lines[line]]
        return start + len(text.encode()[:column].decode())

    def _start(self, node: Any) -> int:
        return self._at(node.lineno, node.col_offset)

    def _end(self, node: Any) -> int:
        return self._at(node.end_lineno, node.end_col_offset)

    def _text(self, node: ast.AST) -> str:
        return self.source[self._start(node) : self._end(node)]

    def _replaced(self, operator: str, node: ast.AST, text: str) -> tuple[str, int, int, str]:
        return operator, self._start(node), self._end(node), text

    def _without(self, operator: str, spans: list[tuple[int, int]]) -> Iterator[tuple]:
        """Each entry of a listing left out, with the comma after it."""
        for start, end in spans:
            rest = self.source[end:]
            gap = len(rest) - len(rest.lstrip())
            comma = gap + 1 if rest[gap : gap + 1] == "," else 0
            yield operator, start, end + comma, ""

    def _dropped_statement(self, node: ast.stmt, where: str) -> _Edit:
        flag = isinstance(node, ast.Assign) and self._text(node).startswith("self.cfg.")
        operator = "flag dropped" if flag else "statement dropped"
        return _Edit(operator, where, self._start(node), self._end(node), "pass")

    # One method for a kind of node; it gives operator, start, end and new text.

    def _path(self, call: ast.Call) -> ast.Constant | None:
        for keyword in call.keywords:
            if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                return keyword.value
        return None

    def _Call(self, node: ast.Call) -> Iterator[tuple]:
        path = self._path(node)
        if path is not None:
            following = self.paths[(self.paths.index(path.value) + 1) % len(self.paths)]
            yield self._replaced("HF path", path, repr(following))
            yield self._replaced("HF path", path, repr(path.value.rpartition(".")[0] or "modul"))
        if isinstance(node.func, ast.Name) and node.func.id in self.bridges and path is not None:
            yield self._replaced("bridge class", node.func, self._other_bridge(node.func.id))
        for argument in node.args:
            if isinstance(argument, ast.Name) and argument.id in self.bridges:
                yield self._replaced("bridge class", argument, self._other_bridge(argument.id))
        if self._is_kind(node):
            slot, builder = node.args[:2]
            for other in SLOTS:
                yield self._replaced("slot", slot, repr(other))
            for other in self.builders:
                yield self._replaced("builder", builder, other)
        elif isinstance(node.func, ast.Name) and node.args and isinstance(node.args[0], ast.Call):
            # What a function returns instead of what it makes of that.
            yield self._replaced("call dropped", node, self._text(node.args[0]))
        alone = len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp)
        if not alone:
            entries = [*node.args, *node.keywords]
            spans = [(self._start(entry), self._end(entry)) for entry in entries]
            yield from self._without("argument dropped", spans)

    def _other_bridge(self, name: str) -> str:
        """A class that the module knows: the plainest, or the next by name."""
        classes = sorted(one for one in self.bridges if one.endswith(("Bridge", "Component")))
        if "GeneralizedComponent" in classes and name != "GeneralizedComponent":
            return "GeneralizedComponent"
        following = [one for one in classes if one > name] or classes
        return following[0] if following else "GeneralizedComponent"

    def _is_kind(self, call: ast.Call) -> bool:
        return isinstance(call.func, ast.Name) and call.func.id == "LayerKind"

    def _ClassDef(self, node: ast.ClassDef) -> Iterator[tuple]:
        for base in node.bases:
            if self._text(base) in self.bridges:
                yield self._replaced("bridge class", base, "GeneralizedComponent")

    def _FunctionDef(self, node: ast.FunctionDef) -> Iterator[tuple]:
        for decorator in node.decorator_list:
            yield "decorator dropped", self._start(decorator) - 1, self._end(decorator), ""

    def _Dict(self, node: ast.Dict) -> Iterator[tuple]:
        starts = [
            self._start(key) if key else self.source.rindex("**", 0, self._start(value))
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        ends = [self._end(value) for value in node.values]
        yield from self._without("entry dropped", list(zip(starts, ends, strict=True)))

    def _Tuple(self, node: ast.Tuple) -> Iterator[tuple]:
        if isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
            spans = [(self._start(entry), self._end(entry)) for entry in node.elts]
            yield from self._without("entry dropped", spans)

    def _Constant(self, node: ast.Constant) -> Iterator[tuple]:
        if node in self._named:
            return
        if isinstance(node.value, bool):
            yield self._replaced("constant", node, repr(not node.value))
        elif isinstance(node.value, (int, float)):
            yield self._replaced("constant", node, repr(node.value + 1))
        elif node.value in _OTHER_END:
            yield self._replaced("hook", node, repr(_OTHER_END[node.value]))
            yield self._replaced("string", node, repr(f"{node.value}x"))
        elif isinstance(node.value, str):
            yield self._replaced("string", node, repr(f"{node.value}x"))

    def _JoinedStr(self, node: ast.JoinedStr) -> Iterator[tuple]:
        yield "string", self._end(node) - 1, self._end(node) - 1, "x"

    def _BinOp(self, node: ast.BinOp) -> Iterator[tuple]:
        yield from self._operator("arithmetic", node.op, node.left, node.right)
        if isinstance(node.op, (ast.BitOr, ast.Sub)):
            # Of two mappings the second wins.
            right, left = self._text(node.right), self._text(node.left)
            written, _ = SWAPPED[type(node.op)]
            yield self._replaced("arithmetic", node, f"{right} {written} {left}")

    def _AugAssign(self, node: ast.AugAssign) -> Iterator[tuple]:
        yield from self._operator("arithmetic", node.op, node.target, node.value, "=")
        yield "arithmetic", self._end(node.target), self._start(node.value), " = "

    def _Compare(self, node: ast.Compare) -> Iterator[tuple]:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            yield from self._operator("comparison", operator, left, right)
            left = right

    def _operator(
        self, name: str, operator: ast.AST, left: ast.expr, right: ast.expr, suffix: str = ""
    ) -> Iterator[tuple]:
        """Another operator between two operands, and the parentheses around them kept."""
        written, other = SWAPPED[type(operator)]
        start, end = self._end(left), self._start(right)
        between = self.source[start:end].replace(written + suffix, other + suffix, 1)
        yield name, start, end, between

    def _BoolOp(self, node: ast.BoolOp) -> Iterator[tuple]:
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from self._operator("logic", node.op, left, right)

    def _UnaryOp(self, node: ast.UnaryOp) -> Iterator[tuple]:
        if isinstance(node.op, LEFT_OUT):
            yield self._replaced("logic", node, self._text(node.operand))

    def _If(self, node: ast.If | ast.IfExp) -> Iterator[tuple]:
        for always in ("True", "False"):
            yield self._replaced("condition", node.test, always)

    _IfExp = _If

    def _comprehension(self, node: ast.comprehension) -> Iterator[tuple]:
        for condition in node.ifs:
            yield self._replaced("condition", condition, "True")

    def _For(self, node: ast.For) -> Iterator[tuple]:
        yield self._replaced("loop", node.iter, "()")

    def _While(self, node: ast.While) -> Iterator[tuple]:
        yield self._replaced("loop", node.test, "False")

    def _With(self, node: ast.With) -> Iterator[tuple]:
        start, end = self._start(node), self._end(node.items[-1].context_expr)
        yield "context dropped", start, end, "if True"

    def _Slice(self, node: ast.Slice) -> Iterator[tuple]:
        for bound in (node.lower, node.upper):
            if bound is not None:
                yield self._replaced("slice", bound, "")

    def _Attribute(self, node: ast.Attribute) -> Iterator[tuple]:
        if node.attr in _OTHER_END:
            end = self._end(node)
            yield "hook", end - len(node.attr), end, _OTHER_END[node.attr]

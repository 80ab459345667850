"""What source does to a config and to components: every way of setting that syntax shows."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Set

#: Where components and what their hooks are called too are kept.
_KEPT = frozenset({"component_mapping", "submodules", "hook_aliases"})
_READ = frozenset({"copy", "get", "items", "keys", "values"})
_READERS = frozenset({
    "all", "any", "bool", "dict", "enumerate", "frozenset", "isinstance", "iter", "len", "list",
    "print", "repr", "set", "sorted", "str", "tuple", "type",
})  # fmt: skip
_CHANGE = frozenset({
    "__delattr__", "__delitem__", "__setattr__", "__setitem__", "add", "append", "clear",
    "discard", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort",
    "update",
})  # fmt: skip
_SHOWN = 60


def targets(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None, str]]:
    """Each single target that a node sets, the value if it is written out, and its text."""
    match node:
        case ast.Assign(targets=several, value=value):
            for target in several:
                yield from _pairs(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value, ast.unparse(value)
        case ast.AugAssign(target=target, op=op, value=value):
            yield target, None, ast.unparse(ast.BinOp(target, op, value))
        case (
            ast.For(target=target, iter=value)
            | ast.AsyncFor(target=target, iter=value)
            | ast.comprehension(target=target, iter=value)
        ):
            yield from ((leaf, None, f"each of {ast.unparse(value)}") for leaf in _leaves(target))
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            yield from ((leaf, None, ast.unparse(value)) for leaf in _leaves(target))


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr | None, str]]:
    match target, value:
        case (
            (ast.Tuple(elts=names) | ast.List(elts=names)),
            (ast.Tuple(elts=values) | ast.List(elts=values)),
        ) if len(names) == len(values) and not any(
            isinstance(one, ast.Starred) for one in (*names, *values)
        ):
            for name, one in zip(names, values, strict=True):
                yield from _pairs(name, one)
        case ((ast.Tuple() | ast.List()), _):
            yield from ((leaf, None, f"of {ast.unparse(value)}") for leaf in _leaves(target))
        case _:
            yield target, value, ast.unparse(value)


def _leaves(target: ast.expr) -> Iterator[ast.expr]:
    match target:
        case ast.Tuple(elts=inner) | ast.List(elts=inner):
            for one in inner:
                yield from _leaves(one)
        case ast.Starred(value=one):
            yield from _leaves(one)
        case _:
            yield target


class Settings:
    """Attributes of cfg that scopes set, each with every text it is set to; and what is unread."""

    def __init__(self, scopes: Iterable[ast.AST]) -> None:
        self.values: dict[str, list[str]] = {}
        self.unread: list[tuple[int, str]] = []
        nodes = [node for scope in scopes for node in ast.walk(scope)]
        self._names = {"cfg"}
        for node in nodes:
            for target, value, _ in targets(node):
                if isinstance(target, ast.Name) and value is not None and self._is_cfg(value):
                    self._names.add(target.id)
        for node in nodes:
            for target, _, text in targets(node):
                self._target(target, text, node if isinstance(node, ast.stmt) else target)
            match node:
                case ast.Delete(targets=several):
                    for target in several:
                        self._other(target, node)
                case ast.Call():
                    self._call(node)

    def _is_cfg(self, node: ast.expr) -> bool:
        match node:
            case ast.Attribute(attr="cfg"):
                return True
            case ast.Name(id=name):
                return name in self._names
        return False

    def _target(self, target: ast.expr, text: str, node: ast.expr | ast.stmt) -> None:
        match target:
            case ast.Attribute(value=value, attr=name) if self._is_cfg(value):
                self._set(name, text)
            case _:
                self._other(target, node)

    def _set(self, name: str, text: str) -> None:
        values = self.values.setdefault(name, [])
        if text not in values:
            values.append(text)

    def _call(self, node: ast.Call) -> None:
        match node:
            case ast.Call(
                func=ast.Name(id="setattr"), args=[cfg, ast.Constant(value=str(name)), value]
            ) if self._is_cfg(cfg):
                self._set(name, ast.unparse(value))
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[first, *_]):
                if self._is_cfg(first):
                    self._note(node)
                else:
                    self._other(first, node)
            case ast.Call(
                func=ast.Attribute(attr="__setattr__" | "__delattr__"), args=[first, _, *_]
            ) if self._is_cfg(first):
                self._note(node)
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in _CHANGE:
                if self._is_cfg(value):
                    self._note(node)
                else:
                    self._other(value, node)

    def _other(self, changed: ast.expr, node: ast.expr | ast.stmt) -> None:
        """Note a change below an attribute of cfg, or of all of them as a dict."""
        while True:
            match changed:
                case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                    changed = inner
                case ast.Call(func=ast.Attribute(value=inner)):
                    changed = inner
                case ast.Call(func=ast.Name(id="vars" | "getattr"), args=[inner, *_]):
                    changed = inner
                case _:
                    return
            if self._is_cfg(changed):
                self._note(node)
                return

    def _note(self, node: ast.expr | ast.stmt) -> None:
        self.unread.append((node.lineno, _shown(node)))


def _shown(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:_SHOWN]


def changes(scopes: Iterable[ast.AST], read: Set[ast.expr]) -> Iterator[tuple[int, str]]:
    """Uses of components that may change them, by line; `read` are targets that are read anyway."""
    for scope in scopes:
        parents = {inner: node for node in ast.walk(scope) for inner in ast.iter_child_nodes(node)}
        for node in ast.walk(scope):
            if _keeps(node) and node not in read and not _only_read(node, parents):
                statement = node
                while not isinstance(statement, ast.stmt):
                    statement = parents[statement]
                yield statement.lineno, _shown(statement)


def _keeps(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr=name):
            return name in _KEPT
        case ast.Name(id=name):
            return name == "component_mapping"
        case ast.Call(
            func=ast.Name(id="getattr" | "setattr" | "delattr"),
            args=[_, ast.Constant(value=str(name)), *_],
        ):
            return name in _KEPT
    return False


def _only_read(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return False
    match node:
        case ast.Call(func=ast.Name(id="setattr" | "delattr")):
            return False
    match parents[node]:
        case ast.Attribute(attr=name):
            return name in _READ
        case ast.Subscript(value=value) as found if value is node:
            return _only_looked_at(found, parents)
        case ast.Call(func=ast.Name(id=name)):
            return name in _READERS
        case ast.For(iter=value) | ast.comprehension(iter=value):
            return value is node
        case ast.Compare() | ast.Expr():
            return True
    tested = node
    while isinstance(parents[tested], ast.BoolOp | ast.UnaryOp):
        tested = parents[tested]
    return getattr(parents[tested], "test", None) is tested


def _only_looked_at(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether nothing that is reached through the node is set."""
    while True:
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            return False
        match parents[node]:
            case ast.Attribute() as outer:
                node = outer
            case ast.Subscript(value=value) as outer if value is node:
                node = outer
            case _:
                return True

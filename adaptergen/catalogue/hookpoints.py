"""Which hook points a component makes while it is constructed.

The constructor is followed through ``super().__init__`` and through its own methods.
A branch is decided where its test is a plain class-level flag; otherwise what stands
under it is conditional, with a note of what the test reads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adaptergen.catalogue.conditions import reads
from adaptergen.catalogue.library import Class
from adaptergen.catalogue.literals import class_flag
from adaptergen.catalogue.model import Hook
from adaptergen.catalogue.supercalls import Method, called_method, find_method, walk_own

HOOK_POINT = "HookPoint"
Reads = tuple[str, ...]


@dataclass(frozen=True)
class HookPoints:
    """The hook points of a component, sorted by name."""

    hooks: tuple[Hook, ...] = ()
    unnamed: bool = False
    """Some are made under a name that syntax does not tell."""


def hook_points(mro: Sequence[Class]) -> HookPoints:
    """What the constructor of the first class of the order makes."""
    method = find_method(mro, "__init__")
    if method is None:
        return HookPoints()
    walk = _Walk(mro)
    walk.method(method, None)
    hooks = tuple(_hook(name, under) for name, under in sorted(walk.found.items()))
    return HookPoints(hooks, walk.unnamed)


def _hook(name: str, under: Reads | None) -> Hook:
    if under is None:
        return Hook(name)
    return Hook(name, conditional=True, depends_on=under, by_default=None)


class _Walk:
    """One pass over a constructor; ``under`` is None where nothing is in the way."""

    def __init__(self, mro: Sequence[Class]) -> None:
        self.mro = mro
        self.found: dict[str, Reads | None] = {}
        self.unnamed = False
        self._entered: list[Method] = []

    def method(self, method: Method, under: Reads | None) -> None:
        if method in self._entered:
            return
        self._entered.append(method)
        self._body(method.node.body, method, under)
        self._entered.pop()

    def _body(self, body: Sequence[ast.stmt], method: Method, under: Reads | None) -> None:
        for statement in body:
            match statement:
                case ast.If(test=test, body=then, orelse=orelse):
                    under = self._branch(test, then, orelse, method, under)
                case ast.For() | ast.While():
                    test = statement.iter if isinstance(statement, ast.For) else statement.test
                    inside = _and(under, reads(test, method.node))
                    self._body([*statement.body, *statement.orelse], method, inside)
                case ast.Match(subject=subject, cases=cases):
                    for choice in cases:
                        self._body(choice.body, method, _and(under, reads(subject, method.node)))
                case ast.With(body=inner):
                    self._body(inner, method, under)
                case ast.Try():
                    self._body(statement.body, method, under)
                    for handler in statement.handlers:
                        self._body(handler.body, method, _and(under, ()))
                    self._body([*statement.orelse, *statement.finalbody], method, under)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    pass  # defined here, not run here
                case _:
                    self._simple(statement, method, under)

    def _branch(
        self,
        test: ast.expr,
        then: Sequence[ast.stmt],
        orelse: Sequence[ast.stmt],
        method: Method,
        under: Reads | None,
    ) -> Reads | None:
        """Walk both sides of an ``if``; returns what the statements after it are under."""
        decided = self._decide(test)
        sides = (then, orelse) if decided is None else (then if decided else orelse,)
        inside = under if decided is not None else _and(under, reads(test, method.node))
        for side in sides:
            self._body(side, method, inside)
        if any(side and isinstance(side[-1], ast.Return) for side in sides):
            return _and(inside, ())
        return under

    def _decide(self, test: ast.expr) -> bool | None:
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._decide(operand)
                return None if inner is None else not inner
            case ast.Attribute(value=ast.Name(id="self"), attr=attribute):
                return class_flag(self.mro, attribute)
        return None

    def _simple(self, statement: ast.stmt, method: Method, under: Reads | None) -> None:
        named = False
        for name, value in _attributes_set(statement):
            match value:
                case ast.IfExp(test=test, body=then, orelse=orelse):
                    if _is_hook_point(then) or _is_hook_point(orelse):
                        named = True
                        self._record(name, _and(under, reads(test, method.node)))
                case _ if _is_hook_point(value):
                    named = True
                    self._record(name, under)
        calls = [node for node in walk_own(statement) if isinstance(node, ast.Call)]
        self.unnamed |= not named and any(_is_hook_point(call) for call in calls)
        for call in calls:
            target = called_method(call, self.mro, method.index)
            if target is not None:
                self.method(target, under)

    def _record(self, name: str, under: Reads | None) -> None:
        known = self.found.get(name, ())
        # One place without a condition is enough for the hook to be there always.
        self.found[name] = None if under is None or known is None else _and(known, under)


def _and(first: Reads | None, second: Reads) -> Reads:
    return tuple(dict.fromkeys([*(first or ()), *second]))


def _is_hook_point(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name == HOOK_POINT
    return False


def _attributes_set(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Attributes of ``self`` that a statement sets, with the values."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if isinstance(target, ast.Attribute) and _is_self(target.value):
                    yield target.attr, value
        case ast.AnnAssign(target=ast.Attribute(value=owner, attr=name), value=ast.expr() as value):
            if _is_self(owner):
                yield name, value
        case ast.Expr(
            value=ast.Call(
                func=ast.Name(id="setattr"),
                args=[owner, ast.Constant(value=str(name)), value],
            )
            | ast.Call(
                func=ast.Attribute(value=owner, attr="add_module" | "register_module"),
                args=[ast.Constant(value=str(name)), value],
            )
        ):
            if _is_self(owner):
                yield name, value


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"

"""Which hook points a component's constructor makes.

The constructor is followed through `super().__init__` and through methods of `self`. A branch is
decided where its test is a plain class-level flag; otherwise the hooks made in the branch are
conditional, and name what the test reads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from adaptergen.catalogue.constructor import Method, called_method, find_method, walk_own
from adaptergen.catalogue.library import Class, class_flag
from adaptergen.catalogue.model import Hook

_HOOK_POINT = "HookPoint"

Condition = tuple[str, ...]
"""What the tests read under which a statement runs; None for a statement that always runs."""


def hook_points(mro: Sequence[Class]) -> tuple[tuple[Hook, ...], bool]:
    """The hook points that the constructor of the first class makes, sorted by name.

    The flag says whether some are made under a name that is not in the source text.
    """
    walk = _Walk(mro)
    method = find_method(mro, "__init__")
    if method is not None:
        walk.method(method, None)
    hooks = (
        replace(
            Hook(name) if under is None else Hook(name, True, under, by_default=None),
            pos_dim=walk.pos_dims.get(name),
        )
        for name, under in sorted(walk.found.items())
    )
    return tuple(hooks), walk.unnamed


class _Walk:
    """One pass over a constructor; `under` is the condition of the statements looked at."""

    def __init__(self, mro: Sequence[Class]) -> None:
        self.mro = mro
        self.found: dict[str, Condition | None] = {}
        self.pos_dims: dict[str, int] = {}
        self.unnamed = False
        self._entered: list[Method] = []

    def method(self, method: Method, under: Condition | None) -> None:
        if method in self._entered:
            return
        self._entered.append(method)
        self._body(method.node.body, method, under)
        self._entered.pop()

    def _body(self, body: Sequence[ast.stmt], method: Method, under: Condition | None) -> None:
        for statement in body:
            match statement:
                case ast.If():
                    under = self._branch(statement, method, under)
                case ast.For(iter=test) | ast.While(test=test):
                    inside = _and(under, _reads(test, method.node))
                    self._body([*statement.body, *statement.orelse], method, inside)
                case ast.Match(subject=test, cases=cases):
                    for choice in cases:
                        self._body(choice.body, method, _and(under, _reads(test, method.node)))
                case ast.With(body=inner):
                    self._body(inner, method, under)
                case ast.Try():
                    self._body(statement.body, method, under)
                    for handler in statement.handlers:
                        self._body(handler.body, method, _and(under, ()))
                    self._body([*statement.orelse, *statement.finalbody], method, under)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    pass  # defined here, and not run
                case _:
                    self._simple(statement, method, under)

    def _branch(self, branch: ast.If, method: Method, under: Condition | None) -> Condition | None:
        """Walk both sides of an `if`; returns the condition of the statements after it."""
        decided = self._decide(branch.test)
        if decided is None:
            sides = [branch.body, branch.orelse]
            inside: Condition | None = _and(under, _reads(branch.test, method.node))
        else:
            sides = [branch.body if decided else branch.orelse]
            inside = under
        for side in sides:
            self._body(side, method, inside)
        if any(side and isinstance(side[-1], ast.Return) for side in sides):
            return _and(inside, ())  # conditional: another side has returned
        return under

    def _decide(self, test: ast.expr) -> bool | None:
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._decide(operand)
                return None if inner is None else not inner
            case ast.Attribute(value=ast.Name(id="self"), attr=attribute):
                return class_flag(self.mro, attribute)
        return None

    def _simple(self, statement: ast.stmt, method: Method, under: Condition | None) -> None:
        named = False
        match statement:
            case ast.Assign(
                targets=[
                    ast.Attribute(
                        value=ast.Attribute(value=ast.Name(id="self"), attr=hook), attr="pos_dim"
                    )
                ],
                value=ast.Constant(value=int(axis)),
            ):
                self.pos_dims[hook] = axis
        for name, value in _attributes_set(statement):
            if _is_hook_point(value):
                named = True
                self._record(name, under)
            elif isinstance(value, ast.IfExp) and (
                _is_hook_point(value.body) or _is_hook_point(value.orelse)
            ):
                named = True
                self._record(name, _and(under, _reads(value.test, method.node)))
        calls = [node for node in walk_own(statement) if isinstance(node, ast.Call)]
        self.unnamed |= not named and any(_is_hook_point(call) for call in calls)
        for call in calls:
            target = called_method(call, self.mro, method.place)
            if target is not None:
                self.method(target, under)

    def _record(self, name: str, under: Condition | None) -> None:
        known = self.found.get(name, ())
        # A hook that is made once without a condition is always there.
        self.found[name] = None if under is None or known is None else _and(known, under)


def _and(first: Condition | None, second: Condition) -> Condition:
    return tuple(dict.fromkeys([*(first or ()), *second]))


def _is_hook_point(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name == _HOOK_POINT
    return False


def _attributes_set(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Attributes of `self` that a statement sets, with the values."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                match target:
                    case ast.Attribute(value=ast.Name(id="self"), attr=name):
                        yield name, value
        case (
            ast.AnnAssign(
                target=ast.Attribute(value=ast.Name(id="self"), attr=name),
                value=ast.expr() as value,
            )
            | ast.Expr(
                value=ast.Call(
                    func=ast.Name(id="setattr"),
                    args=[ast.Name(id="self"), ast.Constant(value=str(name)), value],
                )
                | ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id="self"), attr="add_module" | "register_module"
                    ),
                    args=[ast.Constant(value=str(name)), value],
                )
            )
        ):
            yield name, value


def _reads(test: ast.expr, method: ast.FunctionDef) -> Condition:
    """The inputs that a test reads, in order.

    A keyword is named alone (`is_decoder`), a config value with its owner (`config.n_heads`), a
    submodule by its key (`submodules.gate`).
    """
    arguments = [*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs]
    names = {argument.arg for argument in arguments} - {"self"}
    found = list(dict.fromkeys(_inputs(test, names)))
    # `submodules is not None and "gate" in submodules` is about the gate alone.
    return tuple(name for name in found if not any(other.startswith(f"{name}.") for other in found))


def _inputs(node: ast.AST, names: set[str]) -> Iterator[str]:
    match node:
        case ast.Call(
            func=ast.Name(id="getattr" | "hasattr"),
            args=[owner, ast.Constant(value=str(attribute)), *_],
        ):
            yield from (f"{name}.{attribute}" for name in _inputs(owner, names))
        case ast.Compare(
            left=ast.Constant(value=str(key)), ops=[ast.In() | ast.NotIn()], comparators=[owner]
        ):
            yield from (f"{name}.{key}" for name in _inputs(owner, names))
        case ast.Attribute(value=ast.Name(id="self"), attr=attribute):
            yield attribute
        case ast.Attribute(value=owner, attr=attribute):
            yield from (f"{name}.{attribute}" for name in _inputs(owner, names))
        case ast.Name(id=name):
            if name in names:
                yield name
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _inputs(child, names)

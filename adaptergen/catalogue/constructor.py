"""Which keywords a component's constructor accepts, inherited ones included.

A constructor that passes `**kwargs` on accepts what the next constructor accepts, without what the
call itself binds: giving such a keyword twice would be an error.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from adaptergen.catalogue.library import Class
from adaptergen.catalogue.model import Keyword


class Method(NamedTuple):
    """A method, and the place of its class in the resolution order of the class looked at."""

    place: int
    node: ast.FunctionDef


def find_method(mro: Sequence[Class], name: str, start: int = 0) -> Method | None:
    """The method that attribute look-up finds, from one place in the order on."""
    for index in range(start, len(mro)):
        node = mro[index].method(name)
        if node is not None:
            return Method(index, node)
    return None


def called_method(call: ast.Call, mro: Sequence[Class], index: int) -> Method | None:
    """The method of the object itself that a call in the class at `index` reaches.

    Supports `self.m()`, `super().m()` and `Base.m(self)`.
    """
    match call.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name):
            return find_method(mro, name, index + 1)
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return find_method(mro, name)
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            starts = [start for start, cls in enumerate(mro) if cls.name == owner]
            return find_method(mro, name, starts[0]) if starts else None
    return None


def walk_own(node: ast.AST) -> Iterator[ast.AST]:
    """`ast.walk` that does not enter nested functions and classes."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield from walk_own(child)


def parameters(function: ast.FunctionDef) -> Iterator[tuple[ast.arg, str | None]]:
    """The parameters that a keyword can reach, each with the source text of its default."""
    args = function.args
    positional = [*args.posonlyargs, *args.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults))
    defaults = [*missing, *args.defaults, *args.kw_defaults]
    pairs = [*zip([*positional, *args.kwonlyargs], defaults, strict=True)]
    for argument, default in pairs[max(len(args.posonlyargs), 1) :]:  # without `self`
        yield argument, None if default is None else ast.unparse(default)


def accepted_keywords(mro: Sequence[Class], start: int = 0) -> tuple[tuple[Keyword, ...], bool]:
    """The keywords of the constructor found from one place in the order on.

    The flag says whether it also accepts, and ignores, any other keyword.
    """
    method = find_method(mro, "__init__", start)
    if method is None:
        return (), False
    node = method.node
    used = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    keywords = {
        argument.arg: Keyword(argument.arg, default, unused=argument.arg not in used)
        for argument, default in parameters(node)
    }
    if node.args.kwarg is None:
        return tuple(keywords.values()), False
    extra = node.args.kwarg.arg
    read = dict(_read_from(extra, node))
    ignores, forwarded = False, False
    for call in _forwards(extra, node):
        target = called_method(call, mro, method.place)
        if target is None:
            continue
        forwarded = True
        inherited, ignored_above = accepted_keywords(mro, target.place)
        ignores |= ignored_above
        bound = _bound(call, target.node)
        for keyword in inherited:
            if keyword.name not in bound:
                default = read.pop(keyword.name, keyword.default)
                keywords.setdefault(keyword.name, replace(keyword, default=default))
    for name, default in read.items():
        keywords.setdefault(name, Keyword(name, default))
    return tuple(keywords.values()), ignores or not forwarded


def _forwards(extra: str, node: ast.FunctionDef) -> Iterator[ast.Call]:
    """Calls of another `__init__` that unpack the extra keywords."""
    for call in walk_own(node):
        match call:
            case ast.Call(func=ast.Attribute(attr="__init__"), keywords=keywords):
                unpacked = [keyword.value for keyword in keywords if keyword.arg is None]
                if any(_is_name(value, extra) for value in unpacked):
                    yield call


def _bound(call: ast.Call, target: ast.FunctionDef) -> set[str]:
    """Parameters of the target that the call itself binds."""
    given = list(call.args)
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        given = given[1:]  # Base.__init__(self, ...)
    bound = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    positional = [*target.args.posonlyargs, *target.args.args][1:]
    for argument, parameter in zip(given, positional, strict=False):
        if isinstance(argument, ast.Starred):
            break
        bound.add(parameter.arg)
    return bound


def _read_from(extra: str, node: ast.FunctionDef) -> Iterator[tuple[str, str | None]]:
    """Keywords that the body reads from the extra ones, with their defaults."""
    for call in walk_own(node):
        match call:
            case ast.Call(
                func=ast.Attribute(value=owner, attr="pop" | "get" | "setdefault" as method),
                args=[ast.Constant(value=str(name)), *rest],
            ) if _is_name(owner, extra):
                required = "None" if method != "pop" else None
                yield name, ast.unparse(rest[0]) if rest else required


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name

"""Which keywords a component's constructor accepts, inherited ones included.

A constructor that passes ``**kwargs`` on accepts what the next constructor does, less
what the call itself binds: giving such a keyword twice would be an error.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from adaptergen.catalogue.library import Class
from adaptergen.catalogue.model import Keyword
from adaptergen.catalogue.parameters import parameters, positional_names
from adaptergen.catalogue.supercalls import called_method, find_method, walk_own


@dataclass(frozen=True)
class Signature:
    """What a constructor takes."""

    keywords: tuple[Keyword, ...] = ()
    swallows_unknown: bool = False


def signature(mro: Sequence[Class], start: int = 0) -> Signature:
    """The signature of the constructor found from one place in the order on."""
    method = find_method(mro, "__init__", start)
    if method is None:
        return Signature()
    node = method.node
    own = tuple(_own_keywords(node))
    if node.args.kwarg is None:
        return Signature(own)
    extra = node.args.kwarg.arg
    taken = dict(_taken_from(extra, node))
    keywords = {keyword.name: keyword for keyword in own}
    swallows, forwarded = False, False
    for call in _forwards(extra, node):
        target = called_method(call, mro, method.index)
        if target is None:
            continue
        forwarded = True
        above = signature(mro, target.index)
        swallows |= above.swallows_unknown
        bound = _bound(call, target.node)
        for keyword in above.keywords:
            if keyword.name not in bound:
                default = taken.pop(keyword.name, keyword.default)
                keywords.setdefault(keyword.name, replace(keyword, default=default))
    for name, default in taken.items():
        keywords.setdefault(name, Keyword(name, default))
    return Signature(tuple(keywords.values()), swallows or not forwarded)


def _own_keywords(node: ast.FunctionDef) -> Iterator[Keyword]:
    used = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    for parameter in parameters(node):
        yield Keyword(parameter.name, parameter.default, unused=parameter.name not in used)


def _forwards(extra: str, node: ast.FunctionDef) -> Iterator[ast.Call]:
    """Calls of another ``__init__`` that unpack the extra keywords."""
    for call in walk_own(node):
        match call:
            case ast.Call(func=ast.Attribute(attr="__init__"), keywords=keywords):
                unpacked = [keyword.value for keyword in keywords if keyword.arg is None]
                if any(_is_name(value, extra) for value in unpacked):
                    yield call


def _bound(call: ast.Call, target: ast.FunctionDef) -> set[str]:
    """Parameters of the target that the call binds by itself."""
    given = list(call.args)
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        given = given[1:]  # Base.__init__(self, ...)
    bound = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    for argument, name in zip(given, positional_names(target), strict=False):
        if isinstance(argument, ast.Starred):
            break
        bound.add(name)
    return bound


def _taken_from(extra: str, node: ast.FunctionDef) -> Iterator[tuple[str, str | None]]:
    """Keywords that the body itself takes out of the extra ones, with their defaults."""
    for call in walk_own(node):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr in {"pop", "get", "setdefault"} and _is_name(call.func.value, extra):
            match call.args:
                case [ast.Constant(value=str(name))]:
                    yield name, None if call.func.attr == "pop" else "None"
                case [ast.Constant(value=str(name)), default]:
                    yield name, ast.unparse(default)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name

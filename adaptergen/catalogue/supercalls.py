"""How constructors hand over to the next class: the calls of ``super().__init__``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adaptergen.catalogue.library import Class


@dataclass(frozen=True)
class Method:
    """A method and its owner's place in the resolution order of the class looked at."""

    index: int
    node: ast.FunctionDef


def find_method(mro: Sequence[Class], name: str, start: int = 0) -> Method | None:
    """The method that attribute look-up finds, from one place in the order on."""
    for index in range(start, len(mro)):
        node = mro[index].method(name)
        if node is not None:
            return Method(index, node)
    return None


def called_method(call: ast.Call, mro: Sequence[Class], index: int) -> Method | None:
    """The method of the object itself that a call in the class at ``index`` reaches.

    Understood are ``self.m()``, ``super().m()`` and ``Base.m(self)``.
    """
    function = call.func
    if not isinstance(function, ast.Attribute):
        return None
    if is_super(function.value):
        return find_method(mro, function.attr, index + 1)
    if not isinstance(function.value, ast.Name):
        return None
    if function.value.id == "self":
        return find_method(mro, function.attr)
    owners = [place for place, cls in enumerate(mro) if cls.name == function.value.id]
    return find_method(mro, function.attr, owners[0]) if owners else None


def is_super(node: ast.expr) -> bool:
    """Whether the expression is a call of ``super``."""
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
    )


def walk_own(node: ast.AST) -> Iterator[ast.AST]:
    """``ast.walk`` that does not enter nested functions and classes."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield from walk_own(child)

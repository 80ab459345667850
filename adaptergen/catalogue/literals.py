"""Class-level values that can be known without running the class."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from adaptergen.catalogue.library import Class, Library

# Dicts that name each other in a ring would be followed for ever.
_DEPTH = 20


class Unknown(Exception):
    """Syntax does not tell this value."""


def assignments(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr, ast.expr | None]]:
    """Plain assignments to names: name, value, annotation."""
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value, None
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value, statement.annotation


def class_value(mro: Sequence[Class], name: str) -> tuple[Class, ast.expr] | None:
    """The class that sets a class attribute, nearest in the order, and the expression."""
    for cls in mro:
        values = [value for target, value, _ in assignments(cls.node.body) if target == name]
        if values:
            return cls, values[-1]
    return None


def class_flag(mro: Sequence[Class], name: str) -> bool | None:
    """A class attribute that is plainly True or False, and that no method sets anew."""
    found = class_value(mro, name)
    if found is None or any(_rebinds(cls.node, name) for cls in mro):
        return None
    match found[1]:
        case ast.Constant(value=bool(flag)):
            return flag
    return None


def class_dict(library: Library, mro: Sequence[Class], name: str) -> Mapping[str, object]:
    """A class attribute that is a dict, the dicts it is built from included.

    Raises Unknown when it is built in a way that is not understood.
    """
    found = class_value(mro, name)
    return {} if found is None else _Dicts(library, found[0]).value(found[1])


class _Dicts:
    """Reads dict displays, ``|``, ``dict(...)``, ``.copy()`` and names of such dicts."""

    def __init__(self, library: Library, owner: Class, depth: int = 0) -> None:
        self.library = library
        self.owner = owner
        self.depth = depth

    def value(self, node: ast.expr) -> dict[str, object]:
        if self.depth > _DEPTH:
            raise Unknown
        match node:
            case ast.Dict():
                return self._display(node)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return {**self.value(left), **self.value(right)}
            case ast.Call(func=ast.Name(id="dict"), args=args, keywords=keywords) if len(args) < 2:
                merged = self.value(args[0]) if args else {}
                for keyword in keywords:
                    merged.update(
                        self.value(keyword.value)
                        if keyword.arg is None
                        else {keyword.arg: _literal(keyword.value)}
                    )
                return merged
            case ast.Call(func=ast.Attribute(value=inner, attr="copy"), args=[], keywords=[]):
                return self.value(inner)
            case ast.Attribute(attr=attribute):
                return self._of_class(ast.unparse(node.value), attribute)
            case ast.Name(id=name):
                return self._named(name)
        raise Unknown

    def _display(self, node: ast.Dict) -> dict[str, object]:
        merged: dict[str, object] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            match key:
                case None:
                    merged.update(self.value(value))
                case ast.Constant(value=str(text)):
                    merged[text] = _literal(value)
                case _:
                    raise Unknown
        return merged

    def _of_class(self, dotted: str, attribute: str) -> dict[str, object]:
        cls = self.library.find(self.owner.module, dotted)
        found = class_value(self.library.mro(cls), attribute) if cls is not None else None
        if found is None:
            raise Unknown
        return _Dicts(self.library, found[0], self.depth + 1).value(found[1])

    def _named(self, name: str) -> dict[str, object]:
        for body in (self.owner.node.body, self.owner.module.body):
            for target, value, _ in assignments(body):
                if target == name:
                    return _Dicts(self.library, self.owner, self.depth + 1).value(value)
        raise Unknown


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError) as error:
        raise Unknown from error


def _rebinds(node: ast.ClassDef, attribute: str) -> bool:
    return attribute in _rebound(node)


@lru_cache
def _rebound(node: ast.ClassDef) -> frozenset[str]:
    """The attributes that a class sets or deletes on anything."""
    return frozenset(
        inner.attr
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, (ast.Store, ast.Del))
    )

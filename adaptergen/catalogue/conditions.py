"""What a condition in a constructor depends on, told in the words of an adapter."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_PROBES = frozenset({"getattr", "hasattr"})


def reads(test: ast.expr, method: ast.FunctionDef) -> tuple[str, ...]:
    """The inputs a test reads, in order.

    A keyword is named alone (``is_decoder``), a configuration value with its owner
    (``config.n_heads``), a submodule by its key (``submodules.gate``).
    """
    arguments = [*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs]
    names = {argument.arg for argument in arguments} | {"self"}
    found = list(dict.fromkeys(_reads(test, names)))
    # "submodules is not None and 'gate' in submodules" is about the gate alone.
    return tuple(name for name in found if not any(other.startswith(f"{name}.") for other in found))


def _reads(node: ast.expr | ast.AST, names: set[str]) -> Iterator[str]:
    match node:
        case ast.Call(
            func=ast.Name(id=probe), args=[owner, ast.Constant(value=str(attribute)), *_]
        ) if probe in _PROBES:
            yield from (f"{name}.{attribute}" for name in _reads(owner, names))
        case ast.Compare(
            left=ast.Constant(value=str(key)), ops=[ast.In() | ast.NotIn()], comparators=[owner]
        ):
            yield from (f"{name}.{key}" for name in _reads(owner, names))
        case ast.Attribute(value=ast.Name(id="self"), attr=attribute):
            yield attribute
        case ast.Attribute(value=owner, attr=attribute):
            yield from (f"{name}.{attribute}" for name in _reads(owner, names))
        case ast.Name(id=name):
            if name in names and name != "self":
                yield name
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _reads(child, names)

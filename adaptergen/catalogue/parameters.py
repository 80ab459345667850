"""The parameters of a function, each with its default."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """One parameter that a keyword can reach."""

    name: str
    annotation: str | None
    default: str | None
    """Source text; None where there is no default."""


def parameters(function: ast.FunctionDef) -> tuple[Parameter, ...]:
    """What a method's callers can give by keyword: all but ``self`` and positional-only ones."""
    args = function.args
    positional = [*args.posonlyargs, *args.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults))
    defaults = [*missing, *args.defaults, *args.kw_defaults]
    unreachable = max(len(args.posonlyargs), 1)
    pairs = [*zip([*positional, *args.kwonlyargs], defaults, strict=True)][unreachable:]
    return tuple(
        Parameter(argument.arg, _text(argument.annotation), _text(default))
        for argument, default in pairs
    )


def positional_names(function: ast.FunctionDef) -> tuple[str, ...]:
    """The names that positional arguments are bound to, ``self`` left out."""
    return tuple(item.arg for item in [*function.args.posonlyargs, *function.args.args][1:])


def _text(node: ast.expr | None) -> str | None:
    return None if node is None else ast.unparse(node)

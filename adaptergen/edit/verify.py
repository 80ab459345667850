"""What an edit is held to: without the entry, the syntax tree is the one from before."""

from __future__ import annotations

import ast


def drop(node: ast.expr | ast.ImportFrom, number: int) -> None:
    """Take one entry out of a node."""
    if isinstance(node, ast.Dict):
        del node.keys[number], node.values[number]
    elif isinstance(node, ast.ImportFrom):
        del node.names[number]
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        del node.elts[number]


def verify(before: ast.Module, after: ast.Module) -> None:
    """Both are the same; whatever differs is a mistake of the engine, and nothing is written."""
    if ast.dump(before) != ast.dump(after):
        raise AssertionError("an edit would have changed more than its entry")

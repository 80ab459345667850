"""An import added: a name in an existing statement, or a new statement among similar ones."""

from __future__ import annotations

import ast
from itertools import pairwise

from adaptergen.edit.container import Container, insertion, place, split, tokens, top_level
from adaptergen.edit.entries import drop, verify
from adaptergen.edit.text import NOT_TRANSFORMER_LENS, Splice, Text, read
from adaptergen.problems import quote

_WIDTH = 100


def add_import(data: bytes, path: str, module: str, name: str) -> bytes:
    """The file with `from module import name`, unchanged if it has it.

    A new statement goes among those that import from modules of the same package.
    """
    text = read(data, path)
    tree = text.tree()
    bound = [
        (node, alias) for node in _imports(tree) for alias in node.names if _binds(alias, name)
    ]
    if bound:
        _check(text, bound, module, name)
        return data
    from_it = [node for node in _imports(tree) if node.module == module and not node.level]
    if len(from_it) > 1:
        raise text.failed(
            "container-twice",
            f"{len(from_it)} statements import from `{module}`",
            "make them one statement",
            *(node.lineno for node in from_it),
        )
    if from_it:
        splices = insertion(text, _names(text, from_it[0]), name, name)
    else:
        splices = _among(text, tree, module, name)
    made = text.spliced(splices)
    after = made.tree()
    _drop_import(after, module, name)
    verify(tree, after)
    return made.data


def _imports(tree: ast.Module) -> list[ast.ImportFrom]:
    return [node for node in top_level(tree) if isinstance(node, ast.ImportFrom)]


def _binds(alias: ast.alias, name: str) -> bool:
    return (alias.asname or alias.name) == name


def _check(
    text: Text, bound: list[tuple[ast.ImportFrom, ast.alias]], module: str, name: str
) -> None:
    lines = [alias.lineno for _, alias in bound]
    if len(bound) > 1:
        raise text.failed(
            "entry-twice",
            f"{quote(name)} is imported {len(bound)} times",
            "leave one of the imports",
            *lines,
        )
    node, alias = bound[0]
    if node.module != module or node.level or alias.name != name:
        raise text.failed(
            "entry-differs",
            f"{quote(name)} is imported from {quote('.' * node.level + (node.module or ''))}, "
            f"not from {quote(module)}",
            "give the adapter of the spec another name, or remove that import first",
            *lines,
        )


def _names(text: Text, node: ast.ImportFrom) -> Container:
    """The names of a statement, as a container."""
    names = [alias.name for alias in node.names]
    if names == ["*"]:
        raise text.failed(
            "container-missing",
            f"names cannot be added to this import from `{node.module}`",
            "write out the names that it imports",
            node.lineno,
        )
    start, end = text.start(node), text.end(node)
    found = [token for token in tokens(text) if start <= token.start and token.end <= end]
    at = next(number for number, token in enumerate(found) if token.text == "import") + 1
    bracketed = found[at].text == "("
    inside = found[at + 1 : -1] if bracketed else found[at:]
    items = split(inside, names, [text.end(one) for one in node.names])
    return Container(found[at].end, found[-1].start if bracketed else end, items, node, bracketed)


def _among(text: Text, tree: ast.Module, module: str, name: str) -> list[Splice]:
    package = module.rpartition(".")[0]
    alike = [
        node
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}.")
    ]
    if not alike:
        raise text.failed(
            "container-missing",
            f"nothing is imported from modules of `{package}`",
            NOT_TRANSFORMER_LENS,
        )
    names = [node.module for node in alike]
    at = place(names, _groups(text, alike), module)
    statement = f"from {module} import {name}"
    if len(statement) > _WIDTH:
        statement = f"from {module} import (\n    {name},\n)"
    if at == 0:
        return [Splice.insert(text.line_start(text.start(alike[0])), f"{statement}\n")]
    before = alike[(len(alike) if at is None else at) - 1]
    return [Splice.insert(text.line_end(text.end(before)), f"\n{statement}")]


def _groups(text: Text, nodes: list[ast.ImportFrom]) -> list[int]:
    groups = [0]
    for before, node in pairwise(nodes):
        between = text.text[text.end(before) : text.start(node)].split("\n")[1:-1]
        groups.append(groups[-1] + bool(between))
    return groups


def _drop_import(tree: ast.Module, module: str, name: str) -> None:
    """Take the new import out of the tree, so that the rest can be compared."""
    for node in _imports(tree):
        numbers = [n for n, alias in enumerate(node.names) if _binds(alias, name)]
        if node.module == module and numbers:
            if len(node.names) > 1:
                drop(node, numbers[0])
            else:
                tree.body.remove(node)
            return

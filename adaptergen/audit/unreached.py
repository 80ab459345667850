"""Attributes that an adapter reads from `cfg` with a default, and that nothing sets."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from adaptergen.audit.findings import AuditedTree, Finding, adding
from adaptergen.catalogue.settings import CONFIG, PASSTHROUGH
from adaptergen.edit.entries import Entry

_BUILDER = "transformer_lens/model_bridge/sources/_bridge_builder.py"
#: Functions that do not fail for a missing attribute, with how many arguments follow its name.
_CAUTIOUS = {("getattr", 1), ("hasattr", 0)}
_CONFIG_MODULE = "transformer_lens.config.transformer_bridge_config"


def unreached_findings(tree: AuditedTree) -> Iterator[Finding]:
    """Every such read, once for an adapter and an attribute."""
    reached = _reached(tree)
    renamed = _renamed(tree.parse(_BUILDER))
    listed = bool(tree.catalogue.passthrough)
    for path, cls in tree.adapters:
        seen: set[str] = set()
        for name, default, line in sorted(_reads(cls.node, reached), key=lambda read: read[2]):
            if name in seen:
                continue
            seen.add(name)
            message = f"{cls.name} reads cfg.{name} ({default}), which nothing sets"
            hint = f"add it to {PASSTHROUGH} in {_BUILDER}"
            fix = adding(_BUILDER, Entry(PASSTHROUGH, "list", name)) if listed else None
            if name in renamed:
                hint = f"read cfg.{renamed[name]}, which is what it is called there"
                fix = None
            subject = f"{cls.name}.{name}"
            yield tree.finding("unreached-attribute", subject, message, hint, path, line, fix)


def _reads(node: ast.AST, reached: set[str]) -> Iterator[tuple[str, str, int]]:
    """Reads of `cfg` that cannot succeed: name, what then counts, line.

    Of `a or b` only `a` counts if it can succeed: `b` is for models without it.
    """
    match node:
        case ast.Call(
            func=ast.Name(id=function),
            args=[
                ast.Name(id="cfg") | ast.Attribute(attr="cfg"),
                ast.Constant(value=str(name)),
                *defaults,
            ],
        ) if name not in reached and (function, len(defaults)) in _CAUTIOUS:
            default = f"or {ast.unparse(defaults[0])}" if defaults else "if it is there"
            yield name, default, node.lineno
        case ast.BoolOp(op=ast.Or(), values=[first, *_]):
            in_vain = list(_reads(first, reached))
            yield from in_vain
            if not in_vain:
                return
    for child in ast.iter_child_nodes(node):
        yield from _reads(child, reached)


def _reached(tree: AuditedTree) -> set[str]:
    """Every attribute that `cfg` can have: fields, methods, and what the builder copies or sets."""
    reached = {*tree.catalogue.config_fields, *tree.catalogue.passthrough}
    config = tree.library.find(_CONFIG_MODULE, CONFIG)
    for ancestor in tree.library.mro(config) if config is not None else ():
        reached |= {node.name for node in ancestor.node.body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree.parse(_BUILDER)):
        match node:
            case ast.Assign(targets=[ast.Attribute(attr=name)]):
                reached.add(name)
    return reached


def _renamed(builder: ast.Module) -> dict[str, str]:
    """What the builder sets under another name: the name in the model's config to that in `cfg`."""
    read: dict[str, str] = {}
    for node in ast.walk(builder):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=variable)],
                value=ast.Call(
                    func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]
                ),
            ):
                read[variable] = name
    renamed: dict[str, str] = {}
    for node in ast.walk(builder):
        match node:
            case ast.Assign(targets=[ast.Attribute(attr=field)], value=value):
                variables = (one.id for one in ast.walk(value) if isinstance(one, ast.Name))
                names = (read[variable] for variable in variables if variable in read)
                renamed.update({name: field for name in names if name != field})
    return renamed

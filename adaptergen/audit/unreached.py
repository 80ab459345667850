"""Attributes that an adapter reads from `cfg` with a default, and that never reach it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from adaptergen.audit.model import Finding, Source
from adaptergen.edit.entries import Entry, add

BUILDER = "transformer_lens/model_bridge/sources/_bridge_builder.py"
PASSTHROUGH = "_HF_PASSTHROUGH_ATTRS"
_CONFIG = ("transformer_lens.config.transformer_bridge_config", "TransformerBridgeConfig")


def unreached_findings(source: Source) -> Iterator[Finding]:
    """Every such read, once for an adapter and an attribute."""
    reached = _reached(source)
    renamed = _renamed(source.tree(BUILDER))
    listed = bool(source.catalogue.passthrough)
    for path, cls in source.adapters:
        seen: set[str] = set()
        for name, default, line in sorted(reads(cls.node, reached), key=lambda read: read[2]):
            if name in seen:
                continue
            seen.add(name)
            message = f"{cls.name} reads cfg.{name} ({default}), which nothing sets"
            hint = f"add it to {PASSTHROUGH} in {BUILDER}"
            mend = (BUILDER, partial(add, path=BUILDER, entry=Entry(PASSTHROUGH, "list", name)))
            if name in renamed:
                hint = f"read cfg.{renamed[name]}, which is what it is called there"
            fixable = listed and name not in renamed
            yield source.finding(
                "unreached-attribute", f"{cls.name}.{name}", message, hint, path, line,
                mend if fixable else None,
            )  # fmt: skip


def reads(node: ast.AST, reached: set[str]) -> Iterator[tuple[str, str, int]]:
    """What is asked of `cfg` and cannot be there: name, what then counts, line.

    Of `a or b` only `a` counts as long as that can be there: `b` is for models without.
    """
    match node:
        case ast.Call(
            func=ast.Name(id="getattr"), args=[of, ast.Constant(value=str(name)), default]
        ) if _is_cfg(of) and name not in reached:
            yield name, f"or {ast.unparse(default)}", node.lineno
        case ast.Call(func=ast.Name(id="hasattr"), args=[of, ast.Constant(value=str(name))]) if (
            _is_cfg(of) and name not in reached
        ):
            yield name, "if it is there", node.lineno
        case ast.BoolOp(op=ast.Or(), values=[first, *_]):
            in_vain = list(reads(first, reached))
            yield from in_vain
            if not in_vain:
                return
    for child in ast.iter_child_nodes(node):
        yield from reads(child, reached)


def _is_cfg(node: ast.expr) -> bool:
    match node:
        case ast.Name(id="cfg") | ast.Attribute(attr="cfg"):
            return True
    return False


def _reached(source: Source) -> set[str]:
    """What any path leads to `cfg`: fields, properties, what is passed on, what a builder sets."""
    reached = {*source.catalogue.config_fields, *source.catalogue.passthrough}
    module = source.library.module(_CONFIG[0])
    config = source.library.find(module, _CONFIG[1]) if module is not None else None
    for ancestor in source.library.mro(config) if config is not None else ():
        reached |= {node.name for node in ancestor.node.body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(source.tree(BUILDER)):
        match node:
            case ast.Assign(targets=[ast.Attribute(attr=name)]):
                reached.add(name)
    return reached


def _renamed(builder: ast.Module) -> dict[str, str]:
    """What the builder sets under another name: the model's name to that of `cfg`."""
    local: dict[str, str] = {}
    renamed: dict[str, str] = {}
    for node in ast.walk(builder):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=variable)],
                value=ast.Call(
                    func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]
                ),
            ):
                local[variable] = name
    for node in ast.walk(builder):
        match node:
            case ast.Assign(targets=[ast.Attribute(attr=field)], value=value):
                for inner in ast.walk(value):
                    if (
                        isinstance(inner, ast.Name)
                        and inner.id in local
                        and local[inner.id] != field
                    ):
                        renamed[local[inner.id]] = field
    return renamed

"""Methods of the adapter's base class that make a component, or set fields of the config."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from adaptergen.catalogue.constructor import parameters
from adaptergen.catalogue.library import Library, assignments
from adaptergen.catalogue.model import Helper
from adaptergen.catalogue.settings import ADAPTER
from adaptergen.catalogue.source_tree import PACKAGE

Expressions = Mapping[str, ast.expr]


def find_adapter_helpers(library: Library) -> Mapping[str, Helper]:
    """The protected methods that syntax shows to do one of the two, with optional parameters."""
    cls = library.find(f"{PACKAGE}.model_bridge.architecture_adapter", ADAPTER)
    found: dict[str, Helper] = {}
    for method in cls.node.body if cls is not None else ():
        if isinstance(method, ast.FunctionDef) and method.name.startswith("_"):
            taken = [(arg.arg, default) for arg, default in parameters(method)]
            defaults = {name: default for name, default in taken if default is not None}
            if not method.decorator_list and len(defaults) == len(taken):
                body = method.body[1:] if ast.get_docstring(method) else method.body
                helper = _setter(body, defaults) or _maker(body, defaults)
                found |= {method.name: helper} if helper else {}
    return dict(sorted(found.items()))


def _setter(body: list[ast.stmt], defaults: Mapping[str, str]) -> Helper | None:
    """A method that sets fields of `self.cfg`, and does nothing else."""
    sets: dict[str, str] = {}
    for statement in body:
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(ast.Attribute(ast.Name("self"), "cfg"), field)], value=value
            ):
                sets[field] = _text(value, defaults)
    understood = len(sets) == len(body) and all(sets.values())
    return Helper(defaults, sets=sets) if sets and understood else None


def _maker(body: list[ast.stmt], defaults: Mapping[str, str]) -> Helper | None:
    """A method that returns a new component with `self.cfg`."""
    local, options = dict(assignments(body)), dict(_options(body))
    match body[-1]:
        case ast.Return(
            ast.Call(func=ast.Name() | ast.Attribute() as callee, args=[], keywords=said)
        ):
            given = {keyword.arg or "**": keyword.value for keyword in said}
        case _:
            return None
    submodules = given.get("submodules")
    if isinstance(submodules, ast.Name):
        submodules = local.get(submodules.id)
    parts = dict(_submodules(submodules, defaults)) if isinstance(submodules, ast.Dict) else {}
    path = _text(given["name"], defaults) if "name" in given else ""
    known = {"name", "config", "submodules", "optional", "**"}
    if not path or not parts or not all(parts.values()) or not given.keys() <= known:
        return None
    if ast.unparse(given.get("config", given["name"])) != "self.cfg":
        return None
    return Helper(defaults, ast.unparse(callee), path, parts, options)


def _submodules(display: ast.Dict, defaults: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in zip(display.keys, display.values, strict=True):
        match key, value:
            case (
                ast.Constant(str(name)),
                ast.Call(ast.Name(component), [], [ast.keyword("name", path)]),
            ):
                yield name, f"{component} {_text(path, defaults)}"
            case _:
                yield "", ""


def _options(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Options of the component that a parameter gives, unless it is None."""
    for statement in body:
        match statement:
            case ast.If(
                test=ast.Compare(ast.Name(), [ast.IsNot()], [ast.Constant(None)]),
                body=[ast.Assign([ast.Subscript(_, ast.Constant(str(option)))], ast.Name(given))],
            ):
                yield option, given


def _text(value: ast.expr, defaults: Mapping[str, str]) -> str:
    """Source text of a constant, or the name of a parameter in braces; empty for all else."""
    if isinstance(value, ast.Name) and value.id in defaults:
        return f"{{{value.id}}}"
    return ast.unparse(value) if isinstance(value, ast.Constant) else ""

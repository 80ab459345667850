"""Python expressions that carry what they import.

Text of a spec enters code here and nowhere else: names were checked when the spec was read, and
any other value is written as its `repr`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adaptergen.plan.node import Node
from adaptergen.spec.arithmetic import Expression
from adaptergen.spec.shape import Tap
from adaptergen.spec.values import Dimension


@dataclass(frozen=True)
class Code:
    """Source text, and the (module, name) pairs it imports."""

    text: str
    imports: frozenset[tuple[str, str]] = frozenset()


def component_code(node: Node, config: str, runtime: str) -> Code:
    """The call that makes a component.

    `config` is the expression for the config, and `runtime` where what adapters share is.
    """
    arguments = [f"name={node.path!r}"]
    imports = {(module_of(node, runtime), node.bridge)}
    if node.takes_config:
        arguments.append(f"config={config}")
    if node.submodules:
        submodules = components_code(node.submodules, config, runtime)
        arguments.append(f"submodules={submodules.text}")
        imports |= submodules.imports
    arguments += [f"{name}={value!r}" for name, value in node.options]
    callee = node.bridge
    if node.taps or node.fused_in_training:
        callee = _tapped(node)
        imports |= {(f"{runtime}.taps", "tapped")}
        imports |= {(f"{runtime}.taps", "Tap")} if node.taps else set()
    text = f"{callee}({', '.join(arguments)})"
    if node.token_hooks:
        imports.add((f"{runtime}.layer_kinds", "over_tokens"))
        some = len(node.token_hooks) < len(node.hooks)
        names = f", {', '.join(map(repr, node.token_hooks))}" if some else ""
        text = f"over_tokens({text}{names})"
    if node.absent:
        imports.add((f"{runtime}.layer_kinds", "without_hooks"))
        names = ", ".join(repr(name) for name in sorted(name for name, _ in node.absent))
        text = f"without_hooks({text}, {names})"
    return Code(text, frozenset(imports))


def module_of(node: Node, runtime: str) -> str:
    """The module that has the component's class."""
    return f"{runtime}{node.module}" if node.module.startswith(".") else node.module


def _tapped(node: Node) -> str:
    """The expression for the class of a component with taps."""
    taps = ", ".join(f"{name!r}: {_tap(tap)}" for name, tap in node.taps.items())
    fused = ", fused_in_training=True" if node.fused_in_training else ""
    return f"tapped({node.bridge}, {{{taps}}}{fused})"


def _tap(tap: Tap) -> str:
    given = {name: value for name, value in tap if value != type(tap).model_fields[name].default}
    if len(tap.function) == 1:
        given["function"] = tap.function[0]
    return f"Tap({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def components_code(nodes: Iterable[Node], config: str, runtime: str) -> Code:
    """The dict of several components by their keys."""
    pairs = [(node.key, component_code(node, config, runtime)) for node in nodes]
    text = ", ".join(f"{key!r}: {code.text}" for key, code in pairs)
    return Code(f"{{{text}}}", frozenset().union(*(code.imports for _, code in pairs)))


def import_lines(imports: Iterable[tuple[str, str]]) -> str:
    """Import statements; a pair without a name imports the module itself."""
    lines = (
        f"from {module} import {name}" if name else f"import {module}" for module, name in imports
    )
    return "\n".join(sorted(set(lines)))


def arithmetic_code(expression: Expression, scope: str) -> str:
    """Arithmetic over attributes of `scope`."""
    return expression.render(lambda name: f"{scope}.{name}")


def dimension_code(dimension: Dimension, names: dict[str, str], cfg_fields: frozenset[str]) -> str:
    """An axis over `cfg` where that has the name, else over the HF config, called `hf`."""

    def look_up(name: str) -> str:
        return names.get(name) or (f"cfg.{name}" if name in cfg_fields else f"hf.{name}")

    return " or ".join(expression.render(look_up) for expression in dimension.alternatives)

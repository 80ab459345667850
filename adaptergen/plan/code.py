"""Python expressions that carry what they import.

Text of a spec enters code here and nowhere else: names were checked when the spec was read, and
any other value is written as its `repr`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adaptergen.plan.node import Node
from adaptergen.spec.arithmetic import Expression
from adaptergen.spec.shape import Convolution, RouterWeight
from adaptergen.spec.values import Dimension

CONVOLUTION_CLASS = "_FunctionalConvMixerBridge"
ROUTER_CLASS = "_FunctionalRouterBridge"


@dataclass(frozen=True)
class Code:
    """Source text, and the (module, name) pairs it imports."""

    text: str
    imports: frozenset[tuple[str, str]] = frozenset()


def class_name(node: Node) -> str:
    """Name of the component's class: TL's, or the adapter's own where HF uses a child's weight."""
    for child in node.submodules:
        if isinstance(child.functional, RouterWeight):
            return ROUTER_CLASS
        if isinstance(child.functional, Convolution):
            return CONVOLUTION_CLASS
    return node.bridge


def component_code(node: Node, config: str) -> Code:
    """The call that makes a component; `config` is the expression for the config."""
    arguments = [f"name={node.path!r}"]
    imports: frozenset[tuple[str, str]] = frozenset()
    if node.takes_config:
        arguments.append(f"config={config}")
    if node.submodules:
        submodules = components_code(node.submodules, config)
        arguments.append(f"submodules={submodules.text}")
        imports |= submodules.imports
    arguments += [f"{name}={value!r}" for name, value in node.options]
    name = class_name(node)
    if name == node.bridge:
        imports |= {(node.module, node.bridge)}
    text = f"{name}({', '.join(arguments)})"
    text = with_renamed_arguments(node, text)
    if node.token_hooks:
        text = f"_over_tokens({text}, {', '.join(map(repr, node.token_hooks))})"
    if node.absent:
        names = ", ".join(repr(name) for name in sorted(name for name, _ in node.absent))
        text = f"_without_hooks({text}, {names})"
    return Code(text, imports)


def with_renamed_arguments(node: Node, text: str) -> str:
    """The expression for a component, given what HF calls otherwise than the component does."""
    if not node.renamed_arguments:
        return text
    return f"_with_renamed_arguments({text}, {dict(node.renamed_arguments)!r})"


def components_code(nodes: Iterable[Node], config: str) -> Code:
    """The dict of several components by their keys."""
    pairs = [(node.key, component_code(node, config)) for node in nodes]
    # The trailing comma makes black give each component a line.
    text = "".join(f"{key!r}: {code.text}, " for key, code in pairs)
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

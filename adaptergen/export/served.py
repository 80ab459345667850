"""Which tests that stay or are new read the same of TransformerLens as a test that goes.

Told by syntax: the names that both use, of those that TransformerLens gives to something.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from adaptergen.catalogue import Catalogue
from adaptergen.plan.model import Plan
from adaptergen.problems import listing

#: What tests ask of a bridge, its cache and its adapter, and of the registries.
_ASKED = frozenset({
    "ArchitectureAdapterFactory", "CANONICAL_AUTHORS_BY_ARCH", "HF_SUPPORTED_ARCHITECTURES",
    "SUPPORTED_ARCHITECTURES", "compute_ssm_effective_attention", "compute_ssm_state",
    "create_stateful_cache", "generate", "logits", "run_with_cache", "run_with_hooks",
    "ssm_layers", "state_dict", "to_tokens",
})  # fmt: skip
#: How an adapter is read at all, and keys that are short words: they tell nothing of a test.
_EVERYWHERE = frozenset({"component_mapping", "in", "out", "q", "k", "v", "o"})
_WORD = re.compile(r"\w+")
_SHOWN = 2


@dataclass(frozen=True)
class Tested:
    """One test, with the names of TransformerLens that it uses."""

    name: str
    names: frozenset[str]


def vocabulary(plan: Plan, catalogue: Catalogue) -> frozenset[str]:
    """The names that TransformerLens, or the adapter, gives to something."""
    config = plan.spec.config
    rows = [
        *plan.model_hooks,
        *plan.layer_hooks,
        *(row for kind in plan.kinds for row in kind.hooks),
    ]
    parts = {part for row in rows for name in (row.name, *row.aliases) for part in name.split(".")}
    hooks = {hook.name for one in catalogue.components.values() for hook in one.hooks}
    aliases = {alias for one in catalogue.components.values() for alias in one.hook_aliases}
    return frozenset({
        *_ASKED, *parts, *hooks, *aliases, *catalogue.components, *catalogue.config_fields,
        *catalogue.passthrough, *catalogue.adapter_attributes, *config.from_hf, *config.derived,
    }) - _EVERYWHERE  # fmt: skip


def tested(tree: ast.Module, known: Set[str], *, followed: bool = False) -> list[Tested]:
    """The tests of a file; `followed`: with the constants and helpers of the file that they use.

    Fixtures are not followed: what a test is handed is not what it asks.
    """
    bound = dict(_bound(tree)) if followed else {}
    return [Tested(name, _names(node, bound) & known) for name, node in _tests(tree)]


def instead(gone: Tested, others: Iterable[Tested]) -> str:
    """The tests that read most of what this one reads, and what none of them reads."""
    if not gone.names:
        return "its source names nothing by which to tell"
    ranked = sorted(others, key=lambda one: -len(one.names & gone.names))
    best = [one for one in ranked if one.names & gone.names]
    most = len(best[0].names & gone.names) if best else 0
    shown = [f"`{one.name}`" for one in best if len(one.names & gone.names) == most][:_SHOWN]
    missed = sorted(gone.names - {name for one in best for name in one.names})
    told = (
        [f"{', '.join(shown)} (read {listing(sorted(best[0].names & gone.names))})"] if best else []
    )
    if missed:
        told.append(f"no test reads {listing(missed)}")
    return "; ".join(told)


def _tests(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test") and _is_data(node):
            yield node.name, node
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for one in inner:
            if isinstance(one, ast.FunctionDef) and one.name.startswith("test"):
                yield prefix + one.name, one


def _is_data(node: ast.ClassDef) -> bool:
    """Whether a class has tests of its base class, and data of its own."""
    return bool(node.bases) and not any(isinstance(one, ast.FunctionDef) for one in node.body)


def _bound(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.FunctionDef(name=name, decorator_list=[]):
                yield name, node


def _names(node: ast.AST, bound: dict[str, ast.AST]) -> frozenset[str]:
    found: set[str] = set()
    waiting, entered = [node], set()
    while waiting:
        for name in _used(waiting.pop()):
            found.add(name)
            if name in bound and name not in entered:
                entered.add(name)
                waiting.append(bound[name])
    return frozenset(found)


def _used(node: ast.AST) -> Iterator[str]:
    docstrings: set[str] = set()
    for one in ast.walk(node):
        match one:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                yield name
            case ast.Expr(value=ast.Constant(value=str(text))):
                docstrings.add(text)
            case ast.Constant(value=str(text)) if text not in docstrings:
                # Such as `blocks.0.mixer.hook_in`, or `LinearBridge in_proj`.
                yield from _WORD.findall(text)

"""One component held against the catalogue: its keywords, its hooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from adaptergen.catalogue import Component
from adaptergen.plan.node import HookPoint, Node
from adaptergen.plan.where import Where
from adaptergen.problems import Problem, SpecValueError, quote, suggestion
from adaptergen.spec.shape import Hook, Wrapping

#: Keywords that the spec says by other means.
OWN_WORDS = {"name": "path", "config": "config", "submodules": "submodules", "optional": "when"}


def check_component(
    wrapping: Wrapping, component: Component, where: Where, added: bool = False
) -> Iterator[Problem]:
    """Every keyword that the component would not accept."""
    accepted = {keyword.name: keyword for keyword in component.keywords if not keyword.unused}
    for name in wrapping.options:
        here = where.at("options", name)
        if name in OWN_WORDS:
            message, hint = f"{quote(name)} is not an option", f"use {OWN_WORDS[name]}:"
            yield here.problem("unknown-keyword", message, hint, key=True)
        elif name not in accepted:
            message = f"{component.name} takes no keyword {quote(name)}"
            yield here.problem("unknown-keyword", message, suggestion(name, accepted), key=True)
    for word, used in (
        ("config", wrapping.config),
        ("submodules", bool(wrapping.submodules) or added),
    ):
        if used and word not in accepted:
            message = f"{component.name} takes no {word}"
            yield where.at(word).problem("unknown-keyword", message, "delete it", key=True)
    config = accepted.get("config")
    if config is not None and config.required and not wrapping.config:
        message = f"{component.name} needs the config"
        yield where.at("component").problem("missing-keyword", message, "add config: true")


def hook_points(
    described: Mapping[str, tuple[Hook, Where]],
    aliases: Mapping[str, str],
    component: Component,
    where: Where,
) -> tuple[tuple[HookPoint, ...], tuple[tuple[str, str], ...], list[Problem]]:
    """The hooks that the component offers, those taken off it with the reason, and problems."""
    offered = {hook.name: hook for hook in component.hooks}
    hooks, absent, problems = [], [], []
    for name, (hook, here) in described.items():
        taken_off = hook.contract is not None and hook.contract.state == "absent"
        if name not in offered and not (taken_off and name in aliases):
            message = f"{component.name} has no hook {quote(name)}"
            hint = suggestion(name, [*offered, *aliases])
            problems.append(here.problem("unknown-hook", message, hint, key=True))
        elif taken_off and hook.contract is not None:
            absent.append((name, hook.contract.reason))
        else:
            try:
                axes = tuple(here.axis(axis) for axis in hook.shape or ())
            except SpecValueError as error:
                place = here.at("shape")
                problems.append(place.problem(error.code, error.message, error.hint))
            else:
                file, line = here.source.path, here.line
                tensor, contract = hook.tensor or "", hook.contract
                hooks.append(
                    HookPoint(name, axes, tensor, contract, hook.when, hook.heads, file, line)
                )
    for name, known in offered.items():
        if name not in described and known.by_default is not False:
            message = f"the hook {quote(name)} of {component.name} is not described"
            hint = f"add {name} to hooks, with its shape and its tensor"
            problems.append(where.at("component").problem("undescribed-hook", message, hint))
    return tuple(hooks), tuple(absent), problems


def alias_problems(
    aliases: Mapping[str, str],
    hooks: Iterable[HookPoint],
    submodules: Iterable[Node],
    where: Where,
) -> Iterator[Problem]:
    """Aliases that have the name of a hook, or lead to none."""
    own = [hook.name for hook in hooks]
    walked = [pair for top in submodules for pair in top.walk()]
    below = [f"{name}.{hook.name}" for name, node in walked for hook in node.hooks]
    for alias, target in aliases.items():
        here = where.at("aliases", alias)
        if alias in own:
            message = f"{quote(alias)} is a hook, so it cannot be an alias"
            yield here.problem("name-taken", message, "delete it", key=True)
        if target not in own and target not in below:
            message = f"there is no hook {quote(target)} here"
            yield here.problem("unknown-hook", message, suggestion(target, [*own, *below]))

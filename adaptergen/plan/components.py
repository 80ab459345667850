"""One component held against the catalogue: its keywords, its hooks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from adaptergen.catalogue.model import Catalogue, Component
from adaptergen.plan.node import Condition, HookPoint, Location, Node
from adaptergen.problems import Failed, Problem, listing, quote, suggestion
from adaptergen.spec.shape import Hook, Tap, Wrapping

#: Keywords that the spec says by other means.
OWN_WORDS = {"name": "path", "config": "config", "submodules": "submodules", "optional": "when"}


def check_component(
    wrapping: Wrapping, component: Component, where: Location, added: bool = False
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
    used = {"config": wrapping.config, "submodules": bool(wrapping.submodules) or added}
    for word in used:
        if used[word] and word not in accepted:
            message = f"{component.name} takes no {word}"
            yield where.at(word).problem("unknown-keyword", message, "delete it", key=True)
    config = accepted.get("config")
    left_out = not wrapping.config and where.is_resolved("config")
    if config is not None and config.required and left_out:
        message = f"{component.name} needs the config"
        yield where.at("component").problem("missing-keyword", message, "add config: true")


@dataclass(frozen=True)
class Offer:
    """The hooks that a component offers, those taken off it with the reason, and problems.

    It is `complete` if no name of a hook is in doubt.
    """

    hooks: tuple[HookPoint, ...]
    absent: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]
    complete: bool


def hook_points(
    described: Sequence[tuple[str, Hook, Location]],
    aliases: Collection[str],
    component: Component,
    shape: Location,
    use: Location,
    taps: Mapping[str, Tap],
) -> Offer:
    """Hooks as a shape and then its use describe them, held against the component and its taps."""
    offered = {hook.name: hook for hook in component.hooks}
    hooks: dict[str, HookPoint] = {}
    absent: dict[str, str] = {}
    problems: list[Problem] = []
    misnamed: list[Problem] = []
    meant: set[str] = set()
    for name, hook, here in described:
        contract = hook.contract if here.is_valid("contract") else None
        taken_off = hook.taken_off and contract is not None
        may_be_alias = hook.taken_off or not here.is_valid("contract")
        if name not in offered and name not in taps and not (may_be_alias and name in aliases):
            message = f"{component.name} has no hook {quote(name)}"
            hint = suggestion(name, [*offered, *aliases])
            if not may_be_alias or shape.is_resolved("aliases", name):
                misnamed.append(here.problem("unknown-hook", message, hint, key=True))
            meant |= set(get_close_matches(name[:100], offered, n=1))
            continue
        if name in component.hook_aliases and not may_be_alias and name not in taps:
            # The component inherits a hook of this name, which the alias hides.
            target = component.hook_aliases[name][0]
            message = (
                f"in {component.name} {quote(name)} is no hook of its own: it leads to "
                f"{quote(target)}"
            )
            hint = f"leave it out here, or describe {quote(target)}"
            problems.append(here.problem("unknown-hook", message, hint, key=True))
            continue
        problems += _description_problems(hook, here)
        if taken_off and contract is not None:
            hooks.pop(name, None)
            absent[name] = contract.reason
            continue
        absent.pop(name, None)
        axes = []
        for index, axis in enumerate(hook.shape or ()):
            try:
                axes.append(here.at("shape", index).axis(axis))
            except Failed as failed:
                problems += failed.problems
        hooks[name] = HookPoint(
            name,
            tuple(axes),
            hook.tensor or "",
            contract,
            Condition.of(hook.when) if hook.when else None,
            hook.heads,
            hook.overwritten,
            hook.silent_in_compatibility_mode,
            here,
        )
    names = dict.fromkeys(name for name, _, _ in described)
    for name, known in offered.items():
        judged = shape.is_resolved("hooks", name) and use.is_resolved("hooks", name)
        # A name that is not known may be meant for one that is missing.
        if name not in names and name not in meant and known.by_default is not False and judged:
            message = f"the hook {quote(name)} of {component.name} is not described"
            hint = f"add {name} to hooks, with its shape and its tensor"
            misnamed.append(shape.at("component").problem("undescribed-hook", message, hint))
    return Offer(
        hooks=tuple(hooks[name] for name in names if name in hooks),
        absent=tuple((name, absent[name]) for name in names if name in absent),
        problems=(*problems, *misnamed),
        complete=not misnamed,
    )


def _description_problems(hook: Hook, here: Location) -> Iterator[Problem]:
    """A hook has its dimensions and says what its tensor is, unless it is taken off."""
    if not here.is_valid("contract"):
        return
    if hook.taken_off and (hook.shape is not None or hook.tensor is not None):
        message = "a hook that is taken off holds nothing to describe"
        yield here.problem("contract-absent", message, "delete shape and tensor")
    lacking = (hook.shape is None and here.is_resolved("shape")) or (
        hook.tensor is None and here.is_resolved("tensor")
    )
    if not hook.taken_off and lacking:
        message = "a hook needs its shape and what tensor it is"
        yield here.problem("undescribed-hook", message, "add shape: and tensor:")


def alias_problems(
    aliases: Mapping[str, Sequence[str]],
    hooks: Iterable[HookPoint],
    submodules: Sequence[Node],
    where: Location,
    complete: bool,
) -> Iterator[Problem]:
    """Aliases that have the name of a hook, or lead to none.

    Unless `complete`, only what leads into a submodule that is complete can be known to do so.
    """
    hooks = list(hooks)
    own, known = {hook.name for hook in hooks}, _hook_names(hooks, submodules)
    certain = {node.key for node in submodules if node.complete}
    for alias, targets in aliases.items():
        here = where.at("aliases", alias)
        if alias in own:
            message = f"{quote(alias)} is a hook, so it cannot be an alias"
            yield here.problem("name-taken", message, "delete it", key=True)
        for index, target in enumerate(targets):
            judged = complete or target.partition(".")[0] in certain
            if target not in known and judged and here.is_resolved() and here.is_resolved(index):
                message = f"there is no hook {quote(target)} here"
                yield here.at(index).problem("unknown-hook", message, suggestion(target, known))


def _hook_names(hooks: Iterable[HookPoint], submodules: Sequence[Node]) -> list[str]:
    """The hooks of a component and of all that is in it, by their names from there."""
    walked = (pair for top in submodules for pair in top.walk())
    below = [f"{name}.{hook.name}" for name, node in walked for hook in node.hooks]
    return [*(hook.name for hook in hooks), *below]


def tap_problems(
    taps: Mapping[str, Tap],
    hooks: Iterable[HookPoint],
    submodules: Sequence[Node],
    shape: Location,
    use: Location,
) -> Iterator[Problem]:
    """Taps on hooks that there are not, and on weights of submodules that there are not."""
    known = _hook_names(hooks, submodules)
    keys = {name for top in submodules for name, _ in top.walk()}
    for name, tap in taps.items():
        here = use if use.source.value((*use.loc, "taps", name)) is not None else shape
        place = here.at("taps", name)
        if name not in known and place.is_resolved():
            message = f"the tap is on {quote(name)}, and there is no such hook here"
            close = get_close_matches(name[:100], known, n=1)
            meant = f"did you mean {quote(close[0])}? If not, " if close else ""
            hint = f"{meant}describe the hook below `hooks`"
            yield place.problem("unknown-hook", message, hint, key=True)
        owner = (tap.weight or "").rpartition(".")[0]
        if owner and owner not in keys and place.is_resolved("weight"):
            message = (
                f"the tap is on a weight of {quote(owner)}, and there is no such submodule here"
            )
            hint = suggestion(owner, keys) or "add the submodule that has the weight"
            yield place.at("weight").problem("unknown-submodule", message, hint)


def inherited_problems(
    component: Component,
    offer: Offer,
    submodules: Sequence[Node],
    where: Location,
    catalogue: Catalogue,
) -> Iterator[Problem]:
    """Names that the component's class gives to hooks of submodules, where there is no such one.

    TransformerLens only warns of them, when a model is wrapped.
    """
    absent, keys = dict(offer.absent), {node.key for node in submodules}
    own = {hook.name for hook in offer.hooks}

    def missing(of: Component) -> dict[str, str]:
        return {
            alias: targets[0]
            for alias, targets in of.hook_aliases.items()
            if alias not in absent
            and alias not in own
            and not any(to in own or to.partition(".")[0] in keys for to in targets)
        }

    lost = missing(component)
    if not lost:
        return
    needed = dict.fromkeys(target.partition(".")[0] for target in lost.values())
    message = f"{component.name} gives {listing(lost)} to hooks of {listing(needed)}: not here"
    hint = f"add {listing(needed)}, or take off the names: `contract: {{is: absent, reason: ...}}`"
    others = [
        name
        for name, other in catalogue.components.items()
        if other.hook_aliases and not missing(other)
    ]
    near = get_close_matches(component.name, others, n=1, cutoff=0.85)
    if near:
        hint = f"did you mean {quote(near[0])}? If not, {hint}"
    yield where.at("component").problem("dangling-alias", message, hint)

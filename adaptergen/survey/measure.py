"""One bridge measured: what holds of it, held against the model of transformers alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from adaptergen.contract.models import undisturbed
from adaptergen.coverage import ROLES, Measured, Role
from adaptergen.inspection.fault_isolation import reason
from adaptergen.inspection.layout import wildcard_path
from adaptergen.inspection.watch import watching
from adaptergen.survey.analyses import analyses
from adaptergen.survey.expected import Attention, Expected, Softmaxes, close, observe
from adaptergen.survey.hooks import Subject, edit, hook_names, on_request, reaching
from adaptergen.survey.judge import judged
from adaptergen.survey.runs import (
    POS,
    Runner,
    Runs,
    apart,
    compared,
    of_hf,
    options_of,
    run_all,
    steps,
    tokens_of,
)

#: Names of the hooks of an attention, by what they hold.
_NAMES: dict[Role, tuple[str, ...]] = {
    "pattern": ("hook_pattern",),
    "scores": ("hook_attn_scores",),
    "queries": ("hook_q", "hook_rot_q", "q.hook_out"),
    "keys": ("hook_k", "hook_rot_k", "k.hook_out"),
    "values": ("hook_v", "v.hook_out"),
}


_UNUSED = "no run of the model uses its weights"


@dataclass(frozen=True)
class Known:
    """A tiny model, and what it does alone. `unused` are modules whose weights no run uses."""

    model: Any
    expected: Expected
    runs: Runs
    hf: tuple[str, ...]
    unused: tuple[str, ...]


def known(model: Any, generates: bool) -> Known:
    """Observe a model that nothing wraps."""
    with undisturbed():
        runner, tokens = Runner(model), tokens_of(model)
        runs = run_all(runner, generates)
        if "plain" not in runs.logits:
            raise RuntimeError(runs.errors["plain"])
        options = options_of(model, use_cache=False)
        expected = observe(model, lambda: runner(tokens, **options), POS)
        with watching(model) as seen:
            runner(tokens, **options)
            if "decode" in runs.logits:
                steps(runner, tokens)
        used, modules = seen.touched(), dict(model.named_modules())
        unused = tuple(path for path in expected.weights if id(modules[path]) not in used)
        return Known(model, expected, runs, tuple(of_hf(model, runs)), unused)


def measure(
    found: Known,
    wrap: Callable[[Any], Any],
    *,
    explain: Callable[[Any], Mapping[str, str]] = lambda bridge: {},
    switches: Collection[str] = (),
    findings: Sequence[str] | None = None,
) -> Measured:
    """What holds of the bridge that `wrap` makes around a copy of the model.

    `explain` gives of the bridge why modules are not bound; `switches` are attributes of components
    that make further hooks fire; `findings` are those of `verify`.
    """
    model = copy.deepcopy(found.model)
    paths = {id(module): path for path, module in model.named_modules()}
    with undisturbed():
        try:
            bridge = wrap(model)
            # Before what is measured last, which changes the bridge.
            reasons = explain(bridge)
            measured = _measured(found, bridge, model, paths, switches)
        except Exception as error:  # adapters and models may raise anything
            return judged(Measured(error=reason(error)))
        told = {wildcard_path(path): _UNUSED for path in found.unused}
        told |= {wildcard_path(path): why for path, why in reasons.items()}
    explained = {path: why for path, why in told.items() if path in measured.unbound}
    more = {"explained": explained, "findings": None if findings is None else tuple(findings)}
    return judged(measured.model_copy(update=more))


def _measured(
    found: Known, bridge: Any, model: Any, paths: Mapping[int, str], switches: Collection[str]
) -> Measured:
    runs = run_all(Runner(bridge.original_model, bridge), bool(found.runs.tokens))
    options = options_of(found.model, use_cache=False)
    subject = Subject(bridge, tokens_of(found.model), options)
    fired, names = subject.fired(), hook_names(bridge)
    live = reaching(subject, fired)
    silent = set(names.values()) - fired.keys()
    asked = on_request(subject, silent, switches) if silent else set()
    states = {
        "read_only": fired.keys() - live, "on_request": asked, "silent": silent - asked,
    }  # fmt: skip
    components = _components(bridge, set(names.values()), paths)
    holders = _Holders({name: fired[name] for name in live})
    layers, parts = found.expected.layers, found.expected.parts
    streams = [one for one in layers if holders.have((*one.before, *one.after))]
    missing = [part.path for part in parts if not holders.have(part.returned)]
    bound = {
        paths.get(id(module._modules["_original_component"]))
        for module in bridge.modules()
        if "_original_component" in module._modules
    }
    inner = _inner_hooks(fired, components)
    important = {part.path for part in parts} | {one.path for one in found.expected.attention}
    return Measured(
        parity=apart(found.runs, runs),
        generation=compared(found.model, found.runs, runs),
        raises=runs.errors,
        layers=len(layers),
        streams=len(streams),
        parts=len(parts),
        parts_live=len(parts) - len(missing),
        parts_missing=_wild(missing),
        attention=len(found.expected.attention),
        editable=_editable(subject, found.expected, names, live, fired, components),
        hooks={"live": len(live), **{state: len(held) for state, held in states.items()}},
        **{state: _wild(held) for state, held in states.items()},
        unbound=_wild(path for path in found.expected.weights if path and path not in bound),
        opaque=_wild(
            path
            for path in important
            if any(inside.startswith(f"{path}.") for inside in found.expected.weights)
            and not any(at == path or at.startswith(f"{path}.") for at in inner)
        ),
        analyses=analyses(subject, Runner(found.model), found.expected, found.runs),
    )


def _wild(paths: Any) -> tuple[str, ...]:
    return tuple(sorted({wildcard_path(path) for path in paths}))


class _Holders:
    """Tensors of hooks, by their number of elements."""

    def __init__(self, fired: Mapping[str, Sequence[Any]]) -> None:
        sizes: dict[int, list[Any]] = {}
        for held in fired.values():
            for tensor in held:
                if tensor.is_floating_point():
                    sizes.setdefault(tensor.numel(), []).append(tensor.reshape(-1).float())
        self._sizes = {size: torch.stack(held) for size, held in sizes.items()}

    def have(self, tensors: Sequence[Any]) -> bool:
        """Whether a hook holds each of these tensors."""
        return bool(tensors) and all(self._has(tensor) for tensor in tensors)

    def _has(self, tensor: Any) -> bool:
        held = None if tensor is None else self._sizes.get(tensor.numel())
        if held is None:
            return False
        flat = tensor.reshape(-1).float()
        nearest = held[(held - flat).abs().amax(1).nan_to_num(float("inf")).argmin()]
        return close(nearest, flat)


def _components(bridge: Any, names: set[str], paths: Mapping[int, str]) -> dict[str, str]:
    """The components that have hooks, and the path of the module that each binds."""
    found = {}
    for prefix in {name.rpartition(".")[0] for name in names}:
        try:
            original = getattr(bridge.get_submodule(prefix), "original_component", None)
        except AttributeError:  # an owner that is no module
            continue
        path = paths.get(id(original))
        if path is not None:
            found[prefix] = path
    return found


def _inner_hooks(fired: Mapping[str, Any], components: Mapping[str, str]) -> set[str]:
    """Paths of modules with a hook that fires and is neither their input nor their output.

    The input or output of a module is inside the module around it.
    """
    found = set()
    for name in fired:
        prefix, _, hook = name.rpartition(".")
        path = components.get(prefix)
        if path:
            outer = path.rpartition(".")[0]
            found.add(outer if hook in ("hook_in", "hook_out") else path)
    return found


def _editable(
    subject: Subject,
    expected: Expected,
    names: Mapping[str, str],
    live: Collection[str],
    fired: Mapping[str, Sequence[Any]],
    components: Mapping[str, str],
) -> dict[Role, int]:
    """Of how many attentions each tensor has an editable hook."""
    found: dict[Role, int] = dict.fromkeys(ROLES, 0)
    with Softmaxes(POS) as plain:
        subject.run([])
    for one in expected.attention:
        owners = [prefix for prefix, path in components.items() if _belongs(path, one, expected)]
        for role, hooks in _NAMES.items():
            asked = {names.get(f"{owner}.{hook}", "") for owner in owners for hook in hooks}
            found[role] += any(
                name in live and _is_role(role, subject, name, one, plain, expected, fired)
                for name in sorted(asked)
            )
    return found


def _belongs(path: str, one: Attention, expected: Expected) -> bool:
    """Whether a module is this attention, inside of it, or around it within its layer."""
    if path == one.path or path.startswith(f"{one.path}."):
        return True
    layer = max((x.path for x in expected.layers if one.path.startswith(f"{x.path}.")), default="")
    return bool(layer) and one.path.startswith(f"{path}.") and path.startswith(f"{layer}.")


def _is_role(
    role: Role,
    subject: Subject,
    name: str,
    one: Attention,
    plain: Softmaxes,
    expected: Expected,
    fired: Mapping[str, Sequence[Any]],
) -> bool:
    """Whether a hook is what its name says, as far as the softmaxes tell.

    Scores, queries and keys change the softmax of this attention and none before it; a pattern and
    values change none up to it. A bridge that computes softmaxes in another way is not asked.
    """
    if role == "pattern" and not all(
        any(_is_pattern(held, pattern) for held in fired[name]) for pattern in one.patterns
    ):
        return False
    if len(plain.taken) != expected.softmaxes:
        return True
    with Softmaxes(POS) as seen:
        subject.run([(name, edit)])
    pairs = zip(plain.taken, seen.taken, strict=False)
    changed = [number for number, pair in enumerate(pairs) if not torch.equal(*pair)]
    before = role in ("scores", "queries", "keys")
    first = changed[0] if changed else expected.softmaxes
    return first in one.softmaxes if before else first > one.softmaxes[0]


def _is_pattern(held: Any, returned: Any) -> bool:
    """Whether a hook holds what a softmax returned, with or without columns of sinks at its end."""
    if held.dim() < 2 or held.shape[-1] > returned.shape[-1]:
        return False
    return close(held, returned[..., : held.shape[-1]])

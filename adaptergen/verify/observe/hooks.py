"""The hooks of a wrapped model as they behave: what fires, its shape, and what an edit does.

And whether it computes what HF does: what hooks show of another computation says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaptergen.contract import tables
from adaptergen.contract.models import ModelUnderTest, difference, edited, quiet
from adaptergen.contract.reference import random_tokens
from adaptergen.lock.entry import Hook
from adaptergen.plan.model import Plan
from adaptergen.verify.locate import hook_row
from adaptergen.verify.observe.logits import BATCH, DECODE, POS, PROMPT, tokens_of
from adaptergen.verify.observe.values import rms

#: An edit changes logits by far more, and rounding in another batch by far less.
APART = 1e-5

Hooks = dict[str, dict[str, Hook]]
Order = tuple[str, ...]


@dataclass(frozen=True)
class Behaviour:
    """Hooks on the first layer of each kind, by kind and name; the order they fire in; and the
    runs whose logits are not HF's."""

    hooks: Hooks
    order: Order
    apart: tuple[str, ...]


def observe_hooks(
    run: ModelUnderTest,
    plan: Plan,
    expected: Mapping[str, Any],
    wanted: Callable[[tables.Hook], bool],
) -> Behaviour:
    """What the wrapped model does where HF's logits are these, by run."""
    first = [hook for hook in first_of_kinds(run) if wanted(hook)]
    names = {hook.name for hook in first}.__contains__
    tokens = tokens_of(run.hf_config)
    with quiet():
        cached = run.empty_cache()
        logits, fired = _run_with_cache(run, tokens, names, cached)
        step_logits, step = _run_with_cache(run, tokens[:, -1:], names, cached)
    apart = [
        way
        for way, actual in ((PROMPT, logits), (DECODE, step_logits))
        if difference(actual, expected[way])
    ]
    reaching = _reaching(run, [p for p in first if p.name in fired], fired)
    hooks: Hooks = {}
    for hook in first:
        state = "silent"
        if hook.name in fired:
            state = "live" if hook.name in reaching else "read_only"
        tensor = fired.get(hook.name)
        hooks.setdefault(hook.kind, {})[hook.short] = Hook(
            state=state,
            in_decode=hook.name in step or tensor is None,
            shape="" if tensor is None else _shape(run, plan, hook, tensor),
            dtype=str(getattr(tensor, "dtype", "float32")).removeprefix("torch."),
            rms=None if tensor is None else rms(tensor),
        )
    return Behaviour(hooks, _order(first, fired), tuple(apart))


def first_of_kinds(run: ModelUnderTest) -> list[tables.Hook]:
    """The hooks of what lies outside the layers, and of the first layer of each kind."""
    layers = {kind: run.kinds.index(kind) for kind in dict.fromkeys(run.kinds)}
    return [hook for hook in run.hooks if hook.layer is None or hook.layer == layers[hook.kind]]


def _order(first: Sequence[tables.Hook], fired: Any) -> Order:
    by_name = {hook.name: hook for hook in first}
    chosen = (by_name[name] for name in fired if name in by_name)
    return tuple(f"{hook.kind}/{hook.short}" for hook in chosen)


def _run_with_cache(
    run: ModelUnderTest, tokens: Any, names: Callable[[str], bool], cached: Mapping[str, Any]
) -> tuple[Any, Any]:
    logits, cache = run.bridge.run_with_cache(tokens, names_filter=names, **cached)
    return logits, cache.cache_dict


def _reaching(run: ModelUnderTest, chosen: Sequence[tables.Hook], fired: Any) -> set[str]:
    """Those whose edit changes the logits."""
    tokens = random_tokens(run.hf_config.vocab_size, 1, 3)
    in_rows = [
        p for p in chosen if p.contract.axes and "batch" in tables.names_of(p.contract.axes[0])
    ]
    others = [p for p in chosen if p not in in_rows]
    for_all = [p for p in others if len(fired[p.name]) == 1]
    alone = [p for p in others if p not in for_all]
    try:
        plain, reaching = _edited_in_rows(run, tokens, [*in_rows, *for_all])
    except Exception:  # what is the same for all rows may not be given for each
        plain, reaching = _edited_in_rows(run, tokens, in_rows)
        alone = others
    for hook in alone:
        logits = _run(run, tokens, [(hook.name, lambda t, hook: edited(t))])
        if not (logits - plain).abs().max() <= APART:
            reaching.add(hook.name)
    return reaching


def _edited_in_rows(
    run: ModelUnderTest, tokens: Any, chosen: Sequence[tables.Hook]
) -> tuple[Any, set[str]]:
    """Logits without an edit, and those hooks whose edit changes them.

    Rows of a batch do not see each other, so one run edits each hook in a row of its own, and the
    last row is as if nothing was edited.
    """
    rows = len(chosen) + 1
    hooks = [(p.name, _edit_row(row, rows)) for row, p in enumerate(chosen)]
    logits = _run(run, tokens.repeat(rows, 1), hooks)
    plain = logits[-1:]
    apart = (logits - plain).abs().amax(dim=(1, 2))
    return plain, {p.name for row, p in enumerate(chosen) if not apart[row] <= APART}


def _run(run: ModelUnderTest, tokens: Any, hooks: list[tuple[str, Callable[..., Any]]]) -> Any:
    with quiet():
        return run.bridge.run_with_hooks(tokens, fwd_hooks=hooks)


def _edit_row(row: int, rows: int) -> Callable[..., Any]:
    def edit(activation: Any, hook: Any) -> Any:
        if len(activation) == 1:
            activation = activation.expand(rows, *activation.shape[1:])
        # Tokens of all rows may lie in one axis.
        changed = activation.clone().unflatten(0, (rows, -1))
        changed[row] = edited(changed[row])
        return changed.flatten(0, 1)

    return edit


def _shape(run: ModelUnderTest, plan: Plan, hook: tables.Hook, tensor: Any) -> str:
    """Axes as they are promised where they have that size, and as numbers where not."""
    row = hook_row(plan, hook.kind, hook.short)
    axes = row.axes if row else hook.contract.axes
    sizes = run.shape(hook.contract, BATCH, POS)
    if len(sizes) != tensor.dim():
        return f"[{', '.join(map(str, tensor.shape))}]"
    # In a plain run a cache adds no positions.
    named = [
        str(axis).replace("kv_pos", "pos") if size == measured else str(measured)
        for axis, size, measured in zip(axes, sizes, tensor.shape, strict=True)
    ]
    return f"[{', '.join(named)}]"

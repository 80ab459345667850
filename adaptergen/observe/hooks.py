"""The hooks of a wrapped model as they behave, and what HF computes.

What fires, its shape, what an edit does; and whether the model computes what HF does: what hooks
show of another computation says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from adaptergen.contract import tables
from adaptergen.contract.models import ModelUnderTest, difference, edited, quiet
from adaptergen.contract.reference import cache_argument, new_cache, random_tokens
from adaptergen.lock.declared import hook_rows_of
from adaptergen.lock.entry import Hook, Logits
from adaptergen.plan.model import Plan

#: An edit changes logits by far more, and rounding in another batch by far less.
_APART = 1e-5

#: No value of a model is as large.
_MASKED = 1e6

_BATCH, _POS = 2, 9
#: The runs in which an adapter is compared with HF.
_PROMPT, _DECODE = "a prompt", "a decode step"

#: That many logits tell one computation from another.
_KEPT = 3

Hooks = dict[str, dict[str, Hook]]


def observe_hooks(
    run: ModelUnderTest,
    plan: Plan,
    expected: Mapping[str, Any],
    wanted: Callable[[tables.Hook], bool],
) -> tuple[Hooks, tuple[str, ...], list[str]]:
    """What the wrapped model does where HF's logits are these, by run.

    Hooks on the first layer of each kind, by kind and name; the order they fire in; and the runs
    whose logits are not HF's.
    """
    layers = {kind: run.kinds.index(kind) for kind in dict.fromkeys(run.kinds)}
    in_first = (
        p
        for p in run.hooks
        if (p.name == p.short.replace("*", "0") if p.layer is None else p.layer == layers[p.kind])
    )
    first = [hook for hook in in_first if wanted(hook)]
    names = {hook.name for hook in first}.__contains__
    tokens = _tokens_of(run.hf_config)
    with quiet():
        cached = {**run.empty_cache(), "names_filter": names}
        logits, cache = run.bridge.run_with_cache(tokens, **cached)
        step_logits, step_cache = run.bridge.run_with_cache(tokens[:, -1:], **cached)
    fired, step = cache.cache_dict, step_cache.cache_dict
    apart = [
        way
        for way, actual in ((_PROMPT, logits), (_DECODE, step_logits))
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
            rms=None if tensor is None else _rms(tensor),
        )
    by_name = {hook.name: hook for hook in first}
    ordered = (by_name[name] for name in fired if name in by_name)
    order = tuple(f"{hook.kind}/{hook.short}" for hook in ordered)
    return hooks, order, apart


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
        if not (logits - plain).abs().max() <= _APART:
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
    return plain, {p.name for row, p in enumerate(chosen) if not apart[row] <= _APART}


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
    row = hook_rows_of(plan, hook.kind).get(hook.short)
    axes = row.axes if row else hook.contract.axes
    sizes = run.shape(hook.contract, _BATCH, _POS)
    if len(sizes) != tensor.dim():
        return f"[{', '.join(map(str, tensor.shape))}]"
    # In a plain run a cache adds no positions.
    named = [
        str(axis).replace("kv_pos", "pos") if size == measured else str(measured)
        for axis, size, measured in zip(axes, sizes, tensor.shape, strict=True)
    ]
    return f"[{', '.join(named)}]"


def _rms(tensor: Any) -> float:
    """Root mean square, to four digits: what is left of it does not depend on the machine.

    What stands for minus infinity under a mask has no part in it.
    """
    values = tensor.detach().abs().double()
    value = values[values < _MASKED].pow(2).mean().sqrt().item()
    return float(f"{value:.4g}") if value == value else -1.0


@contextmanager
def noted(model: Any) -> Iterator[list[Any]]:
    """The logits of each forward that does not raise, in a block; None for one without logits."""
    found: list[Any] = []
    handle = model.register_forward_hook(
        lambda _module, _args, output: found.append(getattr(output, "logits", None))
    )
    try:
        yield found
    finally:
        handle.remove()


def kept(logits: Mapping[str, Any]) -> dict[str, Logits]:
    """What tells logits from those of another computation, to four digits."""
    return {
        scenario: Logits(
            shape=f"[{', '.join(map(str, found.shape))}]",
            dtype=str(found.dtype).removeprefix("torch."),
            first=tuple(float(f"{value:.4g}") for value in found[0, -1, :_KEPT].tolist()),
        )
        for scenario, found in logits.items()
        if found is not None
    }


def _tokens_of(config: Any) -> Any:
    """Token ids for a model with this config, `[batch, pos]`."""
    return random_tokens(config.vocab_size, _BATCH, _POS)


def expected(model: Any) -> dict[str, Any]:
    """The logits of a model that is not wrapped yet, by run."""
    tokens, cached = _tokens_of(model.config), dict[str, Any]()
    if model.can_generate():
        cached = {cache_argument(model): new_cache(model.config), "use_cache": True}
    return {
        run: model(part, **cached).logits
        for run, part in ((_PROMPT, tokens), (_DECODE, tokens[:, -1:]))
    }

"""The hooks of a wrapped model as they behave: what fires, its shape, and what an edit does.

And whether it computes what HF does: what hooks show of another computation says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaptergen.lock.entry import Hook
from adaptergen.verify.checks.edits import edited
from adaptergen.verify.observe.logits import BATCH, DECODE, POS, PROMPT, tokens_of
from adaptergen.verify.observe.numbers import rms
from adaptergen.verify.promises import Promise
from adaptergen.verify.quiet import quiet
from adaptergen.verify.reference import random_tokens
from adaptergen.verify.subject import Subject, difference

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
    subject: Subject, expected: Mapping[str, Any], wanted: Callable[[Promise], bool]
) -> Behaviour:
    """What the wrapped model does where HF's logits are these, by run."""
    first = [promise for promise in first_of_kinds(subject) if wanted(promise)]
    names = {promise.name for promise in first}.__contains__
    tokens = tokens_of(subject.hf_config)
    with quiet():
        state = subject.new_cache()
        logits, fired = _run_with_cache(subject, tokens, names, state)
        step_logits, step = _run_with_cache(subject, tokens[:, -1:], names, state)
    apart = [
        run
        for run, actual in ((PROMPT, logits), (DECODE, step_logits))
        if not difference(actual, expected[run])
        <= subject.allowed(expected[run], decode=run == DECODE)
    ]
    reaching = _reaching(subject, [p for p in first if p.name in fired], fired)
    hooks: Hooks = {}
    for promise in first:
        state = "silent"
        if promise.name in fired:
            state = "live" if promise.name in reaching else "read_only"
        tensor = fired.get(promise.name)
        hooks.setdefault(promise.kind, {})[promise.row.name] = Hook(
            state=state,
            in_decode=promise.name in step or tensor is None,
            shape="" if tensor is None else _shape(subject, promise, tensor),
            dtype=str(getattr(tensor, "dtype", "float32")).removeprefix("torch."),
            rms=None if tensor is None else rms(tensor),
        )
    return Behaviour(hooks, _order(first, fired), tuple(apart))


def first_of_kinds(subject: Subject) -> list[Promise]:
    """The promises of what lies outside the layers, and of the first layer of each kind."""
    layers = {kind: subject.kinds.index(kind) for kind in dict.fromkeys(subject.kinds)}
    return [
        promise
        for promise in subject.promised
        if promise.layer is None or promise.layer == layers[promise.kind]
    ]


def _order(first: Sequence[Promise], fired: Any) -> Order:
    by_name = {promise.name: promise for promise in first}
    promised = (by_name[name] for name in fired if name in by_name)
    return tuple(f"{promise.kind}/{promise.row.name}" for promise in promised)


def _run_with_cache(
    subject: Subject, tokens: Any, names: Callable[[str], bool], state: Any
) -> tuple[Any, Any]:
    logits, cache = subject.bridge.run_with_cache(
        tokens, names_filter=names, past_key_values=state, use_cache=True
    )
    return logits, cache.cache_dict


def _reaching(subject: Subject, promised: Sequence[Promise], fired: Any) -> set[str]:
    """Those whose edit changes the logits."""
    tokens = random_tokens(subject.hf_config.vocab_size, 1, 3)
    in_rows = [p for p in promised if p.row.axes and "batch" in p.row.axes[0].names]
    others = [p for p in promised if p not in in_rows]
    for_all = [p for p in others if len(fired[p.name]) == 1]
    alone = [p for p in others if p not in for_all]
    try:
        plain, reaching = _edited_in_rows(subject, tokens, [*in_rows, *for_all])
    except Exception:  # what is the same for all rows may not be given for each
        plain, reaching = _edited_in_rows(subject, tokens, in_rows)
        alone = others
    for promise in alone:
        logits = _run(subject, tokens, [(promise.name, lambda t, hook: edited(t))])
        if not (logits - plain).abs().max() <= APART:
            reaching.add(promise.name)
    return reaching


def _edited_in_rows(
    subject: Subject, tokens: Any, promised: Sequence[Promise]
) -> tuple[Any, set[str]]:
    """Logits without an edit, and those hooks whose edit changes them.

    Rows of a batch do not see each other, so one run edits each hook in a row of its own, and the
    last row is as if nothing was edited.
    """
    rows = len(promised) + 1
    hooks = [(p.name, _edit_row(row, rows)) for row, p in enumerate(promised)]
    logits = _run(subject, tokens.repeat(rows, 1), hooks)
    plain = logits[-1:]
    apart = (logits - plain).abs().amax(dim=(1, 2))
    return plain, {p.name for row, p in enumerate(promised) if not apart[row] <= APART}


def _run(subject: Subject, tokens: Any, hooks: list[tuple[str, Callable[..., Any]]]) -> Any:
    with quiet():
        return subject.bridge.run_with_hooks(tokens, fwd_hooks=hooks)


def _edit_row(row: int, rows: int) -> Callable[..., Any]:
    def edit(activation: Any, hook: Any) -> Any:
        if len(activation) == 1:
            activation = activation.expand(rows, *activation.shape[1:])
        # Tokens of all rows may lie in one axis.
        changed = activation.clone().unflatten(0, (rows, -1))
        changed[row] = edited(changed[row])
        return changed.flatten(0, 1)

    return edit


def _shape(subject: Subject, promise: Promise, tensor: Any) -> str:
    """Axes as they are promised where they have that size, and as numbers where not."""
    axes = promise.row.axes
    sizes = subject.shape(promise, BATCH, POS)
    if len(sizes) != tensor.dim():
        return f"[{', '.join(map(str, tensor.shape))}]"
    named = [
        str(axis) if size == measured else str(measured)
        for axis, size, measured in zip(axes, sizes, tensor.shape, strict=True)
    ]
    return f"[{', '.join(named)}]"

"""What is computed with the same weights and tokens: what hooks hold, and the logits of HF.

Weights are numbered by their names and shapes. Where these are others, there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adaptergen.drift.finding import Finding
from adaptergen.drift.side import Side
from adaptergen.drift.words import change
from adaptergen.lock.entry import Entry, Hook, Logits

#: Four digits are kept; releases that compute the same differ by less.
CLOSE = 3e-3

_RUNS = {
    "prefill": "a prompt",
    "decode": "a decode step",
    "no_cache": "a prompt without a cache",
    "padded": "a prompt that is padded",
}


def same_layers(old: Entry, new: Entry, renamed: Mapping[str, str]) -> bool:
    """Whether layers are where they were, and the same weights are one."""
    layers = [
        {names.get(name, name): kind.layers for name, kind in entry.kinds.items()}
        for entry, names in ((old, renamed), (new, {}))
    ]
    return layers[0] == layers[1] and old.model.tied == new.model.tied


def compare_logits(
    before: Side, after: Side, told: set[str], others: Sequence[Finding]
) -> Iterator[Finding]:
    """The logits of HF that are others, each run once: `told` are runs told of another model.

    Nothing is said where a hook holds another value: logits follow from that.
    """
    for run, new in after.logits.items():
        old = before.logits.get(run)
        if old is None or run in told or _same(old, new):
            continue
        told.add(run)
        if any(finding.code == "values" for finding in others):
            continue
        kind = "shape" if old.shape != new.shape else "type" if old.dtype != new.dtype else ""
        values = {"shape": (old.shape, new.shape), "type": (old.dtype, new.dtype)}.get(
            kind, (_first(old), _first(new))
        )
        word = f"have another {kind}" if kind else "are others"
        what = f"with the same weights and tokens the logits of {_RUNS.get(run, run)} {word}: "
        yield Finding("logits", "silent", what + change(*values), ("model",))


def _same(old: Logits, new: Logits) -> bool:
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        return False
    largest = max(map(abs, (*old.first, *new.first)), default=0.0)
    pairs = zip(old.first, new.first, strict=False)
    return all(abs(one - other) <= CLOSE * largest for one, other in pairs)


def _first(logits: Logits) -> str:
    return f"{', '.join(f'{value:g}' for value in logits.first)}, ..."


def compare_values(old: Entry, new: Entry, renamed: Mapping[str, str]) -> Iterator[Finding]:
    """The first hook that holds another value with the same weights and tokens.

    What is computed after it follows from it, so it is told once.
    """
    if old.error or new.error:
        return
    fired = [item.split("/", 1) for item in new.order]
    changed = [
        (kind, name)
        for kind, name in fired
        if _differ(old.hooks.get(_former(kind, renamed), {}).get(name), new.hooks[kind][name])
    ]
    if not changed:
        return
    kind, name = changed[0]
    before, after = old.hooks[_former(kind, renamed)][name], new.hooks[kind][name]
    follow = f", and {len(changed) - 1} hooks that fire after it" if len(changed) > 1 else ""
    what = (
        f"with the same weights and tokens the hook holds other values{follow}: "
        f"{change(before.rms, after.rms)} (root mean square)"
    )
    yield Finding("values", "silent", what, (kind,), (), (name,))


def _differ(old: Hook | None, new: Hook) -> bool:
    if old is None or old.rms is None or new.rms is None or old.shape != new.shape:
        return False
    return abs(old.rms - new.rms) > CLOSE * max(abs(old.rms), abs(new.rms))


def _former(kind: str, renamed: Mapping[str, str]) -> str:
    return next((old for old, new in renamed.items() if new == kind), kind)

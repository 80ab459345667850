"""The hooks of the adapter: which fire, what an edit of them does, what they hold; and HF's logits.

Values are compared where the weights are the same, which are numbered by their names and shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adaptergen.drift.modules import Side
from adaptergen.drift.report import change
from adaptergen.lock.declared import sized
from adaptergen.lock.entry import Entry, Hook, Logits
from adaptergen.records import DriftFinding as Finding
from adaptergen.records import Severity

#: Four digits are kept; releases that compute the same differ by less.
_CLOSE = 3e-3

_RUNS = {
    "prefill": "a prompt",
    "decode": "a decode step",
    "no_cache": "a prompt without a cache",
    "padded": "a prompt that is padded",
}

#: By code, what happened to a hook, and to hooks.
_CHANGES = {
    "hook-gone": ("the hook is no longer offered", "the hooks are no longer offered"),
    "hook-new": ("one more hook is offered", "more hooks are offered"),
    "hook-silent": ("the hook no longer fires", "the hooks no longer fire"),
    "hook-fires": ("the hook fires now", "the hooks fire now"),
    "hook-read-only": (
        "an edit of the hook no longer reaches the logits",
        "edits of the hooks no longer reach the logits",
    ),
    "hook-editable": (
        "an edit of the hook reaches the logits now",
        "edits of the hooks reach the logits now",
    ),
    "hook-decode-silent": (
        "the hook no longer fires in a decode step",
        "the hooks no longer fire in a decode step",
    ),
    "hook-decode-fires": (
        "the hook fires in a decode step now",
        "the hooks fire in a decode step now",
    ),
}


def compare_hooks(before: Side, after: Side) -> Iterator[Finding]:
    """Every hook of the kinds that both have; those of one component that change alike at once."""
    for kind in [name for name in after.hooks if name in before.hooks]:
        old, new = before.hooks[kind], after.hooks[kind]
        groups: dict[tuple[str, str], list[str]] = {}
        for name in sorted(old.keys() | new.keys()):
            for code in _changes(old.get(name), new.get(name)):
                groups.setdefault((code, name.rpartition(".")[0]), []).append(name)
        for (code, _), found in groups.items():
            severity: Severity = "benign" if code == "hook-new" else "silent"
            what = _CHANGES[code][len(found) > 1]
            yield Finding(code, severity, what, (kind,), (), tuple(found))
        for name in sorted(old.keys() & new.keys()):
            yield from _compare_held(kind, name, old[name], new[name], before.sizes)


def _changes(old: Hook | None, new: Hook | None) -> Iterator[str]:
    if old is None or new is None:
        yield "hook-new" if old is None else "hook-gone"
        return
    if old.state != new.state:
        if "silent" in (old.state, new.state):
            yield "hook-silent" if new.state == "silent" else "hook-fires"
        else:
            yield "hook-editable" if new.state == "live" else "hook-read-only"
    if "silent" not in (old.state, new.state) and old.in_decode != new.in_decode:
        yield "hook-decode-fires" if new.in_decode else "hook-decode-silent"


def _compare_held(
    kind: str, name: str, old: Hook, new: Hook, sizes: Mapping[str, int]
) -> Iterator[Finding]:
    if "silent" in (old.state, new.state):
        return
    # An axis may have lost its name with a value that no longer reaches the config.
    if sized(old.shape, sizes) != sized(new.shape, sizes):
        what = f"the shape of the hook {change(old.shape, new.shape)}"
        yield Finding("hook-shape", "silent", what, (kind,), (), (name,))
    if old.dtype != new.dtype:
        what = f"the type of the hook {change(old.dtype, new.dtype)}"
        yield Finding("hook-type", "silent", what, (kind,), (), (name,))


def compare_values(old: Entry, new: Entry, renamed: Mapping[str, str]) -> Iterator[Finding]:
    """The first hook that holds another value with the same weights and tokens.

    What is computed after it follows from it, so it is reported once.
    """
    if old.error or new.error:
        return
    former = {after: before for before, after in renamed.items()}
    changed = []
    for kind, name in (item.split("/", 1) for item in new.order):
        before = old.hooks.get(former.get(kind, kind), {}).get(name)
        after = new.hooks[kind][name]
        if before and _differ(before, after):
            changed.append((kind, name, before, after))
    if changed:
        kind, name, before, after = changed[0]
        follow = f", and {len(changed) - 1} hooks that fire after it" if len(changed) > 1 else ""
        what = (
            f"with the same weights and tokens the hook holds other values{follow}: "
            f"the root mean square {change(before.rms, after.rms)}"
        )
        yield Finding("values", "silent", what, (kind,), (), (name,))


def _differ(old: Hook, new: Hook) -> bool:
    if old.rms is None or new.rms is None or old.shape != new.shape:
        return False
    return abs(old.rms - new.rms) > _CLOSE * max(abs(old.rms), abs(new.rms))


def compare_logits(
    before: Side, after: Side, reported: set[str], others: Sequence[Finding]
) -> Iterator[Finding]:
    """The logits of HF that differ, each run once: `reported` are runs reported of another model.

    Nothing is said where a hook holds another value: logits follow from that.
    """
    follows = any(finding.code == "values" for finding in others)
    for run, new in after.logits.items():
        old = before.logits.get(run)
        if old is None or run in reported or _same(old, new):
            continue
        reported.add(run)
        if follows:
            continue
        word, values = "", (_first(old), _first(new))
        if old.shape != new.shape:
            word, values = "shape of the ", (old.shape, new.shape)
        elif old.dtype != new.dtype:
            word, values = "type of the ", (old.dtype, new.dtype)
        what = f"with the same weights and tokens the {word}logits of {_RUNS.get(run, run)} "
        yield Finding("logits", "silent", what + change(*values), ("model",))


def _same(old: Logits, new: Logits) -> bool:
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        return False
    largest = max(map(abs, (*old.first, *new.first)), default=0.0)
    pairs = zip(old.first, new.first, strict=False)
    return all(abs(one - other) <= _CLOSE * largest for one, other in pairs)


def _first(logits: Logits) -> str:
    return f"{', '.join(f'{value:g}' for value in logits.first)}, ..."

"""The hooks of the adapter: which fire, what an edit of them does, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adaptergen.drift.finding import Finding, Severity
from adaptergen.drift.side import Side
from adaptergen.drift.words import change
from adaptergen.lock.declared import sized
from adaptergen.lock.entry import Hook

#: Code, severity, one hook, several hooks.
_CHANGES: Mapping[str, tuple[Severity, str, str]] = {
    "hook-gone": (
        "silent",
        "the hook is not offered any more",
        "the hooks are not offered any more",
    ),
    "hook-new": ("benign", "a hook more is offered", "more hooks are offered"),
    "hook-silent": ("silent", "the hook does not fire any more", "the hooks do not fire any more"),
    "hook-fires": ("silent", "the hook fires now", "the hooks fire now"),
    "hook-read-only": (
        "silent",
        "an edit of the hook does not reach the logits any more",
        "an edit of these hooks does not reach the logits any more",
    ),
    "hook-editable": (
        "silent",
        "an edit of the hook reaches the logits now",
        "an edit of these hooks reaches the logits now",
    ),
    "hook-decode-silent": (
        "silent",
        "the hook does not fire in a decode step any more",
        "the hooks do not fire in a decode step any more",
    ),
    "hook-decode-fires": (
        "silent",
        "the hook fires in a decode step now",
        "the hooks fire in a decode step now",
    ),
}  # fmt: skip


def compare_hooks(before: Side, after: Side) -> Iterator[Finding]:
    """Every hook of the kinds that both have; those of one component that change alike at once."""
    for kind in [name for name in after.hooks if name in before.hooks]:
        old, new = before.hooks[kind], after.hooks[kind]
        groups: dict[tuple[str, str], list[str]] = {}
        for name in sorted(old.keys() | new.keys()):
            for code in _changes(old.get(name), new.get(name)):
                groups.setdefault((code, name.rpartition(".")[0]), []).append(name)
        for (code, _), found in groups.items():
            severity, one, several = _CHANGES[code]
            yield Finding(
                code, severity, one if len(found) == 1 else several, (kind,), (), tuple(found)
            )
        for name in sorted(old.keys() & new.keys()):
            yield from _held(kind, name, old[name], new[name], before.sizes)


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


def _held(
    kind: str, name: str, old: Hook, new: Hook, sizes: Mapping[str, int]
) -> Iterator[Finding]:
    if "silent" in (old.state, new.state):
        return
    if sized(old.shape, sizes) == sized(new.shape, sizes):
        # An axis may have lost its name with a value that does not reach the config any more.
        new = new.model_copy(update={"shape": old.shape})
    for word, one, other in (("shape", old.shape, new.shape), ("type", old.dtype, new.dtype)):
        if one != other:
            what = f"the {word} of the hook is {change(one, other)}"
            yield Finding(f"hook-{word}", "silent", what, (kind,), (), (name,))

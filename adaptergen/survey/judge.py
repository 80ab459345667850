"""Whether a bridge stands and whether it is green, why not, and what is worse than before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from adaptergen.coverage import ROLES, Measured, Role, SurveyedClass, SurveyTable

#: What generation may be: where transformers disagrees with itself, its forward counts as well.
_FINE = ("as generate", "as forward")


def judged(found: Measured) -> Measured:
    """The same with `stands`, `green` and `why_not`."""
    falls, lacks = list(_falls(found)), list(_lacks(found))
    update = {"stands": not falls, "green": not (falls or lacks), "why_not": (*falls, *lacks)}
    return found.model_copy(update=update)


def _falls(found: Measured) -> Iterator[str]:
    """What keeps a bridge from standing."""
    if found.error:
        yield f"cannot be measured: {found.error}"
        return
    for way, apart in found.parity.items():
        if apart != 0:
            told = "raises" if way in found.raises else "logits differ"
            yield f"{told} ({way})"
    for cache, continued in found.generation.items():
        if continued not in _FINE:
            told = "raises" if continued == "raises" else "other greedy tokens"
            yield f"{told} ({cache})"
    if not found.layers:
        yield "no layers are seen"
    if found.streams < found.layers:
        yield f"the stream is hooked on {found.streams} of {found.layers} layers"
    if found.layers and not found.parts:
        yield "no attention, mixer or feed-forward is seen"
    if found.parts_live < found.parts:
        yield f"outputs without an editable hook: {_some(found.parts_missing)}"
    if found.silent:
        yield f"silent hooks: {_some(found.silent)}"


def _lacks(found: Measured) -> Iterator[str]:
    """What keeps a bridge that stands from being green."""
    if found.error:
        return
    if found.findings is None:
        yield "not verified"
    elif found.findings:
        yield f"verify: {found.findings[0]}"
    unbound = [path for path in found.unbound if path not in found.explained]
    if unbound:
        yield f"unbound: {_some(unbound)}"
    if found.opaque:
        yield f"opaque: {_some(found.opaque)}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def worse(committed: Sequence[SurveyTable], now: SurveyTable) -> Iterator[str]:
    """What holds less than in the committed table of the same task and releases."""
    for table in committed:
        same = (table.task, table.transformers, table.transformer_lens)
        if same != (now.task, now.transformers, now.transformer_lens):
            continue
        before = {one.name: one for one in table.classes}
        for one in now.classes:
            for title in ("draft", "spec"):
                then, found = getattr(before.get(one.name), title, None), getattr(one, title)
                for what in _less(then, found, one) if then is not None else ():
                    yield f"{one.name} ({title}): {what}"


def _less(then: Measured, now: Measured | None, one: SurveyedClass) -> Iterator[str]:
    if now is None:
        yield f"it is not measured: {one.error or 'there is none'}"
        return
    if then.green and not now.green:
        yield f"it is not green any more: {now.why_not[0]}"
    elif then.stands and not now.stands:
        yield f"it does not stand any more: {now.why_not[0]}"
    more: dict[str, Callable[[Measured], int]] = {
        "layers with the stream hooked": lambda found: found.streams,
        "outputs hooked": lambda found: found.parts_live,
        "ways with the logits of transformers": _exact,
        "analyses that hold": _hold,
        **{f"{role} editable": partial(_editable, role) for role in ROLES},
    }
    less: dict[str, Callable[[Measured], int]] = {
        "silent hooks": lambda found: len(found.silent),
        "opaque modules": lambda found: len(found.opaque),
    }
    for what, figure in (*more.items(), *less.items()):
        before, after = figure(then), figure(now)
        if (after < before) if what in more else (after > before):
            yield f"{what}: {after}, before {before}"


def _editable(role: Role, found: Measured) -> int:
    return found.editable.get(role, 0)


def _exact(found: Measured) -> int:
    return sum(apart == 0 for apart in found.parity.values())


def _hold(found: Measured) -> int:
    return sum(not wrong for wrong in found.analyses.values())

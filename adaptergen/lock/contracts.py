"""What a spec says of hooks, held against what a lock observed of them."""

from __future__ import annotations

import linecache
import re
from collections.abc import Mapping

from adaptergen.lock.declared import declared_state, observed_state, sized, sizes_of
from adaptergen.lock.entry import Entry, Hook
from adaptergen.lock.found import Found, Make
from adaptergen.plan.model import HookRow
from adaptergen.problems import Problem, SourceLocation, quote
from adaptergen.spec.arithmetic import TOKEN_AXES

_NAME = re.compile(r"[A-Za-z_]\w*")

_WORDS = {
    "live": "live",
    "read_only": "read only",
    "silent": "silent",
    "silent_in_decode": "silent in decode steps",
}


def hold_hooks(
    rows: Mapping[str, HookRow], kind: str, entry: Entry, release: str, found: Found
) -> None:
    """Note every hook of a kind that does or holds another thing than is declared."""
    sizes = sizes_of(entry)
    for name, row in rows.items():
        hook = _observed(entry, kind, name)
        if hook is None:
            continue
        stated, seen = declared_state(row, release), observed_state(hook)
        if stated != seen:
            message = f"{quote(name)} is declared {_WORDS[stated]}, and {_WORDS[seen]} was observed"
            if seen == "live":
                hint = "delete its contract here, or name the releases in which it holds"
            else:
                hint = f"add `contract: {{is: {seen}, transformers: ..., reason: ...}}` here"
            problem = _row(row, "lock-contract", message, hint)
            found.add(("hook", row.file, str(row.line), stated, seen), release, problem)
        axes = f"[{', '.join(map(str, row.axes))}]"
        # A lock is of a plain run, in which a cache adds no positions.
        pair = [sized(text.replace("kv_pos", "pos"), sizes) for text in (axes, hook.shape)]
        if hook.shape and _apart(*pair):
            message = (
                f"{quote(name)} is declared {quote(axes)}, and {quote(hook.shape)} was observed"
            )
            problem = _row(row, "lock-shape", message, "mend `shape:` here")
            found.add(("shape", row.file, str(row.line)), release, problem)


def _apart(stated: list[str], seen: list[str]) -> bool:
    """Whether axes are certainly others: a name that no size is known of may be any."""
    pairs = list(zip(stated, seen, strict=False))
    known = [pair for pair in pairs if all(map(_is_known, pair))]
    return len(stated) != len(seen) or any(one != other for one, other in known)


def _is_known(axis: str) -> bool:
    return set(_NAME.findall(axis)) <= TOKEN_AXES


def _observed(entry: Entry, kind: str, name: str) -> Hook | None:
    branches = (branch.hooks.get(kind, {}).get(name) for branch in entry.branches.values())
    found = (entry.hooks.get(kind, {}).get(name), *branches)
    return next((hook for hook in found if hook is not None), None)


def _row(row: HookRow, code: str, message: str, hint: str) -> Make:
    linecache.checkcache(row.file)
    text = linecache.getline(row.file, row.line).rstrip("\n")
    key = text.split(":", 1)[0]
    place = SourceLocation(row.file, row.line, len(key) - len(key.lstrip()) + 1, len(key.strip()))
    return lambda shown: Problem(code, f"{message} ({shown})", hint, place, text or None)

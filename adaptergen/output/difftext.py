"""Unified diff text of two versions of a file."""

from __future__ import annotations

import difflib
import re

_CONTEXT = 3


def unified(path: str, old: bytes | None, new: bytes | None) -> str:
    """The diff from `old` to `new` (None: no file), with `a/` and `b/` names as git has them."""
    before = "/dev/null" if old is None else f"a/{path}"
    after = "/dev/null" if new is None else f"b/{path}"
    try:
        texts = [(data or b"").decode() for data in (old, new)]
    except UnicodeDecodeError:
        return f"Binary files {before} and {after} differ\n"
    # Only \n ends a line for `patch`; `splitlines` would also cut at form feeds and the like.
    was, becomes = (_lines(text) for text in texts)
    diff = _diff(was, becomes, before, after)
    if not diff and before != after:
        # An empty file that comes or goes has no lines to show.
        diff = [f"--- {before}\n", f"+++ {after}\n"]
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff
    )


def _diff(was: list[str], becomes: list[str], before: str, after: str) -> list[str]:
    """Only what lies between the first and the last difference is compared: files may be long."""
    shorter = min(len(was), len(becomes))
    head = next((n for n in range(shorter) if was[n] != becomes[n]), shorter)
    tail = next(
        (n for n in range(shorter - head) if was[-1 - n] != becomes[-1 - n]), shorter - head
    )
    skipped, left = max(0, head - _CONTEXT), max(0, tail - _CONTEXT)
    first, second = (lines[skipped : len(lines) - left] for lines in (was, becomes))
    diff = difflib.unified_diff(first, second, before, after, n=_CONTEXT)
    return [_moved(line, skipped) if line.startswith("@@") else line for line in diff]


def _moved(header: str, lines: int) -> str:
    return re.sub(r"(?<=[-+])\d+", lambda match: str(int(match[0]) + lines), header)


def _lines(text: str) -> list[str]:
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines

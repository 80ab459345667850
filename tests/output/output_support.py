"""A small tree in two versions, and ways to stop a build at a chosen file system step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adaptergen.output.tree import OutputTree

STEPS = ("open", "write", "fsync", "link", "mkdir", "replace", "rmdir", "unlink")
READS = os.O_NONBLOCK | os.O_RDONLY
META = {"versions": {"transformer_lens": "4.3.0"}}

OLD = (
    OutputTree(
        "m",
        "specs/m.yaml",
        {"same.py": b"same\n", "src/code.py": b"old\n", "gone/for/ever.py": b"gone\n"},
        META,
    ),
    OutputTree("n", "specs/n.yaml", {"x.py": b"n old\n"}),
)
NEW = (
    OutputTree(
        "m",
        "specs/m.yaml",
        {"same.py": b"same\n", "src/code.py": b"new\n", "tests/deep/fresh.py": b"fresh\n"},
        META,
    ),
    OutputTree("n", "specs/n.yaml", {"x.py": b"n new\n"}),
    OutputTree("o", "specs/o.yaml", {"empty.py": b""}),
)

Snapshot = dict[str, "bytes | None"]


def snapshot(out: Path, *, staging: bool = True) -> Snapshot:
    """Every file with its bytes and every folder (None) below `out`."""
    found: Snapshot = {}
    for place in sorted(out.rglob("*")):
        name = place.relative_to(out).as_posix()
        if staging or not name.startswith(".adaptergen"):
            found[name] = place.read_bytes() if place.is_file() else None
    return found


@contextmanager
def at_step(number: int, act: Callable[[str], None]) -> Iterator[list[str]]:
    """Call `act` before the file system step `number` (the first is 0); yields the steps seen."""
    seen: list[str] = []

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and args[1] & (READS | os.O_ACCMODE) == READS:
                # What only reads a file changes nothing.
                return real(*args, **kwargs)
            seen.append(name)
            if len(seen) == number + 1:
                act(name)
            return real(*args, **kwargs)

        return step

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, wrap(name, getattr(os, name)))
        yield seen


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked child; 0 if it came to its end."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

"""What commands write for others: how each object of JSON opens, and where it and text go."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from adaptergen import __version__, guard
from adaptergen.problems import Problem

#: What an `OSError` names where standard output cannot be written.
STDOUT = "standard output"

#: How every record starts, and nothing else that adaptergen writes.
_OPENING = re.compile(rb'\{\s*"schema": "[^"\n]*",\s*"tool": "adaptergen",\s*"versions": ')


def opening(schema: str, packages: Iterable[str] = ()) -> dict[str, object]:
    """What every object opens with: its schema, the tool, and the versions at work.

    `packages` are the distributions that have a part in the result; one that is not installed is
    None.
    """
    versions = {"adaptergen": __version__, "python": platform.python_version()}
    found = {package: _version(package) for package in sorted(packages)}
    return {"schema": schema, "tool": "adaptergen", "versions": {**versions, **found}}


def problem_entry(problem: Problem) -> dict[str, object]:
    """A problem of a spec, as an entry of a list."""
    place = problem.location
    return {
        "code": problem.code,
        "message": problem.message,
        "hint": problem.fix,
        "path": place.path if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
    }


def write(target: str, content: Mapping[str, object]) -> None:
    """Write an object to a file, or to standard output if it is called `-`."""
    # In ASCII, so that it does not depend on what the terminal or the pipe can encode.
    put(json.dumps(content, indent=2) + "\n", target)


def put(text: str, target: str = "-") -> None:
    """Write text to a file, or to standard output if it is called `-`.

    An `OSError` names what cannot be written.
    """
    try:
        if target == "-":
            sys.stdout.write(text)
            # What is told afterwards may go to the same terminal; and a full disk is told now.
            sys.stdout.flush()
        else:
            _to_file(Path(target), text.encode())
    except OSError as error:
        error.filename = STDOUT if target == "-" else target
        raise


def refuses(target: str) -> str:
    """Why nothing is written to a file of this name; empty if it may be.

    A file that is there is replaced only by the next record of its kind. Pipes and devices take
    what is written without losing anything.
    """
    path = Path(target)
    if not os.path.lexists(path) or not (path.is_file() or not path.exists()):
        return ""
    if path.is_symlink():
        return "this is a link; name the file itself"
    if not _OPENING.match(guard.read(path, small=False)):
        return "adaptergen did not write the file that is there; remove it, or name another"
    return ""


def _to_file(path: Path, data: bytes) -> None:
    if why := refuses(str(path)):
        raise FileExistsError(errno.EEXIST, why)
    if not os.path.lexists(path):
        guard.write_new(path, data)
    elif path.is_file():
        guard.write_whole(path, data)
    else:
        path.write_bytes(data)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

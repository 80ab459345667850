"""Where commands write text for others: to standard output, or to a file that may be replaced."""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path

from adaptergen import guard

#: What an `OSError` names where standard output cannot be written.
_STDOUT = "standard output"

#: The first line of a page that a command writes.
PAGE = "<!-- Written by adaptergen. -->\n"

#: How every record and page starts, and nothing else that adaptergen writes.
_OPENING = re.compile(
    rb'\{\s*"schema": "[^"\n]*",\s*"tool": "adaptergen",\s*"versions": |' + PAGE.encode()
)


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
        error.filename = _STDOUT if target == "-" else target
        raise


def refuses(target: str) -> str:
    """Why nothing is written to a file of this name; empty if it may be.

    A file that is there is replaced only by the next record or page. Pipes and devices take
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

"""The one way to read a file that anyone may have put there, and to write one that is new.

Imported for every build: the standard library only.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from adaptergen import resources

#: A spec is a page or two.
MAX_BYTES = 1024 * 1024

_BINARY = getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder", "name the file inside the folder"),
    (stat.S_ISFIFO, "a pipe", "write its content to a file first"),
    (stat.S_ISSOCK, "a socket", "name a regular file"),
)


class Unfit(OSError):
    """What lies there is not read: why, in `message`, with the code of a problem and a hint."""

    def __init__(self, path: Path, code: str, message: str, hint: str) -> None:
        super().__init__(errno.EINVAL, message, str(path))
        self.code, self.message, self.hint = code, message, hint


def read(path: Path, *, small: bool = True, within: Path | None = None) -> bytes:
    """The bytes of a regular file. `Unfit` for what is none, and for a large one if `small`.

    With `within`, also for one that a link leads to from there, and that lies elsewhere.
    """
    # Asked before opening too: opening a device can do something, and a socket has no open.
    _refuse_special(os.stat(path).st_mode, path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY
    place = path
    if within is not None:
        keep_inside(path, within)
        place, flags = Path(os.path.realpath(path)), flags | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(place, flags), "rb") as file:
        _refuse_special(os.fstat(file.fileno()).st_mode, path)
        data = file.read(MAX_BYTES + 1 if small else -1)
    if small and len(data) > MAX_BYTES:
        message = "the file is larger than 1 MiB"
        raise Unfit(path, "file-too-large", message, "check that this is a spec")
    return data


def keep_inside(path: Path, folder: Path) -> None:
    """`Unfit` if links on the way lead out of the folder."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        message = "a link leads out of the project here, so nothing of its target was read"
        hint = "put what it leads to in its place, or name the spec where it really lies"
        raise Unfit(path, "link-out", message, hint)


def project_of(path: Path) -> Path | None:
    """The folder that no spec, shape or lock may link out of: the one around `specs`.

    Where none is called so, that of the spec. None for what comes with adaptergen, which whoever
    installs it may link from anywhere.
    """
    file = Path(os.path.abspath(path))
    if resources.DATA in file.parents:
        return None
    around = next((folder for folder in file.parents if folder.name == "specs"), None)
    if around is not None:
        return around.parent
    return file.parent.parent if file.parent.name == "shapes" else file.parent


def write_new(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file that must not exist yet; on return its bytes are on the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = str(path)
        with suppress(OSError):
            os.unlink(path)
        raise
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file; an old one is there until the new one is whole."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    write_new(unfinished, data, mode)
    try:
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _refuse_special(mode: int, path: Path) -> None:
    if stat.S_ISREG(mode):
        return
    for is_kind, name, hint in _KINDS:
        if is_kind(mode):
            raise Unfit(path, "not-a-file", f"this is {name}, not a file", hint)
    raise Unfit(path, "not-a-file", "this is a device, not a file", "name a regular file")

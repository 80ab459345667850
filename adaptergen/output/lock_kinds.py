"""Two kinds of lock file: one that the system frees when its holder dies, one with a pid."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # Windows has none

#: A pipe in its place is not waited for.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_WRITING_THE_PID = 5.0


class Primitive(Protocol):
    """How a lock file is taken and left; `acquire` does not wait."""

    def acquire(self, path: Path) -> int | None:
        """A handle, or None while someone else holds the lock."""

    def release(self, path: Path, handle: int) -> None:
        """Remove the lock file and let go of it."""

    def held(self, path: Path) -> bool:
        """Whether a living process holds the lock; changes nothing."""


class Flock:
    """`flock` on the file."""

    def acquire(self, path: Path) -> int | None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us removed the file: ours may be one that nobody else sees.
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        return None

    def release(self, path: Path, handle: int) -> None:
        try:
            with suppress(OSError):
                os.unlink(path)
        finally:
            os.close(handle)

    def held(self, path: Path) -> bool:
        try:
            handle = os.open(path, os.O_RDONLY | _NO_LINK)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False


class PidFile:
    """A file that only one process can create, with its pid; for systems without `flock`.

    Windows does not let anyone remove a file that its maker holds open, so a lock that looks
    stale by mistake stays.
    """

    def acquire(self, path: Path) -> int | None:
        if path.exists() and not self.held(path):
            with suppress(OSError):
                os.unlink(path)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except (FileExistsError, PermissionError):
            if path.exists():
                return None
            raise
        try:
            os.write(handle, str(os.getpid()).encode())
        except BaseException:
            self.release(path, handle)
            raise
        return handle

    def release(self, path: Path, handle: int) -> None:
        # Windows cannot remove an open file.
        os.close(handle)
        with suppress(OSError):
            os.unlink(path)

    def held(self, path: Path) -> bool:
        try:
            text, born = path.read_text(), path.stat().st_mtime
        except FileNotFoundError:
            return False
        if not text.isdigit():
            return time.time() - born < _WRITING_THE_PID
        return _alive(int(text))


def choose() -> Primitive:
    """The better kind that this system has."""
    return Flock() if fcntl is not None else PidFile()


def _alive(pid: int) -> bool:
    if sys.platform == "win32":
        # `os.kill(pid, 0)` would end the process there.
        import ctypes

        synchronize, timeout = 0x00100000, 258
        kernel = ctypes.windll.kernel32
        process = kernel.OpenProcess(synchronize, False, pid)
        alive = bool(process) and kernel.WaitForSingleObject(process, 0) == timeout
        kernel.CloseHandle(process)
        return alive
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""Files that others may have made: reading one, writing one whole, and telling whose it is.

`read` is the one guarded read of the package, `write_whole` the one atomic write. A seal marks what
this user's builds wrote on this machine: it is made with a key that lies in the user's own folder,
so whoever wrote a file into a repository cannot have made one. Imported for every build: the
standard library only.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import stat
from contextlib import suppress
from pathlib import Path

from adaptergen import resources

#: A spec is a page or two.
MAX_BYTES = 1024 * 1024

#: The environment variable for the folder of what can be made anew, or `off`.
CACHE = "ADAPTERGEN_CACHE"

_KEY_LENGTH = 32
_BINARY = getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder", "name the file inside the folder"),
    (stat.S_ISFIFO, "a pipe", "write its content to a file first"),
    (stat.S_ISSOCK, "a socket", "name a regular file"),
)


class Unfit(OSError):
    """The file is not read: why, in `message`, with the code of a problem and a hint."""

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


def has_text(path: Path, text: str) -> bool:
    """Whether there is a file with this text and no other byte."""
    return path.is_file() and path.read_bytes() == text.encode()


def user_folder(variable: str, *otherwise: str) -> Path | None:
    """This user's folder for adaptergen, where the variable says or else below the home."""
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else variable)
    with suppress(RuntimeError):
        return (Path(base) if base else Path.home().joinpath(*otherwise)) / "adaptergen"
    return None


def cache_folder() -> Path | None:
    """The folder for what can be made anew; None where nothing is to be kept."""
    chosen = os.environ.get(CACHE)
    if chosen:
        return None if chosen == "off" else Path(chosen)
    return user_folder("XDG_CACHE_HOME", ".cache")


def is_own(status: os.stat_result) -> bool:
    """Whether a file is this user's, where the system has owners of files."""
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def seal(*parts: bytes) -> str:
    """The seal of these bytes; empty where no key can be kept, and nothing is ever genuine."""
    key = _key() or _new_key()
    return _make_seal(key, parts) if key else ""


def is_genuine(seal: object, *parts: bytes) -> bool:
    """Whether `seal` made that of these bytes, for this user and on this machine."""
    key = _key()
    return bool(key and isinstance(seal, str) and seal.isascii()) and hmac.compare_digest(
        _make_seal(key, parts), str(seal)
    )


def _make_seal(key: bytes, parts: tuple[bytes, ...]) -> str:
    total = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


def _key_file() -> Path | None:
    folder = user_folder("XDG_STATE_HOME", ".local", "state")
    return folder and folder / "key"


def _key() -> bytes:
    with suppress(OSError):
        file = _key_file()
        if file is not None and is_own(os.lstat(file)):
            data = read(file, within=file.parent)
            return data if len(data) == _KEY_LENGTH else b""
    return b""


def _new_key() -> bytes:
    with suppress(OSError):
        file = _key_file()
        # One that cannot be read may be of the user whom this process works for.
        if file is not None and not os.path.lexists(file):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(file, os.urandom(_KEY_LENGTH), 0o600)
    # Another process may have made one at the same time: what counts is what lies there now.
    return _key()


def _refuse_special(mode: int, path: Path) -> None:
    if stat.S_ISREG(mode):
        return
    for is_kind, name, hint in _KINDS:
        if is_kind(mode):
            raise Unfit(path, "not-a-file", f"this is {name}, not a file", hint)
    raise Unfit(path, "not-a-file", "this is a device, not a file", "name a regular file")

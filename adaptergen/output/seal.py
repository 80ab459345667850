"""What this user's builds wrote on this machine, told from what came with a folder.

A seal is made with a key that lies in the user's own folder, never in a project: whoever wrote a
file into a repository, or into a folder that several share, cannot have made one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from contextlib import suppress
from pathlib import Path

from adaptergen import guard

_LENGTH = 32


def user_folder(variable: str, *otherwise: str) -> Path | None:
    """This user's folder for adaptergen, where the variable says or else below the home."""
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else variable)
    with suppress(RuntimeError):
        return (Path(base) if base else Path.home().joinpath(*otherwise)) / "adaptergen"
    return None


def own(status: os.stat_result) -> bool:
    """Whether a file is this user's, where the system tells."""
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def seal(*parts: bytes) -> str:
    """The seal of these bytes; empty where no key can be kept, and nothing is ever genuine."""
    key = _key() or _new_key()
    return _made(key, parts) if key else ""


def genuine(told: object, *parts: bytes) -> bool:
    """Whether `seal` made that of these bytes, for this user and on this machine."""
    key = _key()
    return bool(key and isinstance(told, str) and told.isascii()) and hmac.compare_digest(
        _made(key, parts), str(told)
    )


def _made(key: bytes, parts: tuple[bytes, ...]) -> str:
    total = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


def _place() -> Path | None:
    folder = user_folder("XDG_STATE_HOME", ".local", "state")
    return folder and folder / "key"


def _key() -> bytes:
    with suppress(OSError):
        place = _place()
        if place is not None and own(os.lstat(place)):
            data = guard.read(place, within=place.parent)
            return data if len(data) == _LENGTH else b""
    return b""


def _new_key() -> bytes:
    with suppress(OSError):
        place = _place()
        # One that cannot be read may be of the user whom this process works for.
        if place is not None and not os.path.lexists(place):
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            guard.write_whole(place, os.urandom(_LENGTH), 0o600)
    # Another process may have made one at the same time: what counts is what lies there now.
    return _key()

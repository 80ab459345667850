"""From a path to text: regular files of moderate size, in UTF-8, with nothing hidden in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from adaptergen import guard
from adaptergen.problems import HIDDEN, MAX_FOUND, Failed, Problem, SourceLocation, character_name

_LINE_END = re.compile("\r\n|\n|\r")


def read_text(path: Path, shown_as: str) -> str:
    """The text of a file, without its BOM; `Failed` for everything that is not a decent text."""
    return _decode(_read_bytes(path, shown_as), shown_as)


def split_lines(text: str) -> tuple[str, ...]:
    """The lines of a text as the YAML parser counts them (`str.splitlines` knows more ends)."""
    return tuple(_LINE_END.split(text))


def _read_bytes(path: Path, shown_as: str) -> bytes:
    try:
        return guard.read(path, within=guard.project_of(path))
    except guard.Unfit as unfit:
        raise _failed(shown_as, unfit.code, unfit.message, unfit.hint) from None
    except (FileNotFoundError, NotADirectoryError):
        raise _failed(shown_as, "no-such-file", "there is no such file", "check the path") from None
    except (OSError, ValueError) as error:
        # ValueError: a null byte in the path.
        reason = getattr(error, "strerror", None) or str(error)
        message = f"the file cannot be read: {reason}"
        raise _failed(
            shown_as, "unreadable-file", message, "check its permissions and its path"
        ) from None


def _decode(data: bytes, shown_as: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failed([_not_utf8(data, error, shown_as)]) from None
    if HIDDEN.search(text):
        raise Failed(islice(_hidden(text, shown_as), MAX_FOUND))
    return text


def _not_utf8(data: bytes, error: UnicodeDecodeError, shown_as: str) -> Problem:
    # `error.start` counts from after the BOM, if there is one.
    body = data[3:] if data.startswith(b"\xef\xbb\xbf") else data
    before = split_lines(body[: error.start].decode("utf-8"))
    rest = split_lines(body[error.start :].decode("utf-8", "backslashreplace"))
    offset = error.start + len(data) - len(body)
    message = f"not UTF-8: byte 0x{body[error.start]:02x} at offset {offset}"
    hint = "save the file as UTF-8"
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint += "; it looks like UTF-16"
    place = SourceLocation(shown_as, len(before), len(before[-1]) + 1, 4)
    return Problem("not-utf8", message, hint, place, before[-1] + rest[0])


def _hidden(text: str, shown_as: str) -> Iterator[Problem]:
    hint = "delete it; an editor that shows invisible characters helps to find it"
    for number, line in enumerate(split_lines(text), start=1):
        for match in HIDDEN.finditer(line):
            message = f"a hidden character: {character_name(match.group())}"
            place = SourceLocation(shown_as, number, match.start() + 1, 1)
            yield Problem("hidden-character", message, hint, place, line)


def _failed(shown_as: str, code: str, message: str, hint: str) -> Failed:
    return Failed([Problem(code, message, hint, SourceLocation(shown_as))])

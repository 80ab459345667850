"""How user text is shown: nothing hidden, nothing endless."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

#: Characters a reader cannot see, or that reorder what they see. Written out rather than taken
#: from `unicodedata`, so that every Python version refuses the same files. The line separators
#: U+0085, U+2028 and U+2029 are here too: YAML 1.1 counts them as line ends and editors do not.
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_NOT_SHOWN_RAW = re.compile(HIDDEN.pattern[:-1] + "\t\n\r]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def visible(text: str) -> str:
    """The text with every control, bidi and otherwise hidden character as an escape."""
    return _NOT_SHOWN_RAW.sub(_escape, text)


def character_name(character: str) -> str:
    """`U+202E RIGHT-TO-LEFT OVERRIDE`: a hidden character in words."""
    name = unicodedata.name(character, "control character")
    return f"U+{ord(character):04X} {name}"


def quote(text: str, limit: int = 60) -> str:
    """User text inside a message: in backticks, escaped, and shortened."""
    short = text if len(text) <= limit else text[: limit - 3] + "..."
    return f"`{visible(short)}`"


def listing(words: Iterable[str], last: str = "and") -> str:
    """`a`, `b` and `c`."""
    quoted = [quote(word) for word in words]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


def suggestion(word: str, known: Iterable[str], shown: int = 20) -> str:
    """A hint for a word that is not known: the nearest one, or the list to choose from."""
    names = sorted(set(known))
    # A key may be as long as the file; nothing we know is, and difflib is quadratic.
    close = get_close_matches(word[:100], names, n=1)
    if close:
        return f"did you mean {quote(close[0])}?"
    if not names:
        return ""
    if len(names) > shown:
        return f"some of the {len(names)} known: {listing(names[:shown])}"
    return f"use {'one of ' if len(names) > 1 else ''}{listing(names, 'or')}"

"""What a plain scalar is, by the core schema of YAML 1.2: `no` is text, and so is a date.

Ours rather than the parser's, because that one also takes `1_000`, `0b1`, and dates.
"""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_LARGEST = 2**63 - 1
_MOST_DIGITS = 40


class TooLarge(ValueError):
    """A whole number that does not fit into 64 bits."""


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar."""
    if text in _NULL:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return _whole(text, 10)
    if _BASED.fullmatch(text):
        return _whole(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", "").lower())
    return text


def _whole(text: str, base: int) -> int:
    # Counted first: Python refuses to convert thousands of digits, with an error of its own.
    if len(text.lstrip("+-0")) > _MOST_DIGITS:
        raise TooLarge
    number = int(text.lstrip("+"), base)
    if not -_LARGEST - 1 <= number <= _LARGEST:
        raise TooLarge
    return number

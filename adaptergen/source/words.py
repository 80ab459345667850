"""Our words for pydantic's kinds of errors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from adaptergen.problems import Loc, quote

_TEXT, _LIST, _MAPPING = "text", "a list", "a mapping"
_WHOLE, _NUMBER, _BOOL = "a whole number", "a number", "true or false"

#: What would be right without quotes.
_UNQUOTED = {_WHOLE: r"-?\d+", _NUMBER: r"-?\d+(\.\d+)?", _BOOL: "true|false"}

# The words of YAML 1.1, which many still write.
_OLD_BOOLS = {"yes": "true", "on": "true", "no": "false", "off": "false"}

#: pydantic's error type -> what belongs there.
EXPECTED = {
    "string_type": _TEXT, "string_sub_type": _TEXT, "string_unicode": _TEXT,
    "int_type": _WHOLE, "int_parsing": _WHOLE, "int_from_float": _WHOLE,
    "int_parsing_size": _WHOLE,
    "float_type": _NUMBER, "float_parsing": _NUMBER, "finite_number": "a finite number",
    "bool_type": _BOOL, "bool_parsing": _BOOL,
    "list_type": _LIST, "tuple_type": _LIST, "set_type": _LIST, "frozen_set_type": _LIST,
    "iterable_type": _LIST,
    "dict_type": _MAPPING, "mapping_type": _MAPPING, "model_type": _MAPPING,
    "model_attributes_type": _MAPPING, "dataclass_type": _MAPPING,
    "none_required": "nothing",
}  # fmt: skip

#: pydantic's error type -> what the value must do; the braces are filled from the error.
BOUNDS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have at most {max_length} entries",
    "string_pattern_mismatch": "must have the form {pattern}",
}


def name_of(path: Loc) -> str:
    """A location as the user would write it: `blocks[0].mixer`; the whole is "the file"."""
    if not path:
        return "the file"
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return quote(text.lstrip("."), 120)


def describe(value: Any) -> str:
    """A value in a sentence."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"the number `{value}`"
    if isinstance(value, str):
        return f"the text {quote(value)}"
    kind = _LIST if isinstance(value, list) else _MAPPING
    return kind if value else kind.replace("a ", "an empty ")


#: What one writes there.
_EXAMPLES = {
    _TEXT: "text", _WHOLE: "a whole number, such as `8`", _NUMBER: "a number, such as `0.5`",
    _BOOL: "`true` or `false`", _LIST: "a list, such as `[a, b]`",
    _MAPPING: "lines of `key: value`, indented",
}  # fmt: skip


def type_hint(expected: Iterable[str], value: Any) -> str:
    """How to turn a value of the wrong type into one of the right type."""
    wanted = tuple(expected)
    if value is None:
        return f"write {wanted[0]} after the colon"
    if _TEXT in wanted and isinstance(value, (bool, int, float)):
        return "put it in quotes"
    if wanted == (_TEXT,) and isinstance(value, list):
        alone = value[0] if len(value) == 1 and isinstance(value[0], str) else None
        return f"write it without brackets: {quote(alone)}" if alone else "write one text, no list"
    if _BOOL in wanted and str(value).lower() in _OLD_BOOLS:
        return f"write `{_OLD_BOOLS[str(value).lower()]}`"
    form = "|".join(pattern for word, pattern in _UNQUOTED.items() if word in wanted)
    if isinstance(value, str) and form and re.fullmatch(form, value):
        return "write it without quotes"
    if wanted == (_LIST,) and not isinstance(value, (list, dict)):
        return f"write it as a list: {quote(f'[{value}]')}"
    if wanted == (_MAPPING,):
        return "write it as lines of `key: value`, indented"
    return f"write {' or '.join(_EXAMPLES.get(word, word) for word in wanted)}"


def choices(context: dict[str, Any]) -> tuple[str, ...]:
    """What pydantic would have taken, from the text it made of it: words in quotes, or numbers."""
    text = str(context.get("expected") or context["expected_tags"])
    return tuple(re.findall(r"'([^']*)'", text)) or tuple(re.findall(r"-?\d+", text))

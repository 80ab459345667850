"""From a source to a model: of all of it, or of what is valid beside every problem."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from adaptergen.problems import (
    MAX_PROBLEMS,
    Failed,
    Loc,
    Problem,
    SpecValueError,
    listing,
    quote,
    suggestion,
)
from adaptergen.source.schema import can_lack, follow, stand_in
from adaptergen.source.source import Source

Model = TypeVar("Model", bound=BaseModel)

#: What is not valid after so many is past recovery.
_MAX_ROUNDS = 20

_TEXT, _LIST, _MAPPING = "text", "a list", "a mapping"
_WHOLE, _NUMBER, _BOOL = "a whole number", "a number", "true or false"

#: What would be right without quotes.
_UNQUOTED = {_WHOLE: r"-?\d+", _NUMBER: r"-?\d+(\.\d+)?", _BOOL: "true|false"}

# The words of YAML 1.1, which many still write.
_OLD_BOOLS = {"yes": "true", "on": "true", "no": "false", "off": "false"}

#: pydantic's error type -> what belongs there.
_EXPECTED = {
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
_BOUNDS = {
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


def _name_of(path: Loc) -> str:
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


def _choices(context: dict[str, Any]) -> tuple[str, ...]:
    """What pydantic would have taken, from the text it made of it: words in quotes, or numbers."""
    text = str(context.get("expected") or context["expected_tags"])
    return tuple(re.findall(r"'([^']*)'", text)) or tuple(re.findall(r"-?\d+", text))


@dataclass(frozen=True)
class _Finding:
    """One error of pydantic in our terms.

    `words` are the missing keys or the expected types, `meant` is the key near to an unknown one;
    `of_parts` if a check of a mapping did not accept what its keys have together.
    """

    path: Loc
    code: str
    message: str = ""
    hint: str = ""
    key: bool = False
    words: tuple[str, ...] = ()
    value: Any = None
    meant: tuple[str, ...] = ()
    of_parts: bool = False

    @property
    def about(self) -> Loc:
        """The value, or the key that is missing."""
        return self.path + (self.words if self.code == "missing-key" else ())


def validate(source: Source, model: type[Model]) -> Model:
    """The source as a model; `Failed` with every problem found.

    Values are not converted: `"8"` is no number and `true` is no 1. That is pydantic's strict mode
    for JSON, which unlike the one for Python objects still makes tuples and enums.
    """
    try:
        return attempt(source.data, model)
    except ValidationError as error:
        raise Failed(problems_of(source, model, error)) from None


def attempt(data: Any, model: type[Model]) -> Model:
    """Data as a model; pydantic's error if it is none."""
    return model.model_validate_json(json.dumps(data), strict=True)


def problems_of(source: Source, model: type[BaseModel], error: ValidationError) -> list[Problem]:
    """What an error of pydantic says of a source, apart from what is in doubt there already."""
    details = error.errors(include_url=False, include_input=False)
    # A list counts only its good entries: what is wrong with the others is said of them.
    spoilt = {detail["loc"][:-1] for detail in details}
    shown = [one for one in details if one["type"] != "too_short" or one["loc"] not in spoilt]
    findings = [_finding(source, model, dict(detail)) for detail in shown]
    return [
        source.problem(finding.code, finding.message, finding.hint, finding.path, finding.key)
        for finding in _merged(_without_consequences(source, findings))
    ]


def _without_consequences(source: Source, findings: list[_Finding]) -> Iterator[_Finding]:
    """What is known for certain; a key is not missing if it is there with a slip in its name."""
    meant = {(*one.path[:-1], close) for one in findings for close in one.meant}
    around = {one.path[:-1] for one in findings if one.code == "unknown-key"}
    for finding in findings:
        misspelt = finding.code == "missing-key" and finding.about in meant
        # A mapping whose parts do not fit may lack the one with a slip in its name.
        misspelt |= finding.of_parts and finding.path in around
        if source.is_resolved(finding.about) and not misspelt:
            yield finding


def _finding(source: Source, model: type[BaseModel], detail: dict[str, Any]) -> _Finding:
    kind, loc, context = detail["type"], detail["loc"], detail.get("ctx", {})
    at = follow(model, source.data, loc)
    path, value = at.path, at.value
    if kind == "missing":
        return _Finding(path, "missing-key", words=(str(loc[-1]),), key=True)
    if kind == "union_tag_not_found":
        return _Finding(path, "missing-key", words=(_tag_key(context),), key=True)
    if kind == "extra_forbidden":
        parent = follow(model, source.data, loc[:-1])
        message = f"{quote(str(loc[-1]))} is not a key of {_name_of(parent.path)}"
        key, keys = str(loc[-1]), sorted(parent.keys)
        close = tuple(get_close_matches(key[:100], keys, n=1))
        hint = f"did you mean {quote(close[0])}?" if close else suggestion(key, keys)
        return _Finding(path, "unknown-key", message, hint, True, meant=close)
    if kind in _EXPECTED:
        return _Finding(path, "wrong-type", words=(_EXPECTED[kind],), value=value)
    if kind == "literal_error" and isinstance(value, str) and "'" not in context["expected"]:
        hint = suggestion(value, _choices(context)) if value not in _choices(context) else ""
        return _Finding(path, "wrong-type", hint=hint, words=("a number",), value=value)
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        if kind == "union_tag_invalid":
            path += (_tag_key(context),)
            value = context["tag"]
        shown = value if isinstance(value, str) else json.dumps(value)
        hint = suggestion(shown, _choices(context))
        return _Finding(path, "unknown-choice", f"{_name_of(path)} cannot be {quote(shown)}", hint)
    return _bad_value(path, value, detail, key=loc[-1:] == ("[key]",))


def _bad_value(path: Loc, value: Any, detail: dict[str, Any], key: bool) -> _Finding:
    context = detail.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, SpecValueError):
        mapping = isinstance(value, dict) and not key
        return _Finding(
            path + cause.at, cause.code, cause.message, cause.hint, key, of_parts=mapping
        )
    if detail["type"] in _BOUNDS:
        wanted = _BOUNDS[detail["type"]].format(**context)
        return _Finding(path, "bad-value", f"{_name_of(path)} {wanted}, but is {describe(value)}")
    reason = str(cause) if cause is not None else detail["msg"]
    return _Finding(path, "bad-value", f"{_name_of(path)} is not accepted: {reason}", key=key)


def _tag_key(context: dict[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")


def _merged(findings: Iterable[_Finding]) -> Iterator[_Finding]:
    """Missing keys of one mapping become one finding, and so do the types one value may have."""
    found = list(findings)
    # A value of the wrong type has no other errors, unless it is a union of which another member
    # took the type: what that one found is what the user wants to know.
    better = {
        one.path[:depth]
        for one in found
        for depth in range(len(one.path) + (one.code != "wrong-type"))
    }
    merged: dict[tuple[str, Loc], list[_Finding]] = {}
    for finding in found:
        if finding.words:
            merged.setdefault((finding.code, finding.path), []).append(finding)
        else:
            yield finding
    for (code, path), group in merged.items():
        words = tuple(dict.fromkeys(word for finding in group for word in finding.words))
        if code == "missing-key":
            yield _missing(path, words)
        elif path not in better:
            value = group[0].value
            message = f"{_name_of(path)} must be {' or '.join(words)}, but is {describe(value)}"
            yield _Finding(path, code, message, group[0].hint or type_hint(words, value))


def _missing(path: Loc, keys: tuple[str, ...]) -> _Finding:
    lacks = f"{_name_of(path)} lacks the key{'s' if len(keys) > 1 else ''} {listing(keys)}"
    where = f"below {_name_of(path)}" if path else "to the file"
    hint = f"add {listing([f'{key}: ...' for key in keys])} {where}"
    return _Finding(path, "missing-key", lacks, hint, key=True)


def recover(source: Source, model: type[Model]) -> tuple[Model | None, Source]:
    """A model of what is valid in a source that was read leniently, so that the rest can be judged.

    What is wrong is left out if the file can do without it, or else has a stand-in, which means
    nothing. The source that is returned has all problems, and knows which locations are in doubt:
    whoever asks for what is not there, or looks into what is broken, asks it first
    (`Source.is_resolved`, `Source.is_valid`). Without a model, too little of the file is valid.
    """
    try:
        return attempt(source.data, model), source
    except ValidationError as error:
        problems = (*source.problems, *problems_of(source, model, error))
        work = _Recovery(copy.deepcopy(source.data), set(source.broken), set(source.open))
        made = work.model(model, error)
        broken, lacking = frozenset(work.broken), frozenset(work.open)
        return made, replace(source, problems=problems, broken=broken, open=lacking)


@dataclass
class _Recovery:
    """Data that is repaired until the model takes it, and the locations that are in doubt."""

    data: Any
    broken: set[Loc]
    open: set[Loc]

    def model(self, model: type[Model], error: ValidationError) -> Model | None:
        tried: set[Loc] = set()
        for _ in range(_MAX_ROUNDS):
            done: set[Loc] = set()
            if error.error_count() > MAX_PROBLEMS:
                return None
            found = [self._culprit(model, detail) for detail in error.errors(include_url=False)]
            for loc, superfluous in sorted(found, key=lambda pair: (len(pair[0]), not pair[1])):
                if any(loc[:depth] in done for depth in range(len(loc) + 1)):
                    continue
                # What a stand-in has not repaired is repaired around it.
                while loc in tried:
                    loc, superfluous = loc[:-1], False
                if not loc:
                    return None
                tried.add(loc)
                done.add(loc)
                self._repair(model, loc, superfluous)
            try:
                return attempt(self.data, model)
            except ValidationError as another:
                error = another
        return None

    def _culprit(self, model: type[BaseModel], detail: Any) -> tuple[Loc, bool]:
        """What an error is about, and whether it is a key that should not be there."""
        kind, loc = detail["type"], detail["loc"]
        path = follow(model, self.data, loc).path
        if kind == "missing":
            return (*path, loc[-1]), False
        return path, kind == "extra_forbidden" or loc[-1:] == ("[key]",)

    def _repair(self, model: type[BaseModel], loc: Loc, superfluous: bool) -> None:
        around = follow(model, self.data, loc[:-1]).value
        if superfluous:
            self.open.add(loc[:-1])
        else:
            self.broken.add(loc)
        if superfluous or can_lack(model, self.data, loc):
            around.pop(loc[-1], None)
        else:
            around[loc[-1]] = stand_in(model, self.data, loc)

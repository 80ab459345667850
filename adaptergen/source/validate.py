"""From a source to a model, or to every problem that stands in the way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from adaptergen.problems import (
    Failed,
    Loc,
    Problem,
    SpecValueError,
    listing,
    quote,
    suggestion,
)
from adaptergen.source.schema import follow
from adaptergen.source.source import Source
from adaptergen.source.words import BOUNDS, EXPECTED, choices, describe, name_of, type_hint

Model = TypeVar("Model", bound=BaseModel)


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


def validate(source: Source, model: type[Model], context: Any = None) -> Model:
    """The source as a model; `Failed` with every problem found.

    Values are not converted: `"8"` is no number and `true` is no 1. That is pydantic's strict mode
    for JSON, which unlike the one for Python objects still makes tuples and enums.
    """
    try:
        return attempt(source.data, model, context)
    except ValidationError as error:
        raise Failed(problems_of(source, model, error)) from None


def attempt(data: Any, model: type[Model], context: Any = None) -> Model:
    """Data as a model; pydantic's error if it is none."""
    return model.model_validate_json(json.dumps(data), strict=True, context=context)


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
        if source.known(finding.about) and not misspelt:
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
        message = f"{quote(str(loc[-1]))} is not a key of {name_of(parent.path)}"
        key, keys = str(loc[-1]), sorted(parent.keys)
        close = tuple(get_close_matches(key[:100], keys, n=1))
        hint = f"did you mean {quote(close[0])}?" if close else suggestion(key, keys)
        return _Finding(path, "unknown-key", message, hint, True, meant=close)
    if kind in EXPECTED:
        return _Finding(path, "wrong-type", words=(EXPECTED[kind],), value=value)
    if kind == "literal_error" and isinstance(value, str) and "'" not in context["expected"]:
        hint = suggestion(value, choices(context)) if value not in choices(context) else ""
        return _Finding(path, "wrong-type", hint=hint, words=("a number",), value=value)
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        if kind == "union_tag_invalid":
            path += (_tag_key(context),)
            value = context["tag"]
        shown = value if isinstance(value, str) else json.dumps(value)
        hint = suggestion(shown, choices(context))
        return _Finding(path, "unknown-choice", f"{name_of(path)} cannot be {quote(shown)}", hint)
    return _bad_value(path, value, detail, key=loc[-1:] == ("[key]",))


def _bad_value(path: Loc, value: Any, detail: dict[str, Any], key: bool) -> _Finding:
    context = detail.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, SpecValueError):
        mapping = isinstance(value, dict) and not key
        return _Finding(
            path + cause.at, cause.code, cause.message, cause.hint, key, of_parts=mapping
        )
    if detail["type"] in BOUNDS:
        wanted = BOUNDS[detail["type"]].format(**context)
        return _Finding(path, "bad-value", f"{name_of(path)} {wanted}, but is {describe(value)}")
    reason = str(cause) if cause is not None else detail["msg"]
    return _Finding(path, "bad-value", f"{name_of(path)} is not accepted: {reason}", key=key)


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
            message = f"{name_of(path)} must be {' or '.join(words)}, but is {describe(value)}"
            yield _Finding(path, code, message, group[0].hint or type_hint(words, value))


def _missing(path: Loc, keys: tuple[str, ...]) -> _Finding:
    lacks = f"{name_of(path)} lacks the key{'s' if len(keys) > 1 else ''} {listing(keys)}"
    where = f"below {name_of(path)}" if path else "to the file"
    hint = f"add {listing([f'{key}: ...' for key in keys])} {where}"
    return _Finding(path, "missing-key", lacks, hint, key=True)

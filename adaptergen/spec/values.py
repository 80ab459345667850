"""Names, texts and settings that may reach generated code, checked when they are made.

Each is a type for a pydantic model, with a pattern for the JSON Schema; some have a function with
the same check for everyone else.
"""

from __future__ import annotations

import keyword
import re
from typing import Annotated, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from adaptergen.problems import HIDDEN, SpecValueError, character_name, quote
from adaptergen.prose import odd_in_title, order_in

MAX_NAME, MAX_PATH, MAX_TITLE, MAX_TEXT = 80, 200, 80, 400

#: Reserved in every Python from 3.10 on, so that a spec that is good on one is good on all.
RESERVED = frozenset({*keyword.kwlist, "_", "case", "match", "type"})

_PART = r"(?!__)[A-Za-z_][A-Za-z0-9_]*"
_NOT_RESERVED = rf"(?!(?:{'|'.join(sorted(RESERVED))})(?:\.|$))"
_ONE = rf"{_NOT_RESERVED}{_PART}"
_HUB_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_NUMBER = r"(?:0|[1-9][0-9]{0,5})"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODULE_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
_HF_CLASS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*")
_PLACE = re.compile(_NUMBER)
_HUB_ID = re.compile(rf"{_HUB_PART}/{_HUB_PART}")
_HUB_OWNER = rf"(?!.*(?:--|\.\.)){_HUB_PART}"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}")
_NOT_IN_TEXT = re.compile(r'["`\\<{}\t\r\n]')
_TEXT_HINTS = {
    '"': "use apostrophes, or no quotes",
    "`": "leave the name without quotes",
    "<": "say it in words",
    "\n": "keep it on one line",
    "\r": "keep it on one line",
    "\t": "use a space",
}


def check_identifier(text: str) -> str:
    """A Python identifier in ASCII that is neither reserved nor private to Python."""
    _check_length(text, MAX_NAME)
    if not _IDENTIFIER.fullmatch(text):
        message = f"{quote(text)} is not an identifier"
        raise SpecValueError("bad-identifier", message, _identifier_hint(text))
    if text in RESERVED:
        raise SpecValueError(
            "reserved-name", f"{quote(text)} is a keyword of Python", f"e.g. {quote(text + '_')}"
        )
    if text.startswith("__"):
        hint = "start it with a letter or a single `_`"
        raise SpecValueError("reserved-name", f"{quote(text)} is a name of Python's own", hint)
    return text


def check_module_name(text: str) -> str:
    """A lower-case name with words joined by `_`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text[:MAX_NAME]).lower()
    better = "_".join(re.findall(r"[a-z0-9]+", words))
    hint = "lower-case words joined by `_`"
    return _check_name(text, _MODULE_NAME, "bad-module-name", "module", better, hint)


def check_class_name(text: str) -> str:
    """A name in CapWords."""
    words = re.findall("[A-Za-z0-9]+", text[:MAX_NAME])
    better = "".join(word[:1].upper() + word[1:] for word in words)
    hint = "a capital, then letters and digits"
    return _check_name(text, _CLASS_NAME, "bad-class-name", "class", better, hint)


def check_hf_class_name(text: str) -> str:
    """The name of a class of transformers: words with at least one capital, maybe with `_`."""
    fits = _HF_CLASS_NAME.fullmatch(text) and text.lower() != text
    return check_identifier(text) if fits else check_class_name(text)


def _check_name(
    text: str, form: re.Pattern[str], code: str, of: str, better: str, hint: str
) -> str:
    _check_length(text, MAX_NAME)
    if not form.fullmatch(text):
        message = f"{quote(text)} is not the name of a {of}"
        hint = f"did you mean {quote(better)}?" if form.fullmatch(better) else hint
        raise SpecValueError(code, message, hint)
    return check_identifier(text)


def check_path(text: str) -> str:
    """Identifiers joined by dots."""
    _check_length(text, MAX_PATH)
    parts = text.split(".")
    if not all(_IDENTIFIER.fullmatch(part) for part in parts):
        hint = "identifiers joined by single dots, e.g. `model.layers`"
        raise SpecValueError("bad-path", f"{quote(text)} is not a dotted path", hint)
    for part in parts:
        check_identifier(part)
    return text


def check_attribute_path(text: str) -> str:
    """Identifiers joined by dots; a number is a place in a list of modules."""
    _check_length(text, MAX_PATH)
    named = [part for part in text.split(".") if not _PLACE.fullmatch(part)]
    if named:
        check_path(".".join(named))
    return text


def check_hub_id(text: str) -> str:
    """`owner/name`, as the Hub takes it."""
    parts_fit = all(len(part) <= 96 for part in text.split("/"))
    odd = "--" in text or ".." in text or text.endswith(".git")
    if odd or not parts_fit or not _HUB_ID.fullmatch(text):
        message = f"{quote(text)} is not the id of a model on the Hub"
        raise SpecValueError("bad-hub-id", message, "`owner/name`, without a link around it")
    return text


def check_version(text: str) -> str:
    """`X.Y.Z`."""
    if not _VERSION.fullmatch(text):
        raise SpecValueError("bad-version", f"{quote(text)} is not a version", "e.g. `4.3.0`")
    return text


def check_hub_owner(text: str) -> str:
    """The name of a user or an organisation of the Hub."""
    if len(text) > 96 or not re.fullmatch(_HUB_OWNER, text):
        message = f"{quote(text)} is not the name of an owner of models on the Hub"
        raise SpecValueError("bad-hub-id", message, "what stands before `/` in the id of a model")
    return text


def check_text(text: str, most: int = MAX_TEXT) -> str:
    """One line for people, which `adaptergen.prose` can write where tools read it too."""
    if len(text) > most:
        message = f"the text has {len(text)} characters; {most} are allowed"
        raise SpecValueError("text-too-long", message, "say it shorter")
    if text != text.strip() or not text:
        message = "the text starts or ends with a space" if text.strip() else "the text is empty"
        raise SpecValueError("bad-text", message, "write one line without spaces around it")
    hidden, refused = HIDDEN.search(text), _NOT_IN_TEXT.search(text)
    if hidden:
        message = f"the text has a hidden character: {character_name(hidden.group())}"
        raise SpecValueError("bad-text", message, "delete it")
    if refused:
        hint = _TEXT_HINTS.get(refused.group(), "leave it out")
        found = "backtick" if refused.group() == "`" else quote(refused.group())
        raise SpecValueError("bad-text", f"the text has a {found}", hint)
    order = order_in(text)
    if order:
        message = f"the text has {quote(order)}, which a formatter, checker or editor obeys"
        raise SpecValueError("bad-text", message, f"leave out {quote(order)}, or say it in words")
    return text


def check_title(text: str) -> str:
    """A text of plain words: it stands in messages of commits and first lines of docstrings."""
    check_text(text, MAX_TITLE)
    odd = odd_in_title(text)
    if odd is not None:
        message = f"the title has {quote(odd)}" if odd else "the title has two spaces in a row"
        hint = "write it in words and numbers, such as `Mamba-2` or `gated MLP`"
        raise SpecValueError("bad-text", message, hint)
    return text


def _check_length(text: str, most: int) -> None:
    if len(text) > most:
        message = f"{quote(text, 30)} has {len(text)} characters; {most} are allowed"
        raise SpecValueError("name-too-long", message, "choose a shorter name")


def _identifier_hint(text: str) -> str:
    better = re.sub(r"[ .-]", "_", text)
    if _IDENTIFIER.fullmatch(better):
        return f"did you mean {quote(better)}?"
    return "ASCII letters, digits and `_`, not starting with a digit"


def _schema(pattern: str, most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "maxLength": most})


_DOTTED = _schema(rf"{_ONE}(?:\.{_ONE})*", MAX_PATH)

Identifier = Annotated[str, AfterValidator(check_identifier), _schema(_ONE, MAX_NAME)]
ModuleName = Annotated[
    str, AfterValidator(check_module_name), _schema(_NOT_RESERVED + _MODULE_NAME.pattern, MAX_NAME)
]
HFClassName = Annotated[
    str,
    AfterValidator(check_hf_class_name),
    _schema(_NOT_RESERVED + _HF_CLASS_NAME.pattern, MAX_NAME),
]
ClassName = Annotated[
    str, AfterValidator(check_class_name), _schema(_NOT_RESERVED + _CLASS_NAME.pattern, MAX_NAME)
]
AttributePath = Annotated[
    str,
    AfterValidator(check_attribute_path),
    _schema(rf"(?:{_ONE}|{_NUMBER})(?:\.(?:{_ONE}|{_NUMBER}))*", MAX_PATH),
]
HookName = Annotated[str, AfterValidator(check_path), _DOTTED]
HubId = Annotated[
    str, AfterValidator(check_hub_id), _schema(r"(?!.*(?:--|\.\.|\.git$))" + _HUB_ID.pattern, 193)
]
HubOwner = Annotated[str, AfterValidator(check_hub_owner), _schema(_HUB_OWNER, 96)]
Version = Annotated[str, AfterValidator(check_version), _schema(_VERSION.pattern, 20)]
_LINE = r'(?:[^"`\\<{}\t\r\n]*[^\s"`\\<{}])?'
Text = Annotated[str, AfterValidator(check_text), _schema(rf'[^\s"`\\<{{}}]{_LINE}', MAX_TEXT)]
Title = Annotated[
    str, AfterValidator(check_title), _schema(rf'[^\s"`\\<{{}}>#*|=~@+_-]{_LINE}', MAX_TITLE)
]


#: Keys under which TransformerLens binds a submodule, although Python reserves the word.
RESERVED_KEYS = frozenset({"in"})

MAX_INTEGER = 2**53

#: The version of specs and shapes.
FORMAT = 1

# The text goes into generated code as it stands, so it is no more than this.
_RELEASES = re.compile(r"[<>=0-9., ]{1,80}")
_BOUNDS = ("<", "<=", ">", ">=")


def _check_version(value: object) -> object:
    if isinstance(value, bool):
        message = f"a version must be a number, but is `{str(value).lower()}`"
        raise SpecValueError("wrong-type", message, f"use `{FORMAT}`")
    if type(value) is int and value > FORMAT:
        message = f"this file is of version {value}, and this adaptergen reads {FORMAT}"
        raise SpecValueError("file-newer", message, "update adaptergen")
    return value


def _check_key(text: str) -> str:
    return text if text in RESERVED_KEYS else check_identifier(text)


def _check_releases(text: str) -> str:
    message = f"{quote(text)} is not a range of releases"
    if not _RELEASES.fullmatch(text):
        raise SpecValueError("bad-releases", message, "e.g. >=5.13 or >=5.13,<5.17")
    try:
        specifiers = SpecifierSet(text)
    except InvalidSpecifier:
        raise SpecValueError("bad-releases", message, "e.g. >=5.13 or >=5.13,<5.17") from None
    if not len(specifiers) or any(part.operator not in _BOUNDS for part in specifiers):
        raise SpecValueError("bad-releases", message, "use <, <=, > and >= only")
    return text


def _check_setting(value: bool | int | float | str | None) -> bool | int | float | str | None:
    if isinstance(value, str):
        return check_text(value)
    if isinstance(value, (int, float)) and not abs(value) <= MAX_INTEGER:
        raise SpecValueError("bad-value", f"the number {value!r} is too large", "use a smaller one")
    return value


#: The version of a file.
FileVersion = Annotated[Literal[1], BeforeValidator(_check_version)]

#: A key under which a submodule is bound.
Key = Annotated[
    str,
    AfterValidator(_check_key),
    WithJsonSchema(
        {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": MAX_NAME}
    ),
]

#: A range of releases of transformers.
Releases = Annotated[
    str,
    AfterValidator(_check_releases),
    WithJsonSchema({"type": "string", "pattern": "^[<>=0-9., ]+$", "maxLength": 80}),
]

#: A value that is passed on as it stands.
Setting = Annotated[bool | int | float | str | None, AfterValidator(_check_setting)]

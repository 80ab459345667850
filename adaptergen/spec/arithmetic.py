"""Derived configuration values: `hidden_size // num_heads * 2`, and no more than that.

The text is never run. Its length and characters are checked, `ast.parse` makes a tree of it, and
the parts of the tree that are arithmetic are copied into an `Expression`; all else is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from adaptergen.problems import SpecValueError, quote, suggestion
from adaptergen.spec.values import check_identifier

MAX_LENGTH, MAX_PARENTHESES, LARGEST = 200, 16, 2**63 - 1

_ALLOWED = "allowed are names, whole numbers, `+`, `-`, `*`, `//` and parentheses"
_NOT_A_CHARACTER = re.compile(r"\*\*|[^A-Za-z0-9_+\-*/() ]")
_NOT_A_NUMBER = re.compile(r"\b(?:0[0-9]|[0-9]+[A-Za-z_])[A-Za-z0-9_]*")
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//",
}  # fmt: skip
_COMPUTE: dict[str, Callable[[int, int], int]] = {
    "+": int.__add__, "-": int.__sub__, "*": int.__mul__, "//": int.__floordiv__,
}  # fmt: skip
_STRENGTH = {"+": 1, "-": 1, "*": 2, "//": 2}


@dataclass(frozen=True)
class Name:
    """A value looked up when the expression is used."""

    name: str


@dataclass(frozen=True)
class Number:
    """A whole number, not negative."""

    value: int


@dataclass(frozen=True)
class Binary:
    """Two terms and one of the four operators between them."""

    operator: str
    left: Term
    right: Term


Term = Name | Number | Binary


@dataclass(frozen=True)
class Expression:
    """Arithmetic over names. Two expressions are equal if they compute in the same order."""

    term: Term

    @property
    def names(self) -> tuple[str, ...]:
        """The names used, each once, in the order of the text."""
        return tuple(dict.fromkeys(_names(self.term)))

    def render(self, format_name: Callable[[str], str] = str) -> str:
        """Python source, with the parentheses that the order needs and no others.

        `format_name` makes source of a name, and must give something as tight as a name:
        `cfg.hidden_size`, a call, or something in parentheses.
        """
        return _render(self.term, format_name)

    def value(self, values: Mapping[str, int]) -> int:
        """The number it comes to; `SpecValueError` for an unknown name or a division by zero."""
        return _value(self.term, values)

    def __str__(self) -> str:
        return self.render()


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The expression a text stands for; `SpecValueError` if it is anything but arithmetic."""
    if len(text) > MAX_LENGTH:
        message = f"the expression has {len(text)} characters; {MAX_LENGTH} are allowed"
        raise SpecValueError("arithmetic-too-long", message, "split it into two derived values")
    odd = _NOT_A_CHARACTER.search(text)
    if odd:
        raise _refused(f"{quote(odd.group())} is not allowed in arithmetic")
    if _depth(text) > MAX_PARENTHESES:
        message = f"more than {MAX_PARENTHESES} parentheses inside each other"
        raise SpecValueError("arithmetic-too-long", message, "split it into two derived values")
    number = _NOT_A_NUMBER.search(text)
    if number:
        message = f"{quote(number.group())} is not a whole number in decimal digits"
        raise SpecValueError("arithmetic-number", message, "write it as e.g. `128`")
    try:
        tree = ast.parse(text.strip(" "), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        message = f"{quote(text)} is not arithmetic"
        hint = "look for a missing operand, operator or parenthesis"
        raise SpecValueError("arithmetic-syntax", message, hint) from None
    return Expression(_term(tree.body, text))


def _depth(text: str) -> int:
    deepest = depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _term(node: ast.expr, text: str) -> Term:
    if isinstance(node, ast.Name):
        return Name(check_identifier(node.id))
    if isinstance(node, ast.Constant) and type(node.value) is int:
        if node.value > LARGEST:
            message = f"the number {quote(str(node.value), 30)} is too large"
            raise SpecValueError("arithmetic-number", message, "it must fit into 64 bits")
        return Number(node.value)
    if isinstance(node, ast.BinOp):
        operator = _OPERATORS.get(type(node.op))
        if operator is None:
            # The only one left: the characters of the others were refused before.
            raise _refused("the operator `/` is not allowed", "use `//`")
        return Binary(operator, _term(node.left, text), _term(node.right, text))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign = "-" if isinstance(node.op, ast.USub) else "+"
        raise _refused(f"the sign {quote(sign)} before a term is not allowed", "use `0 - x`")
    # The rest of the grammar that fits the characters: calls, keywords, `()`, `not`, `and`.
    shown = quote(ast.get_source_segment(text.strip(" "), node) or text)
    raise _refused(f"{shown} is not arithmetic")


def _refused(message: str, hint: str = "") -> SpecValueError:
    return SpecValueError(
        "arithmetic-operator", message, f"{hint}; {_ALLOWED}" if hint else _ALLOWED
    )


def _names(term: Term) -> Iterator[str]:
    if isinstance(term, Name):
        yield term.name
    elif isinstance(term, Binary):
        yield from _names(term.left)
        yield from _names(term.right)


def _render(term: Term, format_name: Callable[[str], str]) -> str:
    if isinstance(term, Name):
        return format_name(term.name)
    if isinstance(term, Number):
        return str(term.value)
    left, right = _render(term.left, format_name), _render(term.right, format_name)
    strength = _STRENGTH[term.operator]
    if isinstance(term.left, Binary) and _STRENGTH[term.left.operator] < strength:
        left = f"({left})"
    if isinstance(term.right, Binary) and _STRENGTH[term.right.operator] <= strength:
        right = f"({right})"
    return f"{left} {term.operator} {right}"


def _value(term: Term, values: Mapping[str, int]) -> int:
    if isinstance(term, Number):
        return term.value
    if isinstance(term, Name):
        if term.name not in values:
            message = f"the name {quote(term.name)} has no value"
            raise SpecValueError("unknown-name", message, suggestion(term.name, values))
        return values[term.name]
    left, right = _value(term.left, values), _value(term.right, values)
    if term.operator == "//" and right == 0:
        divisor = quote(_render(term.right, str))
        message = f"division by zero: {divisor} is 0"
        raise SpecValueError("divided-by-zero", message, f"check the value of {divisor}")
    result = _COMPUTE[term.operator](left, right)
    if abs(result) > LARGEST:
        # Products of products of products would not end.
        message = f"the value of {quote(_render(term, str))} is too large"
        raise SpecValueError("number-too-large", message, "it must fit into 64 bits")
    return result


def _from_spec(value: object) -> Expression:
    if isinstance(value, str) or type(value) is int:
        return parse(str(value))
    raise SpecValueError("wrong-type", "arithmetic must be text or a whole number", "e.g. `a // 2`")


#: The type of a field that holds arithmetic; in YAML text or a whole number.
Arithmetic = Annotated[
    Expression,
    PlainValidator(_from_spec),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "maxLength": MAX_LENGTH}, {"type": "integer", "minimum": 0}]}
    ),
]


#: Names in axes that no config has: sequences, positions of the call, and those with cached ones.
TOKEN_AXES = frozenset({"batch", "pos", "kv_pos"})


@dataclass(frozen=True)
class Dimension:
    """One axis of a tensor: the first of its alternatives in which no name is None."""

    alternatives: tuple[Expression, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names used, in the order of the text."""
        names = (name for expression in self.alternatives for name in expression.names)
        return tuple(dict.fromkeys(names))

    def __str__(self) -> str:
        return " or ".join(map(str, self.alternatives))


def parse_dimension(value: object) -> Dimension:
    """`d_model`, `2 * d_head`, or `q_lora_rank or d_model`."""
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        message = "a dimension must be text or a whole number"
        raise SpecValueError("wrong-type", message, "e.g. `2 * d_head`")
    return Dimension(tuple(map(parse, re.split(r"\s+or\s+", str(value)))))


#: An axis of a tensor, as text in YAML.
Axis = Annotated[
    Dimension,
    PlainValidator(parse_dimension),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "maxLength": MAX_LENGTH}, {"type": "integer", "minimum": 1}]}
    ),
]

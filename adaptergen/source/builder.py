"""From the parser's events to a tree, refusing the parts of YAML that a spec has no use for.

Events, not the parser's own nodes: its composer recurses, follows aliases and needs comments. Here
a stack of open collections is all there is, so depth is a number, and aliases are never followed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import events

from adaptergen.problems import HIDDEN, MAX_FOUND, Problem, SourceLocation, character_name, quote
from adaptergen.source.source import Node, Span, span_between

MAX_DEPTH = 64

_REUSE_HINT = "give what is shared a name in `specs/shapes/`, and name that shape here"


class Stop(Exception):
    """Nothing after this place can be read; the problem is already noted."""


@dataclass
class _Open:
    """A collection that has not ended. In a mapping, `key` waits for its value."""

    node: Node
    block: bool
    key: tuple[str | None, Span] | None = None


class Builder:
    """Takes the events of one file; `root` is the tree and `problems` what was wrong with it."""

    def __init__(self, path: str, lines: Sequence[str]) -> None:
        self.path, self.lines = path, lines
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        self._documents = 0

    def problem(self, code: str, message: str, hint: str, span: Span) -> None:
        """Note a problem at a span."""
        place = SourceLocation(self.path, span.line, span.column, span.length)
        text = self.lines[span.line - 1] if span.line <= len(self.lines) else None
        self.problems.append(Problem(code, message, hint, place, text))

    def open_bracket(self) -> Span | None:
        """The innermost bracket that is still open."""
        top = self._open[-1] if self._open else None
        return None if top is None or top.block else top.node.span

    def take(self, event: Any) -> None:
        """One event of the parser; `Stop` if the rest of the file cannot be judged."""
        if len(self.problems) >= MAX_FOUND:
            raise Stop
        span = span_between(self.lines, event.start_mark, event.end_mark)
        if isinstance(event, events.DocumentStartEvent):
            self._document(event, span)
        elif isinstance(event, events.AliasEvent):
            name = quote(f"*{event.anchor}")
            self.problem("yaml-reuse", f"aliases are not allowed: {name}", _REUSE_HINT, span)
            self._add(Node(None, span, broken=True))
        elif isinstance(event, events.ScalarEvent):
            self._scalar(event, span, self._refuse_properties(event, span))
        elif isinstance(event, events.CollectionStartEvent):
            self._start(event, span, self._refuse_properties(event, span))
        elif isinstance(event, events.CollectionEndEvent):
            self._end(event)

    def _document(self, event: Any, span: Span) -> None:
        self._documents += 1
        if self._documents > 1:
            hint = "remove this line, or move what follows it to a file of its own"
            self.problem("yaml-documents", "a second YAML document starts here", hint, span)
            raise Stop
        for number, line in enumerate(self.lines[: event.start_mark.line], start=1):
            if line.startswith("%"):
                at = Span(number, 1, len(line))
                message = f"YAML directives are not allowed: {quote(line)}"
                self.problem("yaml-directive", message, "remove this line", at)

    def _refuse_properties(self, event: Any, span: Span) -> bool:
        """Whether the value is not what was meant."""
        at = Span(span.line, span.column, 1)
        if event.anchor is not None:
            name = quote(f"&{event.anchor}")
            self.problem("yaml-reuse", f"anchors are not allowed: {name}", _REUSE_HINT, at)
        if event.ctag is not None:
            message = f"YAML tags are not allowed: {quote(str(event.ctag))}"
            self.problem("yaml-tag", message, "write the value without `!`", at)
        return event.ctag is not None

    def _scalar(self, event: Any, span: Span, broken: bool) -> None:
        plain, text = event.implicit[0], event.value
        hidden = HIDDEN.search(text)
        if hidden:
            message = f"an escape makes a hidden character: {character_name(hidden.group())}"
            self.problem("hidden-character", message, "remove the escape", span)
            # Of no use to what reads the value: half of a pair is not even text.
            text, broken = "", True
        if plain and text == "<<" and self._wants_key():
            message = "merge keys are not allowed: `<<`"
            self.problem("yaml-reuse", message, _REUSE_HINT, span)
            self._add(Node(text, span, broken=True))
            return
        try:
            value = resolve(text) if plain and event.ctag is None else text
        except TooLarge:
            message = f"the number {quote(text, 30)} is too large"
            hint = "a whole number must fit into 64 bits; put it in quotes if it is text"
            self.problem("number-too-large", message, hint, span)
            value, broken = 0, True
        self._add(Node(value, span, broken=broken))

    def _start(self, event: Any, span: Span, broken: bool) -> None:
        if len(self._open) == MAX_DEPTH:
            message = f"more than {MAX_DEPTH} levels of nesting"
            self.problem("too-deep", message, "flatten the structure", span)
            raise Stop
        value: Any = {} if isinstance(event, events.MappingStartEvent) else []
        node = Node(value, span, broken=broken)
        self._open.append(_Open(node, not event.flow_style))

    def _end(self, event: Any) -> None:
        opened = self._open.pop()
        start = opened.node.span
        end = event.end_mark
        line = self.lines[start.line - 1] if start.line <= len(self.lines) else ""
        last = end.column if end.line + 1 == start.line else len(line.rstrip())
        opened.node.span = Span(start.line, start.column, max(0, last - start.column + 1))
        self._add(opened.node, block=opened.block)

    def _wants_key(self) -> bool:
        top = self._open[-1] if self._open else None
        return top is not None and isinstance(top.node.value, dict) and top.key is None

    def _add(self, node: Node, block: bool = False) -> None:
        if not self._open:
            self.root = node
            return
        top = self._open[-1]
        if isinstance(top.node.value, list):
            top.node.add(len(top.node.value), node)
        elif top.key is None:
            top.key = (self._key(top.node, node), node.span)
        else:
            (name, span), top.key = top.key, None
            node.key = span
            if block or node.span.length == 0:
                node.span = span
            if name is not None:
                top.node.add(name, node)

    def _key(self, mapping: Node, node: Node) -> str | None:
        name, span = node.value, node.span
        if node.broken or not isinstance(name, str):
            mapping.open = True
        if node.broken:
            return None
        if not isinstance(name, str):
            shown = quote(self.lines[span.line - 1][span.column - 1 :][: span.length])
            message = f"this key is not text: {shown}" if span.length else "a key is missing"
            self.problem("key-not-text", message, "put the key in quotes", span)
            return None
        if name in mapping.children:
            first = mapping.children[name]
            # One of the two may have been meant for another key.
            first.broken = mapping.open = True
            where = f"; it stands first in line {first.key.line}" if first.key else ""
            message = f"the key {quote(name)} stands twice{where}"
            self.problem("duplicate-key", message, "remove or rename one of them", span)
            return None
        return name


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

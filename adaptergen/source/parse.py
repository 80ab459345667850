"""From text to a tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from adaptergen.problems import Failed, Problem
from adaptergen.source.builder import Builder, Stop
from adaptergen.source.tree import Node, Span

_HINTS = (
    ("\\t", "indent with blanks, not with tabs"),
    ("mapping values", "put the text in quotes if it holds a colon and a blank"),
    ("expected ':'", "a key needs a colon and a blank after it"),
    ("quoted scalar", "close the quote"),
    ("flow", "close the bracket, and put commas between the entries"),
    ("block", "line up this line with the ones before it"),
)
_OTHER_HINT = "look at brackets, quotes and indentation here and in the line above"


def parse(text: str, path: str, lines: Sequence[str]) -> tuple[Node, list[Problem]]:
    """The tree of a YAML text, and the problems of what it could do without.

    `Failed`, with every problem found up to there, if reading ended before the text.
    """
    builder = Builder(path, lines)
    ended = False
    last = Span(1, 1, 0)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            last = Span(event.end_mark.line + 1, event.end_mark.column + 1, 0)
            builder.take(event)
        ended = True
    except Stop:
        pass
    except MarkedYAMLError as error:
        _syntax(builder, error, last)
    except (ArithmeticError, LookupError, ValueError, RecursionError) as error:
        # The parser lets these out for some input, e.g. OverflowError for the escape "\UFFFFFFFF".
        hint = "look for an escape that is no character"
        builder.problem("yaml-syntax", f"not YAML: {type(error).__name__}", hint, last)
    root = builder.root
    if not builder.problems and (root is None or (root.value is None and not root.span.length)):
        builder.problem("empty-file", "the file is empty", "start it with `spec: 1`", Span(1, 1, 0))
        ended = False
    if root is None or not ended:
        raise Failed(builder.problems)
    return root, builder.problems


def _syntax(builder: Builder, error: Any, last: Span) -> None:
    mark = error.problem_mark or error.context_mark
    at = Span(mark.line + 1, mark.column + 1, 1) if mark else last
    what = " ".join(part for part in (error.problem, error.context) if part)[:200]
    hint = next((hint for word, hint in _HINTS if word in what), _OTHER_HINT)
    builder.problem("yaml-syntax", f"not YAML: {what}", hint, at)

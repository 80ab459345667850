"""Text of a spec, written so that it means something to its readers and nothing to a tool.

Docstrings are read by doctest and docutils, comments by formatters and type checkers, Markdown by
sites that mention people, close issues and load images. Nearly all of that begins with a sign that
is in no plain word. So plain words stay as they are, and every other word is shown as code, which
has no meaning anywhere. Every text of a spec that goes into a file or a page passes through
`docstring`, `comment` or `markdown`, but for titles, which consist of plain words.

What a tool obeys wherever it stands, also in code, cannot be written at all: `order_in` finds it.
"""

from __future__ import annotations

import re

#: Letters and digits, joined by signs that have no meaning between them, and punctuation around.
_WORD = re.compile(
    r"""(?!.*\b(?:gh-\d|www\.))['’‘“(]*
    [^\W_](?:[\w'’.,/+=-]*[^\W_])?
    %?[.!?]?['’”)]*[.,;:!?]?""",
    re.VERBOSE | re.IGNORECASE,
)
_IN_TITLE = re.compile(r"\(?[^\W_](?:[\w'’./+-]*[^\W_])?\)?,?")
#: Signs that stand between words, and at the start of a line would begin a list.
_BETWEEN = re.compile(r"[-+=&/–—→×≤≥≈]|->")
#: What begins an item of a numbered list, or a line that is for a tool: `type: ignore`.
_BEGINS = re.compile(r"\(?(?:\d+|[a-z]|[ivxlcdm]+)[.)]|.*:", re.IGNORECASE)
#: A line that Sphinx takes for the header of a section.
_SECTION = re.compile(r"[\w ]+:")
_ORDER = re.compile(
    r"""\b(?:flake8|fmt|isort|mypy|pylint|pyright|ruff|yapf)\s*:
    |\b(?:noinspection|nopycln|noqa|nosec|pragma)\b
    |(?:^|\s)(?:ex|vim?)(?:[<=>]?\d+)?:
    |\blocal\ variables:""",
    re.VERBOSE | re.IGNORECASE,
)


def docstring(text: str, width: int = 99) -> str:
    """A paragraph of a docstring, on lines of at most so many characters where words allow it."""
    return "\n".join(_lines(text, width, "``"))


def comment(text: str, width: int = 98) -> list[str]:
    """The lines of a comment, without the `# ` before each."""
    return _lines(text, width, "`")


def markdown(text: str) -> str:
    """Markdown on one line; in a cell of a table, `|` has yet to be escaped."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    words = text.split()
    return " ".join(_shown(word, fence, at == 0) for at, word in enumerate(words))


def order_in(text: str) -> str | None:
    """What formatters, checkers and editors would obey wherever it stands."""
    found = _ORDER.search(text)
    return found.group().strip() if found else None


def odd_in_title(text: str) -> str | None:
    """The first word that cannot stand in a title, which is shown as it is everywhere."""
    words = text.split(" ")
    odd = (word for word in words if not (_IN_TITLE.fullmatch(word) and _WORD.fullmatch(word)))
    return next(odd, words[0] if _BEGINS.fullmatch(words[0]) else None)


def _lines(text: str, width: int, fence: str) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {_shown(word, fence)}" if lines else ""
        if longer and len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(_shown(word, fence, starts=True))
    return [_as_code(line, fence) if _SECTION.fullmatch(line) else line for line in lines]


def _shown(word: str, fence: str, starts: bool = False) -> str:
    plain = _WORD.fullmatch(word) or (not starts and _BETWEEN.fullmatch(word))
    return word if plain and not (starts and _BEGINS.fullmatch(word)) else _as_code(word, fence)


def _as_code(word: str, fence: str) -> str:
    """Punctuation after it is no part of it."""
    after = word[-1] if len(word) > 1 and word[-1] in ".,;!?" else ""
    code = word.removesuffix(after)
    space = " " if "`" in code else ""
    return f"{fence}{space}{code}{space}{fence}{after}"

"""What tools make of emitted files: what is said here of one with hostile text is what is said of
one with plain words, or else an assertion fails."""

from __future__ import annotations

import ast
import doctest
import inspect
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

from docutils import nodes
from docutils.core import publish_doctree
from markdown_it import MarkdownIt
from mypy import api

#: What a site links, closes, or draws wherever it stands outside of code.
_ON_A_SITE = re.compile(r"@\w|#\d|\bGH-\d|://|\bwww\.|:\w+:|&\w+;|\$", re.IGNORECASE)
#: A section of a docstring, to Sphinx.
_SECTION = re.compile(r"^[\w ]+:$", re.MULTILINE)
#: Comments that tools obey. Those of isort, in any line, are what the formatting shows.
_ORDER = re.compile(
    r"#\s*(type:|[!%]|noqa|nosec|nopycln|pragma)|\b(fmt|isort|mypy|pylint|ruff|yapf):"
)
_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_DOCUTILS = {"_disable_config": True, "report_level": 5, "warning_stream": False}


def of_docstring(text: str) -> list[str]:
    """Its blocks and marks but literals, as docutils has them; no example, no complaint."""
    assert not doctest.DocTestParser().get_examples(text), text
    cleaned = inspect.cleandoc(text)
    assert not _SECTION.search(cleaned), text
    tree = publish_doctree(cleaned, settings_overrides=_DOCUTILS)
    assert not [*tree.findall(nodes.system_message)], text
    return [node.tagname for node in tree.findall() if node.tagname not in ("#text", "literal")]


def of_markdown(text: str) -> list[str]:
    """Its blocks and marks but code; outside of code nothing is mentioned or linked."""
    found = []
    for token in _MARKDOWN.parse(text):
        found.append(token.type)
        for child in token.children or ():
            if child.type == "text":
                assert not _ON_A_SITE.search(child.content), child.content
            elif child.type != "code_inline":
                found.append(child.type)
    return found


def of_python(source: str) -> tuple[list[str], list[list[str]]]:
    """Its lines of code as they are formatted, and what its docstrings are."""
    docstrings = list(_docstrings(ast.parse(source)))
    lines: list[str | None] = [*source.splitlines()]
    for one in docstrings:
        lines[one.lineno - 1 : one.end_lineno] = [None] * (one.end_lineno - one.lineno + 1)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            assert not _ORDER.search(token.string), token.string
            if token.line.lstrip().startswith("#"):
                lines[token.start[0] - 1] = None
    return [line for line in lines if line], [of_docstring(one.value) for one in docstrings]


def types_checked(folder: Path, sources: Mapping[str, str], mistakes: int = 1) -> None:
    """Let mypy find, in each of these modules, so many assignments of text to an `int`."""
    folder.mkdir()
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    options = ["--config-file=", "--follow-imports=skip", "--ignore-missing-imports",
               "--no-incremental", "--hide-error-context", str(folder)]  # fmt: skip
    told, failed, _ = api.run(options)
    assert not failed, failed
    lines = [line for line in told.splitlines() if "Incompatible types in assignment" in line]
    for name in sources:
        found = [line for line in lines if line.startswith(f"{folder}/{name}.py:")]
        assert len(found) == mistakes, (name, told)


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value

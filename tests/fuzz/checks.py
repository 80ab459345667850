"""What must hold of the files that any spec makes."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from functools import lru_cache

from mutated import MARK

_CELL_END = re.compile(r"(?<!\\)\|")
_HEADINGS = re.compile(
    r"# Hooks of \w+|## The model|## Every layer|## Layers of kind `\w+`|## Removed names"
)


def check_files(files: dict[str, str]) -> None:
    """Every file is what its name says, and no text of the spec has become code."""
    for name, text in files.items():
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]", text), name
        text.encode()
        if name.endswith(".py"):
            check_python(text)
        elif name.endswith(".json"):
            json.loads(text)
        else:
            check_page(text)


@lru_cache(maxsize=1000)
def check_python(text: str) -> None:
    """It compiles, and the mark is in no name of it."""
    compile(text, "<generated>", "exec", dont_inherit=True)
    # A name is read in this form. Few texts have the mark, and to walk them all takes long.
    plain = unicodedata.normalize("NFKC", text)
    if not any(name in plain for name in (MARK, "__import__")):
        return
    for node in ast.walk(ast.parse(text)):
        for _, value in ast.iter_fields(node):
            if isinstance(node, ast.Constant):
                continue
            for name in value if isinstance(value, list) else [value]:
                assert not (isinstance(name, str) and MARK in name), ast.unparse(node)
                assert not (isinstance(name, str) and name == "__import__"), ast.unparse(node)


def check_page(text: str) -> None:
    """Every table is whole, and every heading is ours."""
    width = 0
    for line in text.splitlines():
        if line.startswith("|"):
            cells = len(_CELL_END.findall(line))
            width = width or cells
            assert cells == width and line.endswith("|"), line
            assert line.count("`") % 2 == 0, line
        else:
            width = 0
        if line.startswith("#"):
            assert _HEADINGS.fullmatch(line), line
        assert "<!--" not in line or line.startswith("<!-- Generated from "), line

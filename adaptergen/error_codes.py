"""Error codes: what each means, with an example of the fix, as `data/errors.md` says.

To add a code, add a section to that page, and run `make docs`. A code is kebab-case words, and is
never renamed once released.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from adaptergen import resources

_GROUP = re.compile(r"^## (.+)\n((?:(?!## ).*\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^### (\S+)\n\n\*\*(.+?)\.\*\* (.+)\n\n(?:Example|Fix): (.+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Code:
    """A kind of problem: its title, what it means, and an example of the edit that fixes it."""

    title: str
    meaning: str
    fix: str


@cache
def error_codes(group: str = "") -> Mapping[str, Code]:
    """Every code, or those below one of the page's headings, such as `Locks`."""
    text = resources.errors().read_text(encoding="utf-8")
    entries = "".join(part for name, part in _GROUP.findall(text) if group in ("", name))
    return {code: Code(*fields) for code, *fields in _ENTRY.findall(entries)}

"""`manifest.json`: what was made, so that a later build can tell its own files from others'.

The text depends on nothing but the wanted files: sorted keys, no times, no machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from adaptergen.output.errors import OutputError
from adaptergen.output.wanted import MANIFEST, OutputTree, check_tree

TOOL = "adaptergen"
FORMAT = 1


def digest(data: bytes) -> str:
    """The digest that manifest and journal keep of a file."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def render(wanted: OutputTree) -> bytes:
    """The manifest of a wanted folder; it does not list itself."""
    content = {
        "tool": TOOL,
        "format": FORMAT,
        "spec": wanted.spec,
        "meta": dict(wanted.meta),
        "files": {path: digest(data) for path, data in wanted.files.items()},
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def meta(data: bytes) -> Mapping[str, object]:
    """What the maker of a manifest wrote into it; empty if this is no manifest of ours."""
    if parse(data, Path(MANIFEST)) is None:
        return {}
    found = json.loads(data).get("meta")
    return found if isinstance(found, dict) else {}


def parse(data: bytes, place: Path) -> Mapping[str, str] | None:
    """The recorded digests by path; None if this is not (or no longer) a manifest of ours."""
    try:
        content = json.loads(data)
    except ValueError:
        return None
    if not isinstance(content, dict) or content.get("tool") != TOOL:
        return None
    number = content.get("format")
    if isinstance(number, int) and number > FORMAT:
        raise OutputError(
            f"the manifest has format {number}, this adaptergen knows {FORMAT}",
            "update adaptergen, or remove the folder and build it anew",
            place,
        )
    files = content.get("files")
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        return None
    try:
        # The paths come from disk: one with `..` must never make us remove a file elsewhere.
        check_tree(files)
    except ValueError:
        return None
    return files

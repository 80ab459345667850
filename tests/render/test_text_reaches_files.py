"""Text of a spec means nothing to a tool, in any file and page that is made of the spec."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ruamel.yaml import YAML

pytest.importorskip("docutils", reason="docutils reads the docstrings")
pytest.importorskip("markdown_it", reason="markdown-it reads the pages")
pytest.importorskip("mypy", reason="mypy reads the comments")

from text_tools import of_markdown, of_python, types_checked

from adaptergen import generate
from adaptergen.export.pull_request import pull_request
from adaptergen.plugin import plugin_tree
from adaptergen.schemas import make_schema
from adaptergen.spec.load import load_shape
from adaptergen.spec.values import MAX_TEXT

SPECS = Path(__file__).parents[2] / "specs"
#: The keys of a spec and of a shape that hold free text; titles are names (see `Title`).
FREE = {"description", "notes", "reason", "silent_in_compatibility_mode", "tensor"}
#: So long that what follows starts a line of a docstring and of a comment.
LONG = "w" * 97
HOSTILE = [
    ">>> raise SystemExit(3)",
    ".. include:: /etc/passwd",
    ".. raw:: html",
    "# type: ignore",
    "type: ignore",
    "# mypy",
    "coding: latin-1",
    "1. item",
    "- item",
    "#. item",
    "- [ ] task",
    "# heading",
    "===",
    "***",
    "::",
    "*star **stars |pipe| | x | head_ __x _y_ [1]_ :role:`".rstrip("`"),
    "@octocat @octo/team",
    "Fixes #1",
    "closes octo/repo#1, resolves GH-1",
    "see http://example.org, www.example.org, a@example.org",
    "![image](http://example.org/a.png) [link](x)",
    "&copy; ~~no~~ :smile: $x$ a>b",
    "[skip ci]",
    "%% %matplotlib !ls",
    "Returns:",
    "Keyword Args:",
]


def written(folder: Path, hostile: Sequence[str]) -> Path:
    """A spec with these texts wherever text is free, at a start and at the start of a line."""
    texts = [f"{text} {LONG} {text}" for text in hostile]
    cycle = itertools.cycle(texts)

    def changed(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: changed(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [changed(one, key) for one in value]
        # Hooks of one name have one contract.
        one = {"description", "reason", "silent_in_compatibility_mode"}
        free = {"tensor": next(cycle), **dict.fromkeys(one, texts[0])}
        return free.get(key, value) if isinstance(value, str) else value

    yaml = YAML(typ="safe")
    for path in [SPECS / "nemotron_h.yaml", *(SPECS / "shapes").glob("*.yaml")]:
        data = changed(yaml.load(path))
        if path.parent == SPECS:
            data |= {"notes": texts}
        copy = folder / "specs" / path.relative_to(SPECS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        # In its own order, which YAML that is written anew would not keep.
        copy.write_text(json.dumps(data), encoding="utf-8")
    load_shape.cache_clear()
    return folder / "specs" / "nemotron_h.yaml"


def emitted(folder: Path, hostile: Sequence[str]) -> dict[str, str]:
    """Every file and page, by a name of its own."""
    spec = written(folder, hostile)
    plan = generate.plan(spec)
    files = {f"build/{path}": data for path, data in generate.files_of(spec, plan).files.items()}
    package = plugin_tree(folder / "tl-small", [(spec, plan)], ["specs/nemotron_h.yaml"])
    files |= {f"plugin/{path}": data for path, data in package.files.items()}
    adapter = SimpleNamespace(plan=plan, replaced=(), tests=[])
    draft = SimpleNamespace(read=lambda path: None)
    made: Any = SimpleNamespace(draft=draft, adapters=[adapter], shared=[])
    texts = {path: data.decode() for path, data in files.items()}
    return texts | {"pull request.md": pull_request(made, [], ["left out"])}


def structure(files: dict[str, str]) -> dict[str, Any]:
    """What tools make of each file; what adapters share has no text of a spec, and is as it is."""
    folders = {"_runtime", "adapter_contract"}
    shared = {path: text for path, text in files.items() if folders & {*path.split("/")}}
    assert shared
    files = {path: text for path, text in files.items() if path not in shared}
    pages = {path: of_markdown(text) for path, text in files.items() if path.endswith(".md")}
    return (
        shared
        | pages
        | {path: of_python(text) for path, text in files.items() if path.endswith(".py")}
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return structure(emitted(tmp_path_factory.mktemp("plain"), ["plain words"] * len(HOSTILE)))


def test_these_are_all_keys_with_free_text() -> None:
    def keys(schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            properties = schema.get("properties", {}).items()
            yield from (name for name, one in properties if f"'maxLength': {MAX_TEXT}" in str(one))
            schema = list(schema.values())
        if isinstance(schema, list):
            for one in schema:
                yield from keys(one)

    assert {*keys(make_schema("spec")), *keys(make_schema("shape"))} == FREE


@pytest.mark.parametrize("first", [0, HOSTILE.index("# type: ignore"), HOSTILE.index("1. item")])
def test_text_means_nothing_to_a_tool(first: int, tmp_path: Path, plain: dict[str, Any]) -> None:
    hostile = HOSTILE[first:] + HOSTILE[:first]
    files = emitted(tmp_path, hostile)
    found = structure(files)
    for path, one in plain.items():
        assert found[path] == one, path
    page = files["build/HOOKS.md"].replace("\\|", "|").replace("`", "")
    assert all(text in page for text in hostile)
    # What has text in a docstring is the adapter; the mistake at the end is found.
    sources = {
        f"of_{Path(path).stem}": f'{source}\n_mistake: int = "text"\n'
        for path, source in files.items()
        if path.startswith("build/") and path.endswith(".py") and LONG in source
    }
    assert set(sources) == {"of_nemotron_h"}
    types_checked(tmp_path / "checked", sources)

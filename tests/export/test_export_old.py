"""What the source of an old adapter shows, and who else uses it: nothing goes unlisted."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest_export import ADAPTERS, NEMOTRON, Result, content, git

from adaptergen.catalogue.store import load
from adaptergen.export import replacement
from adaptergen.export.old_adapter import OldAdapter, read_old

Run = Callable[..., Result]
OLD = f"{ADAPTERS}/nemotron_h.py"
PACKAGE = ADAPTERS.replace("/", ".")


def old(lines: str, after: str = "") -> OldAdapter:
    body = "".join(f"        {line}\n" for line in lines.split("\n"))
    source = f"class A(ArchitectureAdapter):\n    def __init__(self, cfg):\n{body}{after}"
    return read_old(ast.parse(source), "A", load("4.3.0")[0])


SET = {
    "cfg.x = 1": {"x": "1"},
    "self.cfg.x: int = 2": {"x": "2"},
    "self.cfg.x = cfg.y = z = 3": {"x": "3", "y": "3"},
    "self.cfg.x, (cfg.y, z) = 1, (2, 3)": {"x": "1", "y": "2"},
    "self.cfg.x, *cfg.y = sizes()": {"x": "of sizes()", "y": "of sizes()"},
    "self.cfg.x += 2": {"x": "self.cfg.x + 2"},
    "for self.cfg.x in (1, 2): pass": {"x": "each of (1, 2)"},
    "with open(p) as cfg.x: pass": {"x": "open(p)"},
    "c = self.cfg\nc.x = 4": {"x": "4"},
    "setattr(cfg, 'x', 5)": {"x": "5"},
    "if a:\n    cfg.x = 1\nelse:\n    cfg.x = 2": {"x": "1 or 2"},
    "y = cfg.x\nself.cfg = cfg": {},
}  # fmt: skip


@pytest.mark.parametrize("lines", SET)
def test_every_way_to_set_an_attribute_of_cfg_is_read(lines: str) -> None:
    assert old(lines).settings == SET[lines]
    assert old(lines).unread == ()


def test_what_a_function_of_the_module_sets_is_read() -> None:
    assert old("more(cfg)", "def more(cfg):\n    cfg.x = 1\n").settings == {"x": "1"}


@pytest.mark.parametrize("line", [
    "self.component_mapping['probe'] = B(name='x')",
    "self.component_mapping.update(probe=B(name='x'))",
    "self.component_mapping |= more",
    "self.component_mapping['blocks'].submodules['x'] = B()",
    "blocks.submodules.pop('x')",
    "blocks.submodules = {}",
    "del self.component_mapping['blocks']",
    "mapping = self.component_mapping",
    "self._more(self.component_mapping)",
    "setattr(blocks, 'submodules', {})",
    "getattr(blocks, 'submodules')['x'] = B()",
    "self.component_mapping['attn'].hook_aliases['x'] = 'y'",
    "setattr(self.cfg, name, 1)",
    "vars(self.cfg)['x'] = 1",
    "self.cfg.__dict__.update(x=1)",
    "cfg.rope['x'] = 1",
    "cfg.layers.append('x')",
    "del cfg.x",
])  # fmt: skip
def test_what_else_changes_cfg_or_components_is_unread(line: str) -> None:
    assert old(line).unread == (f"line 3: `{line}`",)


@pytest.mark.parametrize("line", [
    "blocks = self.component_mapping['blocks']",
    "blocks = self.component_mapping.get('blocks')",
    "reserved = set(self.component_mapping.keys()) if self.component_mapping else set()",
    "assert blocks.submodules is not None",
    "found = [name for name in blocks.submodules if 'x' in self.component_mapping]",
    "self.weights[f'{self.cfg.x}'] = cfg.y.get('z')",
])  # fmt: skip
def test_what_only_reads_is_none_of_it(line: str) -> None:
    assert (old(line).unread, old(line).settings) == ((), {})


def test_members_and_names_are_read_of_every_binding() -> None:
    made = old(
        "pass",
        "    a = b = 1\n    c, d = 1, 2\n    e: int\n    async def f(self): ...\ng = h = 1\n",
    )
    assert made.members == set("abcdef") | {"__init__"} and made.names == {"A", "g", "h"}


def test_nothing_of_an_old_adapter_goes_unlisted(
    upstream: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacement, "find_spec", lambda name: None)
    file = upstream / OLD
    text = file.read_text(encoding="utf-8")
    place = "        super().__init__(cfg)\n"
    assert text.count(place) == 1
    more = "cfg.probed = 1", "self.component_mapping['probe'] = None"
    text = text.replace(place, place + "".join(f"        {line}\n" for line in more))
    file.write_text(text, encoding="utf-8", newline="")
    git(upstream, "commit", "--quiet", "--all", "--message=more")
    done = run("export", NEMOTRON, "--into", upstream, "--dry-run", "--replace")
    assert done.code == 0, done.err
    assert "removed: config attribute probed = 1 -> nothing" in done.err
    assert "not clear from the old source, " in done.err and f"`{more[1]}`" in done.err


USE = {
    "from its module": (f"from {PACKAGE}.nemotron_h import NAME as N", "N"),
    "from the package": (f"from {PACKAGE} import NAME", "NAME"),
    "relative": ("from .nemotron_h import NAME", "NAME"),
    "relative, of the package": ("from ..supported_architectures import NAME", "NAME"),
    "the module from the package": (f"from {PACKAGE} import nemotron_h as n", "n.NAME"),
    "the module, relative": ("from . import nemotron_h", "nemotron_h.NAME"),
    "the module": (f"import {PACKAGE}.nemotron_h", f"{PACKAGE}.nemotron_h.NAME"),
    "the package": (f"import {PACKAGE} as known", "known.NAME"),
    "a part of the path": ("import transformer_lens", f"{PACKAGE}.nemotron_h.NAME"),
    "all": (f"from {PACKAGE}.nemotron_h import *", "NAME"),
}
GOES = {"class B({}):\n    pass\n": "NemotronHArchitectureAdapter", "x = {}()\n": "_make_optional"}


@pytest.mark.parametrize("use", GOES)
def test_who_needs_what_goes_is_seen_however_it_is_imported(
    use: str, upstream: Path, run: Run
) -> None:
    files = {}
    for number, (line, name) in enumerate(USE.values()):
        path = f"{ADAPTERS}/user_{number}.py"
        source = f"import os\n{line}\n{use.format(name)}".replace("NAME", GOES[use])
        (upstream / path).write_text(source, encoding="utf-8")
        files[path] = line
    git(upstream, "add", "--all")
    git(upstream, "commit", "--quiet", "--message=users")
    before = content(upstream)
    done = run("export", NEMOTRON, "--into", upstream, "--no-check", "--replace")
    assert done.code == 2 and content(upstream) == before
    missed = [line for path, line in files.items()
              if f"{path}:2:1: error[adapter-in-use]: `{GOES[use]}`" not in done.err]  # fmt: skip
    assert not missed, done.err


def test_who_only_names_the_adapter_gets_the_new_one(upstream: Path, run: Run) -> None:
    for number, (line, name) in enumerate(USE.values()):
        source = f"{line}\nx = {name}\n".replace("NAME", "NemotronHArchitectureAdapter")
        (upstream / f"{ADAPTERS}/user_{number}.py").write_text(source, encoding="utf-8")
    git(upstream, "add", "--all")
    git(upstream, "commit", "--quiet", "--message=users")
    done = run("export", NEMOTRON, "--into", upstream, "--dry-run", "--replace")
    assert done.code == 0, done.err
    told = [line for line in done.err.splitlines() if line.startswith("uses the new adapter")]
    assert sum(f"{ADAPTERS}/user_" in line for line in told) >= len(USE) - 2

"""Blocks are TransformerLens' own class, or one made of it where their aliases differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptergen.contract.tables import AdapterTables
from adaptergen.generate import plan
from adaptergen.render.adapter import render_adapter
from adaptergen.render.tables import adapter_tables
from adaptergen.render.templates import format_python

HELIUM = (Path(__file__).parents[2] / "specs" / "helium.yaml").read_text()
OFF = "{contract: {is: absent, reason: there is no such stream}}"


def made(folder: Path, old: str = "", new: str = "") -> tuple[str, AdapterTables]:
    """The adapter of a spec with one change, and its tables."""
    path = folder / "helium.yaml"
    path.write_text(HELIUM.replace(old, new, 1) if old else HELIUM)
    found = plan(path)
    return format_python(render_adapter(found)), adapter_tables(found)


def test_the_class_of_transformer_lens_where_nothing_differs(tmp_path: Path) -> None:
    adapter, tables = made(tmp_path)
    assert '"blocks": BlockBridge(' in adapter
    assert tables.aliases["hook_resid_mid"] == "ln2.hook_in"


@pytest.mark.parametrize(
    ("given", "emitted", "leads"),
    [
        ("aliases: {hook_resid_mid: mlp.hook_in}", '{"hook_resid_mid": ["mlp.hook_in"]}',
         "mlp.hook_in"),
        ("aliases: {hook_resid_mid: [mlp.hook_in, hook_in]}",
         '{"hook_resid_mid": ["mlp.hook_in", "hook_in"]}', "mlp.hook_in hook_in"),
        (f"hooks: {{hook_resid_mid: {OFF}}}", '{"hook_resid_mid": []}', None),
    ],
)  # fmt: skip
def test_an_alias_of_the_spec(tmp_path: Path, given: str, emitted: str, leads: str | None) -> None:
    adapter, tables = made(tmp_path, "  path: model.layers\n", f"  path: model.layers\n  {given}\n")
    assert f"aliases={emitted}" in adapter
    assert tables.aliases.get("hook_resid_mid") == leads


def test_an_alias_of_the_class_that_leads_nowhere(tmp_path: Path) -> None:
    """TransformerLens would refuse a block without its second norm."""
    norm = next(line for line in HELIUM.splitlines(True) if line.startswith("    ln2:"))
    adapter, tables = made(tmp_path, norm, "")
    assert "blocks_with_kinds(\n" in adapter and "aliases=" not in adapter
    assert "hook_resid_mid" not in tables.aliases

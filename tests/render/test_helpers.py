"""Adapters call inherited methods where these make exactly what the plan says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from adaptergen.catalogue.store import load
from adaptergen.generate import plan
from adaptergen.render.adapter import render_adapter
from adaptergen.render.templates import format_python

SPECS = Path(__file__).parents[2] / "specs"
HELIUM = (SPECS / "helium.yaml").read_text()


def adapter(folder: Path, text: str = HELIUM, release: str | None = None) -> str:
    """The adapter of a spec, with the methods that a release of TransformerLens has."""
    path = folder / "helium.yaml"
    path.write_text(text)
    catalogue = replace(load()[0], adapter_helpers=load(release)[0].adapter_helpers)
    return format_python(render_adapter(plan(path, catalogue)))


def test_what_the_base_class_makes(tmp_path: Path) -> None:
    made = adapter(tmp_path)
    assert "_attention_bridge_cls = HFRotaryAttentionBridge\n" in made
    assert '"attn": self._qkvo_attention_bridge(),' in made
    assert '"mlp": self._gated_mlp(),' in made
    assert "self._set_rms_rotary_defaults()\n        self.cfg.rotary_adjacent_pairs = True" in made
    assert "LinearBridge" not in made


def test_an_older_release_lacks_some(tmp_path: Path) -> None:
    made = adapter(tmp_path, release="3.6.0")
    assert "HFRotaryAttentionBridge(" in made and "_attention_bridge_cls" not in made
    assert '"mlp": self._gated_mlp(),' in made and "self._set_rms_rotary_defaults()" in made


@pytest.mark.parametrize(
    ("old", "new", "expected", "missing"),
    [
        ("path: mlp}", "path: ffn, with: {up: u}}", '_gated_mlp(name="ffn", up="u")', "GatedMLP"),
        ("path: self_attn}", "path: attn}", "HFRotaryAttentionBridge(", "_qkvo_attention"),
        ("{shape: rotary_attention, path: self_attn}",
         "{shape: rotary_attention, path: self_attn, with: {output: out}}",
         "HFRotaryAttentionBridge(", "_qkvo_attention"),
        ("final_rms: true", "final_rms: false", "_defaults(final_rms=False)", "cfg.final_rms"),
        ("    normalization_type: RMS", "    normalization_type: LN", '_type = "LN"', "_defaults("),
        ("    gated_mlp: true", "    attn_only: true", "cfg.attn_only = True", "_defaults("),
    ],
)  # fmt: skip
def test_what_differs(tmp_path: Path, old: str, new: str, expected: str, missing: str) -> None:
    assert old in HELIUM
    made = adapter(tmp_path, HELIUM.replace(old, new))
    assert expected in made and missing not in made

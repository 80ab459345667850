"""A release that passes the cache by another name, as transformers 5.24 does.

Attention is that of Hugging Face, so nothing depends on the name.
"""

from __future__ import annotations

import inspect
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adaptergen import resources
from adaptergen.spec.load import load_shape

sys.path.insert(0, str(Path(__file__).parent))
from hybrid_support import pretend

pytestmark = pytest.mark.heavy

Run = Callable[..., tuple[int, str, str]]

LOCK = Path("specs/helium.lock.json")


@pytest.fixture
def spec_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The spec of Helium in the working directory, without a lock."""
    shutil.copytree(resources.specs(), tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    load_shape.cache_clear()
    # Newer releases that are locked may do so already.
    LOCK.unlink()
    return Path("specs/helium.yaml")


def rename(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have HF pass the cache to its attention as `cache`."""
    from transformers.models.helium import modeling_helium as module

    layer, attention = module.HeliumDecoderLayer, module.HeliumAttention
    if "cache" in inspect.signature(attention.forward).parameters:
        pytest.skip("this release of transformers does so by itself")
    for owner, old, new in (
        (layer, "past_key_values=past_key_values", "cache=past_key_values"),
        (attention, "past_key_values", "cache"),
    ):
        text = textwrap.dedent(inspect.getsource(owner.forward))
        assert old in text
        names: dict[str, Any] = {}
        exec(text.replace(old, new), vars(module), names)
        monkeypatch.setattr(owner, "forward", names["forward"])


def test_it_is_found_and_breaks_nothing(
    spec_file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("lock", spec_file)[0] == 0
    spec = spec_file.read_bytes()
    rename(monkeypatch)
    pretend("5.99.0", monkeypatch)
    code, out, err = run("drift", spec_file)
    assert code == 0, out + err
    assert "benign: layer (layers 0, 1): `self_attn`: the name of an argument changed" in out
    assert "5.99.0: 0 breaking, 0 silent, 1 benign" in out
    # A decode step that did not find the cache would not be HF's.
    code, out, err = run("update", spec_file, "--write")
    assert code == 0 and "Fine: all as promised" in out, out + err
    changed = spec_file.read_bytes()
    assert changed != spec and b"5.99.0]" in changed
    shape = Path("specs/shapes/rotary_attention.yaml")
    assert shape.read_bytes() == (resources.shapes() / "rotary_attention.yaml").read_bytes()

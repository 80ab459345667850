"""A release that passes the cache by another name than the bridge of attention reads.

Transformers 5.24 is one: nothing raises, prompts are right, and each decode step is as if there
was no cache.
"""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adaptergen import resources
from adaptergen.spec.load import load_shape

pytestmark = pytest.mark.heavy

Run = Callable[..., tuple[int, str, str]]

RENAMED = "renamed_arguments: {cache: past_key_values}\n"
LOCK = Path("specs/helium.lock.json")


@pytest.fixture
def spec_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The spec of Helium in the working directory, as it was before there was such a release."""
    shutil.copytree(resources.specs(), tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    load_shape.cache_clear()
    shape = Path("specs/shapes/rotary_attention.yaml")
    text = shape.read_text("utf-8")
    assert RENAMED in text
    shape.write_text(text.replace(RENAMED, ""), encoding="utf-8")
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


def test_it_is_found_and_mended(spec_file: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    assert run("lock", spec_file)[0] == 0
    lock, spec = LOCK.read_bytes(), spec_file.read_bytes()
    rename(monkeypatch)
    monkeypatch.setattr(transformers, "__version__", "5.99.0")
    code, out, err = run("drift", spec_file)
    assert code == 1, err
    assert "breaking: the adapter cannot be used: its logits are not HF's in a decode step" in out
    assert "`self_attn`: an argument is called `cache` now, `past_key_values` before" in out
    place = "specs/shapes/rotary_attention.yaml:5: if PositionEmbeddingsAttentionBridge reads"
    assert f"{place} `past_key_values`, add `{RENAMED.strip()}` here" in out
    code, _, err = run("lock", spec_file)
    assert code == 2 and "error[hf-forward]" in err and "adaptergen verify" in err
    assert LOCK.read_bytes() == lock
    code, out, err = run("update", spec_file)
    assert code == 1 and f"+{RENAMED}" in out and spec_file.read_bytes() == spec
    code, out, err = run("update", spec_file, "--write")
    assert code == 0 and "Fine: all as promised" in out, out + err
    shape = Path("specs/shapes/rotary_attention.yaml").read_text("utf-8")
    assert shape == (resources.shapes() / "rotary_attention.yaml").read_text("utf-8")
    assert "5.99.0]" in spec_file.read_text("utf-8")

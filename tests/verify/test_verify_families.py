"""Families that are not among the specs, written with the shapes there are and one of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
from verify_support import Project, Result

from adaptergen.cli import main

FAMILIES = Path(__file__).parent / "families"

pytestmark = [pytest.mark.heavy, pytest.mark.slow]


@pytest.fixture
def family(project: Project) -> Project:
    """The specs, with those of these families beside them."""
    copytree(FAMILIES, project.folder, dirs_exist_ok=True)
    return project


@pytest.mark.parametrize("name", ["cohere", "dots1", "gemma2", "lfm2", "lfm2_moe", "qwen3_next"])
def test_all_is_as_promised(family: Project, run: Callable[..., Result], name: str) -> None:
    """Experts, norms of heads and after parts, convolutions, delta nets, kinds of two sorts."""
    result = run(family.folder / f"{name}.yaml")
    assert result.code == 0, result.out
    assert (
        "parity      0 from HF: plain, run_with_cache, run_with_cache_uncached, with_cache"
        in result.out
    )


def test_a_hook_on_another_argument_of_the_recurrence(
    family: Project, run: Callable[..., Result]
) -> None:
    """Queries and keys have one shape, and only the delta rule tells them apart."""
    names = ["torch_chunk_gated_delta_rule", "torch_recurrent_gated_delta_rule"]
    family.change(
        "shapes/delta_net.yaml", "taps", to={"hook_q": {"function": names, "argument": 1}}
    )
    result = run(family.folder / "qwen3_next.yaml")
    assert result.code == 1
    rule = "delta rule: the hook is not what the delta rule makes of the other hooks"
    assert rule in result.out
    # The state depends on keys and values, and not on queries.
    assert "what leads to the state" not in result.out


@pytest.mark.parametrize("name", ["lfm2", "lfm2_moe"])
def test_emitted_tests_where_kinds_have_different_slots(
    family: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A kind with attention and one without in one block: neither has names of the other's."""
    monkeypatch.chdir(family.folder.parent)
    assert main(["build", f"specs/{name}.yaml"]) == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"generated/{name}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "did not resolve" not in done.stdout


def test_an_activation_that_is_not_told(family: Project, run: Callable[..., Result]) -> None:
    """TransformerLens takes another one for MLPs that it computes itself."""
    family.change("lfm2.yaml", "config", "flags", "act_fn")
    result = run(family.folder / "lfm2.yaml")
    assert result.code == 1
    assert "1 finding on 1 model" in result.out
    assert "weights: predictions in compatibility mode are not HF's" in result.out
    assert "write their activation here, `flags: {act_fn: silu}`" in result.out


def test_what_is_wrong_in_all_kinds_is_told_once(
    family: Project, run: Callable[..., Result]
) -> None:
    attention = ("blocks", "submodules", "attn", "add")
    family.change("dots1.yaml", *attention, "k_norm", to={"shape": "rms_norm", "path": "k_norm"})
    result = run(family.folder / "dots1.yaml")
    assert result.code == 1
    assert result.out.count("attn.k_norm.hook_scale has not the shape [batch, pos, 1]") == 1
    assert "where: layers 0, 1, 2; dense, moe; attn.k_norm.hook_scale; default" in result.out
    # Four hooks of the norm, and its weight before and after it.
    assert "6 findings on 1 model" in result.out

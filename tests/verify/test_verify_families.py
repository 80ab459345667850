"""Families that are not among the specs: written with the shapes there are, and one of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
from verify_support import Project, Result

FAMILIES = Path(__file__).parent / "families"

pytestmark = [pytest.mark.heavy, pytest.mark.slow]


@pytest.fixture
def family(project: Project) -> Project:
    """The specs, with those of these families beside them."""
    copytree(FAMILIES, project.folder, dirs_exist_ok=True)
    return project


def test_dots1_has_a_norm_for_each_head(family: Project, run: Callable[..., Result]) -> None:
    result = run(family.folder / "dots1.yaml")
    assert result.code == 0, result.out
    assert "parity      0 from HF: plain, with_cache" in result.out


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

"""The committed measurements: whole, on every release the spec names, and shown as they are."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


@pytest.fixture(scope="module")
def run() -> Any:
    sys.path.insert(0, str(HERE))
    try:
        spec = importlib.util.spec_from_file_location("matrix_run", HERE / "run.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(HERE))
    return module


@pytest.fixture(scope="module")
def data(run: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(run.DATA.read_text(encoding="utf-8"))
    return made


def test_page_is_made_of_the_data(run: Any, data: dict[str, Any]) -> None:
    assert run.PAGE.read_text(encoding="utf-8") == run.page(data), "stale: run `make matrix`"


def test_releases_are_those_the_spec_is_verified_with(run: Any, data: dict[str, Any]) -> None:
    spec = YAML(typ="safe").load(PROJECT / "specs" / "nemotron_h.yaml")
    assert list(data["releases"]) == spec["verified_with"]["transformers"] == list(run.RELEASES)
    assert [data["versions"]["transformer-lens"]] == spec["verified_with"]["transformer_lens"]


def test_ours_holds_what_it_states_on_each(data: dict[str, Any]) -> None:
    for release, measured in data["releases"].items():
        ours = measured["ours"]
        assert ours["tests"]["failed"] == 0 < ours["tests"]["passed"], release
        for branch in ("default", "latent_experts"):
            made = ours[branch]
            assert made["boots"] and made["dimensions"], release
            assert made["parity"] == 0, release
            assert (made["generation"], made["analyses"]) == (9, 2), release
            assert made["hooks"]["undeclared"] == 0, release

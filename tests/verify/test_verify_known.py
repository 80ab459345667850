"""Configurations that come with adaptergen, and a user's. Needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from verify_support import SPEC

from adaptergen.generate import plan
from adaptergen.verify.known import BadInput, configs

ARCHITECTURE = "NemotronHForCausalLM"


def test_every_checkpoint_of_the_spec_is_known() -> None:
    assert {known.name for known in configs(ARCHITECTURE, [])} == set(plan(SPEC).spec.checkpoints)


@pytest.mark.parametrize("as_folder", [True, False])
def test_one_of_the_user(tmp_path: Path, as_folder: bool) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"architectures": ["Other"], "hidden_size": 8}))
    (known,) = configs("Other", [tmp_path if as_folder else path])
    assert known.fields["hidden_size"] == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "holds no object"),
        ('{"architectures": ["Other"]}', "is of `Other`"),
        ("{}", "is of ``"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput, match=message) as raised:
        configs(ARCHITECTURE, [path])
    assert raised.value.hint


def test_an_architecture_without_any() -> None:
    with pytest.raises(BadInput, match="no configuration of Unheard"):
        configs("Unheard", [])

"""Configurations that come with adaptergen, and a user's. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from verify_support import SPEC, Result

from adaptergen.cli import main
from adaptergen.generate import plan
from adaptergen.problems import InputError
from adaptergen.verify.environment import configs

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
    with pytest.raises(InputError, match=message) as raised:
        configs(ARCHITECTURE, [path])
    assert raised.value.hint


def test_an_architecture_without_any() -> None:
    with pytest.raises(InputError, match="no configuration of Unheard"):
        configs("Unheard", [])


def test_numbers_that_json_does_not_have(tmp_path: Path) -> None:
    tagged = {"limit": [0.0, {"__float__": "Infinity"}], "odd": {"__float__": "7"}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"architectures": ["Other"], **tagged}))
    (known,) = configs("Other", [path])
    assert known.fields["limit"] == [0.0, float("inf")]
    assert known.fields["odd"] == {"__float__": "7"}


@pytest.mark.heavy
def test_a_folder_that_transformers_saved(
    tmp_path: Path, saved_config: Callable[..., Any], run: Callable[..., Result]
) -> None:
    saved_config("float32").config.save_pretrained(tmp_path)
    fields = json.loads((tmp_path / "config.json").read_text())
    # As newer releases write it.
    fields |= {"architectures": [ARCHITECTURE], "time_step_limit": [0.0, {"__float__": "Infinity"}]}
    (tmp_path / "config.json").write_text(json.dumps(fields))
    result = run(SPEC, "--tier", "full", "--config", tmp_path)
    assert result.code == 0, result.out + result.err
    assert main(["inspect", str(tmp_path)]) == 0

"""`replaces` in the spec: every hook of the installed adapter that goes, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from nemotron_h_support import PROJECT, fresh, installed, prompt, torch
from ruamel.yaml import YAML

# Every kind of layer first and last, and the two forms of a mixture of experts.
MODELS = [
    {"hybrid_override_pattern": "M*E-M"},
    {"hybrid_override_pattern": "-E*M"},
    {"hybrid_override_pattern": "M*E-", "moe_latent_size": None},
]


@pytest.fixture(scope="module")
def replaces() -> dict[str, str | None]:
    text = (PROJECT / "specs" / "nemotron_h.yaml").read_text(encoding="utf-8")
    made: dict[str, str | None] = YAML(typ="safe").load(text)["replaces"]
    return made


def within_layer(name: str) -> str:
    return name.split(".", 2)[2] if name.startswith("blocks.") else name


@pytest.mark.parametrize("config", MODELS, ids=lambda config: config["hybrid_override_pattern"])
def test_lists_exactly_what_goes(config: dict[str, Any], replaces: dict[str, str | None]) -> None:
    bridge, theirs = fresh(**config), fresh(installed, **config)
    missing = theirs.hook_dict.keys() - bridge.hook_dict.keys()
    assert {within_layer(name) for name in missing} == set(replaces)

    # What serves instead holds the same tensor, and what nothing serves for never fired.
    with torch.no_grad():
        _, cache = bridge.run_with_cache(prompt(9))
        _, before = theirs.run_with_cache(prompt(9))
    for name in missing:
        serves = replaces[within_layer(name)]
        if serves is None:
            assert name not in before
        else:
            layer = ".".join(name.split(".")[:2])
            assert torch.equal(cache[f"{layer}.{serves}"], before[name])

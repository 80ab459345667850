"""What a plan promises under a config and a release of transformers. Needs no torch."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from verify_support import SPEC

from adaptergen.contract.tables import holds, hooks_of_model, is_met
from adaptergen.generate import plan
from adaptergen.render.tables import adapter_tables

KINDS = ("linear_attention", "moe")
LATENT = "blocks.1.mlp.latent_in.hook_out"


def states(release: str, latent: int | None = None) -> dict[str, str]:
    config = SimpleNamespace(moe_latent_size=latent)
    tables = adapter_tables(plan(SPEC))
    return {hook.name: hook.state for hook in hooks_of_model(tables, KINDS, config, release, {})}


@pytest.mark.parametrize(
    ("release", "indices", "conv"),
    [
        ("5.12.1", "silent", "silent_in_decode"),
        ("5.13.0", "live", "silent_in_decode"),
        ("5.17.0", "live", "live"),
        ("5.23.0", "live", "live"),
    ],
)
def test_exceptions_hold_in_their_releases(release: str, indices: str, conv: str) -> None:
    found = states(release)
    # By a tap on the product with the weight, whatever the router returns.
    assert found["blocks.1.mlp.gate.hook_out"] == "live"
    assert found["blocks.1.mlp.gate.hook_expert_indices"] == indices
    assert found["blocks.0.mixer.conv1d.hook_in"] == conv
    assert found["blocks.0.mixer.hook_ssm_state"] == "on_request"


def test_conditions_follow_the_config() -> None:
    assert LATENT in states("5.23.0", latent=16)
    assert LATENT not in states("5.23.0")
    config = SimpleNamespace(rank=None)
    assert is_met("not rank", config)
    assert not is_met("rank", config)
    assert not is_met("absent", config)


@pytest.mark.parametrize("value", [True, False, 0, 2, 0.5, "rope", "it's a == 'b'"])
def test_a_condition_by_value(value: object) -> None:
    config = SimpleNamespace(rank=value)
    assert is_met(f"rank == {value!r}", config) and not is_met(f"rank != {value!r}", config)
    assert not is_met("rank == 'none'", config) and is_met("rank != 'none'", config)
    assert is_met("absent != 0", config) and not is_met("absent == 0", config)


@pytest.mark.parametrize(
    ("releases", "release", "expected"),
    [
        ("", "5.23.0", True),
        ("<5.13", "5.12.1", True),
        ("<5.13", "5.13.0", False),
        (">=5.13", "5.24.0.dev0", True),
        (">=5.13,<5.17", "5.17.0", False),
    ],
)
def test_releases(releases: str, release: str, expected: bool) -> None:
    assert holds(releases, release) is expected

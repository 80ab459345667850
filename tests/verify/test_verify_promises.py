"""What a plan promises under a config and a release of transformers. Needs no torch."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from verify_support import SPEC

from adaptergen.generate import plan
from adaptergen.plan.node import Condition
from adaptergen.verify.promises import holds, is_met, promises

KINDS = ["linear_attention", "moe"]
LATENT = "blocks.1.mlp.latent_in.hook_out"


def states(release: str, latent: int | None = None) -> dict[str, str]:
    config = SimpleNamespace(moe_latent_size=latent)
    return {p.name: p.state for p in promises(plan(SPEC), KINDS, config, release)}


@pytest.mark.parametrize(
    ("release", "logits", "indices", "conv"),
    [
        ("5.12.1", "live", "silent", "silent_in_decode"),
        ("5.13.0", "read_only", "live", "silent_in_decode"),
        ("5.17.0", "read_only", "live", "live"),
        ("5.23.0", "read_only", "live", "live"),
    ],
)
def test_exceptions_hold_in_their_releases(
    release: str, logits: str, indices: str, conv: str
) -> None:
    found = states(release)
    assert found["blocks.1.mlp.gate.hook_out"] == logits
    assert found["blocks.1.mlp.gate.hook_expert_indices"] == indices
    assert found["blocks.0.mixer.conv1d.hook_in"] == conv
    assert found["blocks.0.mixer.hook_ssm_state"] == "on_request"


def test_conditions_follow_the_config() -> None:
    assert LATENT in states("5.23.0", latent=16)
    assert LATENT not in states("5.23.0")
    config = SimpleNamespace(rank=None)
    assert is_met(Condition("rank", False), config)
    assert not is_met(Condition("rank", True), config)
    assert not is_met(Condition("absent", True), config)


@pytest.mark.parametrize(
    ("releases", "release", "expected"),
    [
        (None, "5.23.0", True),
        ("<5.13", "5.12.1", True),
        ("<5.13", "5.13.0", False),
        (">=5.13", "5.24.0.dev0", True),
        (">=5.13,<5.17", "5.17.0", False),
    ],
)
def test_releases(releases: str | None, release: str, expected: bool) -> None:
    assert holds(releases, release) is expected

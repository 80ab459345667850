"""Adapters that TransformerLens has and that are replaced: what is removed, and replacements."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest_export import (
    ADAPTERS,
    FACTORY,
    NEMOTRON,
    PROJECT,
    REGISTRY,
    REPORT,
    Result,
    changed,
    content,
)

from adaptergen.export import replacement

Run = Callable[..., Result]
DEEPSEEK = PROJECT / "specs" / "deepseek_v3.yaml"


def test_a_replacement_reports_all_that_is_removed(upstream: Path, run: Run) -> None:
    before = content(upstream)
    refused = run("export", NEMOTRON, "--into", upstream, "--no-check")
    assert refused.code == 2 and "error[adapter-exists]" in refused.err
    assert "--replace" in refused.err and content(upstream) == before
    done = run("export", NEMOTRON, "--into", upstream, "--no-check", "--replace")
    assert done.code == 0
    told = [line for line in done.err.splitlines() if line.startswith("removed: ")]
    assert all(" -> " in line for line in told)
    others = "full_attention layers, moe layers, mlp layers"
    for line in (
        f"removed: hook on {others} `mixer.hook_out` -> `hook_mixer_out`",
        "removed: config attribute conv_dim = conv_dim -> that of the wrapped model",
        "removed: config attribute gated_mlp = False -> its default, False",
        "removed: member applicable_phases -> what the base class has",
        "removed: name _make_optional -> nothing",
    ):
        assert line in told
    old = before["tests/integration/model_bridge/test_nemotron_h_tiny.py"].decode()
    tests = [line.split("(")[0].split()[1] for line in old.splitlines() if " def test_" in line]
    assert tests and all(any(f"::{name} " in line for line in told) for name in tests)
    instead = dict(
        line.partition("::")[2].split(" -> ") for line in told if "removed: test" in line
    )
    assert instead["TestNemotronHGuards::test_conv_dim_formula"] == (
        "`TestNemotronHArchitectureAdapter` (read `conv_dim`)"
    )
    assert instead["TestNemotronHAdapterConfig::test_gated_mlp_false"] == (
        "no test reads `gated_mlp`"
    )
    # What stays serves too.
    author = instead["TestNemotronHModelRegistry::test_canonical_author_is_nvidia"]
    assert author.startswith("`TestRegistrySyncedWithFactory::")
    # What was there already is not there twice, and the rows that have scores are as they were.
    made = changed(upstream, before)
    assert FACTORY not in made and REGISTRY not in made
    assert made[REPORT][1] == [] and len(made[REPORT][0]) == 1


def test_what_others_build_on_is_not_replaced(upstream: Path, run: Run) -> None:
    before = content(upstream)
    done = run(
        "export",
        PROJECT / "specs" / "deepseek_v2.yaml",
        "--into",
        upstream,
        "--no-check",
        "--replace",
    )
    assert done.code == 2 and content(upstream) == before
    for user in ("glm4_moe_lite", "youtu"):
        assert f"{ADAPTERS}/{user}.py:" in done.err
    assert "error[adapter-in-use]" in done.err


def told_of(upstream: Path, run: Run) -> list[str]:
    done = run("export", DEEPSEEK, "--into", upstream, "--dry-run", "--replace")
    assert done.code == 0, done.err
    return [line for line in done.err.splitlines() if line.startswith(("removed: ", "not clear"))]


@pytest.mark.heavy
def test_what_reading_does_not_tell_is_seen_by_running_the_old_adapter(
    upstream: Path, run: Run
) -> None:
    told = told_of(upstream, run)
    assert "removed: hook `rotary_emb.hook_out` -> nothing" in told
    assert "removed: hook on moe layers `mlp.hook_pre` -> nothing" in told
    # TransformerLens itself has these, whatever the adapter.
    assert not any("`hook_embed`" in line or "d_vocab_out" in line for line in told)
    base = "what `DeepSeekMLAFamilyArchitectureAdapter` hands down"
    assert told[-1] == f"not clear from the old source, observed by running it: line 15: {base}"


def test_what_can_be_neither_read_nor_run_is_named(
    upstream: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = "line 15: what `DeepSeekMLAFamilyArchitectureAdapter` hands down"
    with monkeypatch.context() as patch:
        patch.setattr(replacement, "find_spec", lambda name: None)
        last = told_of(upstream, run)[-1]
    reason = "torch, transformers not installed"
    assert last == f"not clear from the old source, not observed either, {reason}: {base}"
    # Whether they are installed or not.
    monkeypatch.setattr(replacement, "find_spec", lambda name: name)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    last = told_of(upstream, run)[-1]
    reason = "it does not run here: no message"
    assert last == f"not clear from the old source, not observed either, {reason}: {base}"

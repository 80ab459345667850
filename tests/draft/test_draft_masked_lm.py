"""Models that fill in masks: bridged, drafted and verified without generation, which they lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.heavy

NAME = "BertForMaskedLM"


@pytest.fixture(scope="module")
def drafted() -> tuple[Any, Any]:
    """A small model, and its draft with measured contracts."""
    from adaptergen.draft.draft import measured_draft, small_model
    from adaptergen.inspection.target import Target, load_class

    model, settings = small_model(load_class(Target(NAME)), {})
    return model, measured_draft(model, settings)


def test_a_folder_with_a_checkpoint_is_bridged(drafted: tuple[Any, Any], tmp_path: Path) -> None:
    import torch

    import adaptergen
    from adaptergen.inspection.runs import tokens

    model, _ = drafted
    model.save_pretrained(tmp_path)
    bridge = adaptergen.bridge(tmp_path)
    ids = tokens(model)
    with torch.no_grad():
        plain = bridge(ids)
        assert torch.equal(plain, model(input_ids=ids).logits)
    names = [name for name in bridge.hook_dict if name.endswith("attn.self.hook_pattern")]
    assert len(names) == bridge.cfg.n_layers
    for name in names:
        edited = bridge.run_with_hooks(ids, fwd_hooks=[(name, lambda t, hook: t.flip(-1))])
        assert not torch.equal(edited, plain)
    with pytest.raises(NotImplementedError, match="generation is not supported"):
        bridge.generate(ids)


def test_the_draft_says_what_an_encoder_is(drafted: tuple[Any, Any]) -> None:
    _, draft = drafted
    config = draft.data["config"]
    assert draft.data["name"] == "Bert" and not draft.data["tiny"]["config"].get("is_decoder")
    assert config["flags"]["attention_dir"] == "bidirectional"
    assert config["adapter"]["supports_generation"] is False


def test_verify_checks_all_but_generation(drafted: tuple[Any, Any]) -> None:
    from adaptergen.contract.checks import CHECKS, checks_of_branch
    from adaptergen.render.adapter import render_adapter
    from adaptergen.verify import tiers
    from adaptergen.verify.target import make_target

    _, draft = drafted
    target = make_target(draft.plan, render_adapter(draft.plan))
    (report,) = tiers.tiny(target)
    assert not report.findings and not report.generation
    assert report.parity["plain"] == report.parity["run_with_cache"] == 0
    left_out = {check.name for check in CHECKS} - checks_of_branch(target.tables, "default").keys()
    assert {"hf itself", "generation", "decode", "tokens of a call"} <= left_out
    assert not {"parity", "edits", "training", "isolation"} & left_out


def test_a_spec_that_promises_generation_is_told_so(drafted: tuple[Any, Any]) -> None:
    from dataclasses import replace

    from adaptergen.contract.checks_model import check_fields
    from adaptergen.render.tables import adapter_tables

    tables = adapter_tables(drafted[1].plan)
    assert not list(check_fields(tables))
    (found,) = check_fields(replace(tables, generates=True))
    assert found.what == f"`{NAME}` has no `generate`"
    assert "supports_generation: false" in found.mend

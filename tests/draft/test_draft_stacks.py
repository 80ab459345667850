"""Models with several lists of layers: each list is bound, and its hooks are live and editable."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.heavy


def drafted(name: str) -> tuple[Any, Any]:
    """A small model of a class, and its draft."""
    from adaptergen.draft.draft import draft_of, small_model
    from adaptergen.inspection.target import Target, load_class

    model, settings = small_model(load_class(Target(name)), {})
    return model, draft_of(model, settings)


def test_an_encoder_is_a_list_of_layers_beside_the_blocks() -> None:
    import copy

    import torch

    from adaptergen.draft.draft import bind
    from adaptergen.inspection.runs import forward, tokens

    model, draft = drafted("BartForConditionalGeneration")
    encoder = draft.data["components"]["encoder_blocks"]
    assert (encoder["shape"], encoder["path"]) == ("layer", "model.encoder.layers")
    assert {"attn", "fc1", "fc2"} <= encoder["add"].keys()
    assert {"self_attn", "encoder_attn"} <= draft.data["blocks"]["submodules"].keys()
    bridge, ids = bind(copy.deepcopy(model), draft.plan), tokens(model)
    with torch.no_grad():
        plain = bridge(ids, decoder_input_ids=ids)
        assert torch.equal(plain, forward(model, ids).logits)
    layers = range(model.config.encoder_layers)
    for name in (
        *(f"encoder_blocks.{i}.hook_{end}" for i in layers for end in ("resid_pre", "resid_post")),
        *(f"encoder_blocks.{i}.attn.hook_pattern" for i in layers),
        *(f"blocks.{i}.encoder_attn.hook_pattern" for i in range(model.config.decoder_layers)),
    ):
        edits = [(name, lambda tensor, hook: torch.roll(tensor, 1, -2))]
        edited = bridge.run_with_hooks(ids, fwd_hooks=edits, decoder_input_ids=ids)
        assert not torch.equal(edited, plain), name


def test_the_contract_holds_in_each_layer_of_a_further_list() -> None:
    from adaptergen.contract import ModelReport
    from adaptergen.contract.checks_hooks import check_edits, check_fired, check_offered
    from adaptergen.contract.models import ModelUnderTest, undisturbed
    from adaptergen.render.adapter import render_adapter
    from adaptergen.verify.target import make_target

    _, draft = drafted("HrmTextForCausalLM")
    target = make_target(draft.plan, render_adapter(draft.plan))
    with undisturbed():
        run = ModelUnderTest.tiny(target.tables, target.adapter, "default", ModelReport("default"))
        (key,) = run.lists
        names = {f"{key}.{i}.hook_in" for i in range(run.lists[key])}
        assert len(names) > 1 and names <= run.hook.keys() & run.bridge.hook_dict.keys()
        assert {run.hook[name].short for name in names} == {f"{key}.*.hook_in"}
        found = [*check_offered(run), *check_fired(run)]
        found += [one for one in check_edits(run) if f"{key}." in one.what]
    assert not found

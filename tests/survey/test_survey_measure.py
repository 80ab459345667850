"""What is measured of a bridge, with faults that are made on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest

from adaptergen.coverage import ROLES, Measured

pytestmark = pytest.mark.heavy

NAME = "LlamaForCausalLM"


@cache
def known(name: str = NAME) -> Any:
    from adaptergen.draft.draft import small_model
    from adaptergen.inspection.target import Target, load_class
    from adaptergen.survey import measure

    return measure.known(small_model(load_class(Target(name)), {})[0], generates=True)


def bridged(model: Any) -> Any:
    """The adapter of TransformerLens, which knows this class."""
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

    return build_bridge_from_module(model, NAME, hf_config=model.config, tokenizer=None)


def measured(fault: Callable[[Any], Any] = lambda bridge: None, **options: Any) -> Measured:
    from adaptergen.survey.measure import measure

    def wrap(model: Any) -> Any:
        bridge = bridged(model)
        fault(bridge)
        return bridge

    return measure(known(), wrap, **options)


@cache
def fine() -> Measured:
    return measured()


def test_what_the_model_is_asked_for() -> None:
    expected = known().expected
    assert [layer.path for layer in expected.layers] == [f"model.layers.{i}" for i in range(4)]
    kinds = {part.path.rpartition(".")[2] for part in expected.parts}
    assert kinds == {"self_attn", "mlp"} and len(expected.parts) == 8
    assert [one.softmaxes for one in expected.attention] == [(0,), (1,), (2,), (3,)]
    assert known().hf == () and known().unused == ()


def test_weights_that_no_run_uses() -> None:
    # Layers of a decoder that has no encoder here.
    unused = {path.partition("layers.")[2] for path in known("BartForCausalLM").unused}
    assert "0.encoder_attn.q_proj" in unused and "0.self_attn.q_proj" not in unused


def test_a_bridge_without_a_fault() -> None:
    found = fine()
    assert found.parity == {"plain": 0, "cached": 0, "decode": 0}
    assert set(found.generation.values()) == {"as generate"} and len(found.generation) == 2
    assert (found.streams, found.layers, found.parts_live, found.parts) == (4, 4, 8, 8)
    assert found.editable == dict.fromkeys(ROLES, found.attention) and found.attention == 4
    assert found.hooks["live"] > 100 and "blocks.*.attn.hook_result" in found.on_request
    assert found.analyses["decompose_resid"] == "" and not found.unbound and not found.opaque
    # Hooks that its components declare and nothing fires.
    assert found.silent and found.why_not[0].startswith("silent hooks: ")
    assert not found.stands


@pytest.mark.parametrize(
    ("name", "layers", "attention"),
    [("BertForMaskedLM", 4, 4), ("BartForConditionalGeneration", 8, 12)],
    ids=["an encoder", "an encoder and a decoder with cross-attention"],
)
def test_models_of_other_tasks(name: str, layers: int, attention: int) -> None:
    import copy

    from adaptergen.draft.draft import bind, measured_draft, small_model
    from adaptergen.inspection.target import Target, load_class
    from adaptergen.survey.measure import known, measure

    model, settings = small_model(load_class(Target(name)), {})
    alone = known(model, generates=False)
    draft = measured_draft(copy.deepcopy(model), settings)
    found = measure(alone, lambda model: bind(model, draft.plan), findings=())
    assert found.stands, found.why_not
    assert found.parity["plain"] == 0 and not found.generation
    assert found.streams == found.layers == layers
    assert found.editable == dict.fromkeys(ROLES, attention)


def test_other_logits() -> None:
    def shift(bridge: Any) -> None:
        bridge.original_model.lm_head.register_forward_hook(lambda m, args, out: out + 1e-3)

    found = measured(shift)
    assert all(0 < apart < 1e-2 for apart in found.parity.values() if apart is not None)
    assert "logits differ (plain)" in found.why_not and "logits differ (decode)" in found.why_not


def test_other_tokens() -> None:
    def turn(bridge: Any) -> None:
        bridge.original_model.lm_head.register_forward_hook(lambda m, args, out: -out)

    assert set(measured(turn).generation.values()) == {"other"}


def test_an_edit_that_is_discarded() -> None:
    def discard(bridge: Any) -> None:
        mlp = bridge.blocks[1].mlp
        # The output of a feed-forward is that of its last projection.
        for point in (mlp.hook_out, mlp.out.hook_out):
            of = type(point)
            call = lambda self, value, of=of: (of.__call__(self, value.clone()), value)[1]  # noqa: E731
            point.__class__ = type("Discarding", (of,), {"__call__": call})

    found = measured(discard)
    assert "blocks.*.mlp.hook_out" in found.read_only
    assert found.parts_live == 7 and found.parts_missing == ("model.layers.*.mlp",)
    assert found.hooks["live"] == fine().hooks["live"] - 2


def test_names_that_lead_to_other_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    from adaptergen.survey import measure

    names = measure.hook_names

    def exchanged(bridge: Any) -> Mapping[str, str]:
        found = names(bridge)
        for layer in range(4):
            for one, other in (("hook_q", "hook_v"), ("hook_pattern", "hook_attn_scores")):
                a, b = (f"blocks.{layer}.attn.{each}" for each in (one, other))
                found[a], found[b] = found[b], found[a]
        # Whose names are left tell the rest.
        kept = ("hook_rot_q", "q.hook_out", "v.hook_out")
        return {name: hook for name, hook in found.items() if not name.endswith(kept)}

    monkeypatch.setattr(measure, "hook_names", exchanged)
    wrong = {"pattern": 0, "scores": 0, "queries": 0, "keys": 4, "values": 0}
    assert measured().editable == wrong


def test_a_module_that_is_bound_by_nothing() -> None:
    def unbind(bridge: Any) -> None:
        for block in bridge.blocks:
            block.mlp.gate._modules["_original_component"] = None

    # Bound by what it is asked for in a run; here it is only not counted.
    def count(bridge: Any) -> Mapping[str, str]:
        return {"model.layers.0.mlp.gate_proj": "a reason", "lm_head": "bound, so not told"}

    found = measured(unbind, explain=count)
    assert found.error or found.explained == {"model.layers.*.mlp.gate_proj": "a reason"}


def test_what_raises_is_told() -> None:
    from adaptergen.survey.measure import measure

    def wrap(model: Any) -> Any:
        raise TypeError("no bridge")

    found = measure(known(), wrap)
    assert found.error == "TypeError: no bridge" and not found.stands
    assert found.why_not == ("cannot be measured: TypeError: no bridge",)


def test_green_needs_verify_and_reasons() -> None:
    from adaptergen.survey.judge import judged

    stands = fine().model_copy(update={"silent": (), "findings": ()})
    assert judged(stands).green
    for update, why in (
        ({"findings": None}, "not verified"),
        ({"findings": ("hooks: silent",)}, "verify: hooks: silent"),
        ({"unbound": ("a.b",)}, "unbound: a.b"),
        ({"opaque": ("a",)}, "opaque: a"),
    ):
        found = judged(stands.model_copy(update=update))
        assert found.stands and not found.green and found.why_not == (why,)
    told = {"unbound": ("a.b",), "explained": {"a.b": "nothing calls it"}}
    assert judged(stands.model_copy(update=told)).green
    for update in ({"layers": 0, "streams": 0}, {"parts": 0, "parts_live": 0}):
        assert not judged(stands.model_copy(update=update)).stands


def test_a_reason_names_no_place_of_this_machine() -> None:
    from adaptergen.inspection.fault_isolation import reason

    error = ImportError("no name 'x' (/home/me/env/lib/python3.11/site-packages/torch/nn.py)")
    assert reason(error) == "ImportError: no name 'x' (torch/nn.py)"

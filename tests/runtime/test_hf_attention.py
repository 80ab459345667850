"""Attention that HF computes: steps are hooks that can be edited, whatever implementation runs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runtime_support import edit, hook_of, record, torch

ROOT = Path(__file__).parents[2]
ATTENTION = ("hook_attn_scores", "hook_pattern", "hook_rot_q", "hook_rot_k")


@pytest.fixture(autouse=True)
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def target() -> Any:
    from adaptergen.verify.target import load_target

    return load_target(ROOT / "specs" / "helium.yaml")


def tiny(target: Any, implementation: str, dtype: str = "float32") -> tuple[Any, Any]:
    """HF's model, and a bridge around the same one."""
    from adaptergen.contract.models import hf_config, random_model, wrap

    made = random_model(
        target.architecture, hf_config(target.architecture, target.plan.spec.tiny.config), dtype
    )
    made.set_attn_implementation(implementation)
    return copy.deepcopy(made), wrap(target.architecture, target.adapter, made, "tiny")


def tokens(length: int = 7) -> Any:
    return torch.randint(3, 64, (2, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_logits_are_exact(target: Any, implementation: str, dtype: str) -> None:
    hf, bridge = tiny(target, implementation, dtype)
    assert torch.equal(bridge(tokens()), hf(tokens()).logits)
    # With all hooks attached attention is computed step by step.
    hf.set_attn_implementation("eager")
    logits, cache = bridge.run_with_cache(tokens())
    assert torch.equal(logits, hf(tokens()).logits)
    assert {f"blocks.0.attn.{name}" for name in ATTENTION} <= set(cache.keys())


def test_sdpa_is_put_back(target: Any) -> None:
    hf, bridge = tiny(target, "sdpa")
    seen = record(bridge.blocks[0].attn, "hook_pattern")
    edit(bridge.blocks[0].attn, "hook_pattern", torch.zeros_like)
    changed = bridge(tokens())
    assert len(seen["hook_pattern"]) == 1
    assert not torch.equal(changed, hf(tokens()).logits)
    assert bridge.original_model.config._attn_implementation == "sdpa"
    bridge.reset_hooks()
    assert torch.equal(bridge(tokens()), hf(tokens()).logits)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_steps_hold_what_attention_is_made_of(target: Any, implementation: str) -> None:
    _, bridge = tiny(target, implementation)
    _, cache = bridge.run_with_cache(tokens())
    attn = "blocks.0.attn."
    scores, pattern = cache[attn + "hook_attn_scores"], cache[attn + "hook_pattern"]
    q, k = cache[attn + "hook_rot_q"], cache[attn + "hook_rot_k"]
    # Positions come before heads; one head of keys serves several of queries.
    q, k = q.transpose(1, 2), k.transpose(1, 2)
    k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
    expected = q @ k.transpose(-1, -2) * bridge.blocks[0].attn.original_component.scaling
    visible = torch.ones(7, 7, dtype=torch.bool).tril()
    torch.testing.assert_close(scores[..., visible], expected[..., visible])
    assert (scores[..., ~visible] < -1e30).all()
    torch.testing.assert_close(pattern, scores.softmax(-1))


def test_padding_is_masked_with_sdpa_too(target: Any) -> None:
    hf, bridge = tiny(target, "sdpa")
    mask = torch.ones_like(tokens())
    mask[0, :3] = 0
    logits, cache = bridge.run_with_cache(tokens(), attention_mask=mask)
    expected = hf(tokens(), attention_mask=mask).logits
    torch.testing.assert_close(logits[0, 3:], expected[0, 3:])
    torch.testing.assert_close(logits[1], expected[1])
    assert not cache["blocks.0.attn.hook_pattern"][0, :, 3:, :3].any()


def test_decode_step_sees_the_cached_keys(target: Any) -> None:
    from transformers import DynamicCache

    hf, bridge = tiny(target, "sdpa")
    seen = record(bridge.blocks[0].attn, "hook_pattern")
    state = DynamicCache(config=hf.config)
    for part in tokens().split([4, 2, 1], dim=1):
        logits = bridge(part, past_key_values=state, use_cache=True)
    assert [tuple(held.shape[-2:]) for held in seen["hook_pattern"]] == [(4, 4), (2, 6), (1, 7)]
    torch.testing.assert_close(logits[:, -1], hf(tokens()).logits[:, -1])


@pytest.mark.parametrize("implementation", ["flex_attention", "flash_attention_2"])
def test_what_has_no_steps_is_refused(target: Any, implementation: str) -> None:
    _, bridge = tiny(target, "eager")
    # Neither is there to be chosen on every machine, and the model makes no mask for them here.
    attention = bridge.blocks[0].attn.original_component
    attention.config = copy.copy(attention.config)
    attention.config._attn_implementation = implementation
    record(bridge.blocks[0].attn, "hook_pattern")
    message = rf"self_attn: .* {implementation} has no steps: call model.set_attn_implementation"
    with pytest.raises(RuntimeError, match=message):
        bridge(tokens())


def test_rotated_queries_need_no_steps(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.helium import modeling_helium

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("attention was computed step by step")

    hf, bridge = tiny(target, "sdpa")
    monkeypatch.setattr(modeling_helium, "eager_attention_forward", refuse)
    seen = record(bridge.blocks[0].attn, "hook_rot_q")
    assert torch.equal(bridge(tokens()), hf(tokens()).logits)
    assert len(seen["hook_rot_q"]) == 1
    record(bridge.blocks[0].attn, "hook_pattern")
    with pytest.raises(AssertionError, match="step by step"):
        bridge(tokens())


@pytest.mark.parametrize("switch", ["use_attn_result", "use_attn_in", "use_split_qkv_input"])
def test_further_hooks_on_request(target: Any, switch: str) -> None:
    hooks = {
        "use_attn_result": "hook_result",
        "use_attn_in": "hook_attn_in",
        "use_split_qkv_input": "hook_q_input",
    }
    hf, bridge = tiny(target, "eager")
    expected = hf(tokens()).logits
    seen = record(bridge.blocks[0].attn, hooks[switch])
    bridge(tokens())
    assert not seen[hooks[switch]]
    getattr(bridge, f"set_{switch}")(True)
    torch.testing.assert_close(bridge(tokens()), expected)
    (held,) = seen[hooks[switch]]
    assert held.shape == (2, 7, bridge.cfg.n_heads, bridge.cfg.d_model)
    if switch == "use_attn_result":
        out = record(bridge.blocks[0].attn, "o.hook_out")
        bridge(tokens())
        torch.testing.assert_close(held.sum(2), out["o.hook_out"][0])
    edit(bridge.blocks[0].attn, hooks[switch], torch.zeros_like)
    assert not torch.allclose(bridge(tokens()), expected)


def test_dropout_under_one_seed(target: Any) -> None:
    """A hook that only looks changes no random number."""
    _, bridge = tiny(target, "eager")
    for block in bridge.blocks:
        block.attn.original_component.attention_dropout = 0.5
    bridge.train()
    made = []
    for hooked in (False, True):
        if hooked:
            seen = record(bridge.blocks[0].attn, "hook_pattern", "hook_rot_q")
        torch.manual_seed(3)
        made.append(bridge(tokens()))
    assert torch.equal(*made)
    assert [len(held) for held in seen.values()] == [1, 1]
    bridge.eval()
    assert not torch.equal(bridge(tokens()), made[0])


def test_hooks_of_others_cost_no_steps(target: Any) -> None:
    hf, bridge = tiny(target, "sdpa")
    attn = bridge.blocks[0].attn
    record(attn, "hook_in", "q.hook_out", "o.hook_in", "hook_out")
    assert not attn._needs_taps()
    assert torch.equal(bridge(tokens()), hf(tokens()).logits)
    hook_of(attn, "hook_pattern").add_hook(lambda states, hook: None)
    assert attn._needs_taps()


def test_functions_of_torch_are_watched_while_attention_is_computed_alone(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformer_lens.model_bridge.generalized_components import tapped_call

    modes: list[Any] = []
    mode = tapped_call.TappedCall.mode

    def note(self: Any) -> Any:
        modes.append(mode(self))
        return modes[-1]

    monkeypatch.setattr(tapped_call.TappedCall, "mode", note)
    _, bridge = tiny(target, "eager")
    seen = record(bridge.blocks[0].attn, "hook_pattern")
    bridge(tokens())
    assert len(seen["hook_pattern"]) == len(modes) == 1
    assert not isinstance(modes[0], torch.overrides.TorchFunctionMode)


def test_states_may_be_handed_over_by_position(target: Any) -> None:
    _, bridge = tiny(target, "eager")
    attn = bridge.blocks[0].attn
    given = arguments(bridge, attn)
    expected = attn(**given)[0]
    states = given.pop("hidden_states")
    assert torch.equal(attn(states, **given)[0], expected)
    seen = record(attn, "hook_pattern")
    assert torch.equal(attn(states, **given)[0], expected)
    assert len(seen["hook_pattern"]) == 1


def arguments(bridge: Any, attn: Any) -> dict[str, Any]:
    """What a layer of attention is handed."""
    calls: list[dict[str, Any]] = []
    handle = attn.register_forward_pre_hook(
        lambda _module, _args, kwargs: calls.append(dict(kwargs)), with_kwargs=True
    )
    bridge(tokens(), use_cache=False)
    handle.remove()
    return calls[0]


@pytest.mark.parametrize("kind", ["boolean", "added", "none"])
def test_each_mask_that_sdpa_takes(target: Any, kind: str) -> None:
    _, bridge = tiny(target, "sdpa")
    attn = bridge.blocks[0].attn
    visible = torch.ones(2, 1, 7, 7, dtype=torch.bool).tril()
    if kind != "none":
        visible[0, :, 3:, :2] = False
    mask = {
        "boolean": visible,
        "added": torch.zeros(2, 1, 7, 7).masked_fill(~visible, -1e30),
        "none": None,
    }[kind]
    given = {**arguments(bridge, attn), "attention_mask": mask}
    expected = attn(**given)[0]
    seen = record(attn, "hook_pattern")
    torch.testing.assert_close(attn(**given)[0], expected)
    (pattern,) = seen["hook_pattern"]
    assert not pattern[~visible.expand_as(pattern)].any()
    assert pattern[visible.expand_as(pattern)].all()


@pytest.mark.parametrize("switch", ["use_attn_in", "use_split_qkv_input"])
def test_heads_of_keys_need_not_be_counted_where_queries_have_as_many(
    target: Any, switch: str
) -> None:
    from adaptergen.contract.models import hf_config, random_model, wrap

    fields = dict(target.plan.spec.tiny.config)
    fields["num_key_value_heads"] = fields["num_attention_heads"]
    made = random_model(target.architecture, hf_config(target.architecture, fields), "float32")
    bridge = wrap(target.architecture, target.adapter, made, "tiny")
    expected = bridge(tokens())
    for part in (bridge, *bridge.blocks):
        for each in part.modules():
            if hasattr(getattr(each, "config", None), "n_key_value_heads"):
                each.config.n_key_value_heads = None
    getattr(bridge, f"set_{switch}")(True)
    torch.testing.assert_close(bridge(tokens()), expected)


def test_the_residual_of_a_fork_is_let_go(target: Any) -> None:
    _, bridge = tiny(target, "eager")
    attn = bridge.blocks[0].attn
    given = arguments(bridge, attn)
    bridge.set_use_attn_in(True)
    attn._captured_pre_ln_residual = given["hidden_states"]
    attn(**given)
    assert attn._captured_pre_ln_residual is None


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("module", ["deepseek_v2", "deepseek_v3"])
def test_latent_attention(module: str, implementation: str) -> None:
    """Its queries, keys and values are those that the attention function takes."""
    from adaptergen.verify.target import load_target

    hf, bridge = tiny(load_target(ROOT / "specs" / f"{module}.yaml"), implementation)
    hf.set_attn_implementation("eager")
    attn = bridge.blocks[0].attn
    cfg, part = attn.original_component, bridge.cfg
    seen = record(attn, *(name for name in attn.taps if hook_of_any(attn, name) is not None))
    logits = bridge(tokens())
    torch.testing.assert_close(logits, hf(tokens()).logits)
    held = {name: found[0] for name, found in seen.items()}
    assert held["hook_q"].shape == (
        2,
        part.n_heads,
        7,
        part.qk_nope_head_dim + part.qk_rope_head_dim,
    )
    scores = held["hook_q"] @ held["hook_k"].transpose(2, 3) * cfg.scaling
    past = torch.ones(7, 7, dtype=torch.bool).tril()
    torch.testing.assert_close(held["hook_attn_scores"][..., past], scores[..., past])
    torch.testing.assert_close(held["hook_attn_scores"].softmax(-1), held["hook_pattern"])
    mixed = (held["hook_pattern"] @ held["hook_v"]).transpose(1, 2)
    out = record(attn, "o.hook_in")
    bridge(tokens())
    torch.testing.assert_close(out["o.hook_in"][0].reshape(mixed.shape), mixed)
    assert held["hook_q_latent"].shape == (2, 7, part.q_lora_rank)
    assert held["hook_kv_latent"].shape == (2, 7, part.kv_lora_rank)
    # The rotated part is what queries end with, and one for all heads what keys end with.
    width = part.qk_rope_head_dim
    for name, whole in (("hook_rot_q", "hook_q"), ("hook_rot_k", "hook_k")):
        rotated = held[name] if held[name].shape[2] == 7 else held[name].transpose(1, 2)
        torch.testing.assert_close(rotated.expand_as(held[whole][..., -width:]),
                                   held[whole][..., -width:])  # fmt: skip
    assert held["kv_b_proj.hook_in"].shape == (2, 7, part.kv_lora_rank)
    assert held["kv_b_proj.hook_out"].shape == (
        2, 7, part.n_heads * (part.qk_nope_head_dim + part.v_head_dim),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["hook_q", "hook_k", "hook_v", "hook_rot_q", "hook_rot_k",
                                  "hook_q_latent", "hook_kv_latent", "kv_b_proj.hook_in",
                                  "kv_b_proj.hook_out", "hook_freqs_cis"])  # fmt: skip
def test_an_edit_in_latent_attention_reaches_the_logits(name: str) -> None:
    from adaptergen.verify.target import load_target

    hf, bridge = tiny(load_target(ROOT / "specs" / "deepseek_v2.yaml"), "eager")
    edit(bridge.blocks[0].attn, name, lambda states: 2 * states)
    assert not torch.allclose(bridge(tokens()), hf(tokens()).logits)


def hook_of_any(component: Any, name: str) -> Any:
    """The hook point with a dotted name; None if this layer has none."""
    try:
        return hook_of(component, name)
    except KeyError:
        return None

# Generated from specs/deepseek_v3.yaml by `adaptergen build specs/deepseek_v3.yaml`.
"""The DeepSeek-V3 adapter on tiny random models: parity with HF, generation, the hook contract.

Needs neither a checkpoint nor a network. Attention is eager, as ``boot_transformers`` sets it.
"""

import copy

import pytest
import torch
import transformers
from accelerate import cpu_offload
from packaging.specifiers import SpecifierSet
from transformers import DeepseekV3ForCausalLM, DynamicCache

from transformer_lens.benchmarks.component_outputs import ComponentBenchmarker
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import _bridge_builder
from transformer_lens.model_bridge.supported_architectures.deepseek_v3 import (
    DeepSeekV3ArchitectureAdapter,
)

CONFIG = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "moe_intermediate_size": 24,
    "num_hidden_layers": 3,
    "first_k_dense_replace": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 20,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 12,
    "v_head_dim": 10,
    "n_routed_experts": 8,
    "n_shared_experts": 2,
    "num_experts_per_tok": 2,
    "n_group": 2,
    "topk_group": 1,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
}
# One model for each way that the config opens.
BRANCHES = {
    "default": CONFIG,
    "direct_queries": CONFIG | {"q_lora_rank": None},
    "half_rotation": CONFIG | {"rope_interleave": False},
}
# MLAAttentionBridge recomputes attention so that scores and pattern can be edited; it caches keys
# and values, HF what they are made of.
TOLERANCE, DECODE_TOLERANCE = 0.0, 1e-05
KINDS = ["dense", "moe", "moe"]
BATCH, SEQ = 2, 9

# Releases of transformers in which an edit of a hook does not reach the logits.
READ_ONLY = {"mlp.gate.hook_out": ">=5.13", "rotary_emb.hook_in": ">=0"}
# Releases in which a hook does not fire.
SILENT = {"mlp.gate.hook_expert_indices": "<5.13", "mlp.gate.hook_expert_weights": "<5.13"}
# Releases in which a hook does not fire in a decode step.
SILENT_IN_DECODE = {}
# Hooks that fire on request only.
ON_REQUEST = {"attn.hook_result", "hook_mlp_in"}
# Hooks that depend on a field of the HF config, and whether it has to be set.
CONDITIONAL = {
    "attn.hook_q_latent": ("q_lora_rank", True),
    "attn.q_a_layernorm.hook_in": ("q_lora_rank", True),
    "attn.q_a_layernorm.hook_normalized": ("q_lora_rank", True),
    "attn.q_a_layernorm.hook_out": ("q_lora_rank", True),
    "attn.q_a_layernorm.hook_scale": ("q_lora_rank", True),
    "attn.q_a_proj.hook_in": ("q_lora_rank", True),
    "attn.q_a_proj.hook_out": ("q_lora_rank", True),
    "attn.q_b_proj.hook_in": ("q_lora_rank", True),
    "attn.q_b_proj.hook_out": ("q_lora_rank", True),
    "attn.q_proj.hook_in": ("q_lora_rank", False),
    "attn.q_proj.hook_out": ("q_lora_rank", False),
}
# Other names of the hooks of a layer of each kind.
ALIASES = {
    "dense": {
        "attn.hook_z": "attn.o.hook_in",
        "hook_attn_out": "attn.hook_out",
        "hook_mlp_out": "mlp.hook_out",
        "hook_resid_mid": "ln2.hook_in",
        "hook_resid_post": "hook_out",
        "hook_resid_pre": "hook_in",
        "mlp.hook_post": "mlp.dense_out.hook_in",
        "mlp.hook_pre": "mlp.dense_gate.hook_out",
        "mlp.hook_pre_linear": "mlp.dense_in.hook_out",
    },
    "moe": {
        "attn.hook_z": "attn.o.hook_in",
        "hook_attn_out": "attn.hook_out",
        "hook_mlp_out": "mlp.hook_out",
        "hook_resid_mid": "ln2.hook_in",
        "hook_resid_post": "hook_out",
        "hook_resid_pre": "hook_in",
        "mlp.hook_expert_indices": "mlp.gate.hook_expert_indices",
        "mlp.hook_expert_weights": "mlp.gate.hook_expert_weights",
        "mlp.shared_experts.hook_post": "mlp.shared_experts.out.hook_in",
        "mlp.shared_experts.hook_pre": "mlp.shared_experts.gate.hook_out",
        "mlp.shared_experts.hook_pre_linear": "mlp.shared_experts.in.hook_out",
    },
}


def model_shapes(cfg, hf):
    """Every hook outside the layers, with its shape."""
    return {
        "embed.hook_in": (BATCH, SEQ),
        "embed.hook_out": (BATCH, SEQ, cfg.d_model),
        "ln_final.hook_in": (BATCH, SEQ, cfg.d_model),
        "ln_final.hook_normalized": (BATCH, SEQ, cfg.d_model),
        "ln_final.hook_out": (BATCH, SEQ, cfg.d_model),
        "ln_final.hook_scale": (BATCH, SEQ, 1),
        "rotary_emb.hook_cos": (1, SEQ, cfg.qk_rope_head_dim),
        "rotary_emb.hook_in": (BATCH, SEQ, cfg.d_model),
        "rotary_emb.hook_sin": (1, SEQ, cfg.qk_rope_head_dim),
        "unembed.hook_in": (BATCH, SEQ, cfg.d_model),
        "unembed.hook_out": (BATCH, SEQ, cfg.d_vocab),
    }


def layer_shapes(cfg, hf):
    """Every hook of a layer of each kind, with its shape."""
    shared = {
        "attn.hook_attn_scores": (BATCH, cfg.n_heads, SEQ, SEQ),
        "attn.hook_cos": (1, SEQ, cfg.qk_rope_head_dim),
        "attn.hook_in": (BATCH, SEQ, cfg.d_model),
        "attn.hook_k": (BATCH, cfg.n_heads, SEQ, cfg.qk_nope_head_dim + cfg.qk_rope_head_dim),
        "attn.hook_kv_latent": (BATCH, SEQ, cfg.kv_lora_rank),
        "attn.hook_out": (BATCH, SEQ, cfg.d_model),
        "attn.hook_pattern": (BATCH, cfg.n_heads, SEQ, SEQ),
        "attn.hook_q": (BATCH, cfg.n_heads, SEQ, cfg.qk_nope_head_dim + cfg.qk_rope_head_dim),
        "attn.hook_q_latent": (BATCH, SEQ, cfg.q_lora_rank),
        "attn.hook_rot_k": (BATCH, SEQ, 1, cfg.qk_rope_head_dim),
        "attn.hook_rot_q": (BATCH, SEQ, cfg.n_heads, cfg.qk_rope_head_dim),
        "attn.hook_sin": (1, SEQ, cfg.qk_rope_head_dim),
        "attn.hook_v": (BATCH, cfg.n_heads, SEQ, cfg.v_head_dim),
        "attn.kv_a_layernorm.hook_in": (BATCH, SEQ, cfg.kv_lora_rank),
        "attn.kv_a_layernorm.hook_normalized": (BATCH, SEQ, cfg.kv_lora_rank),
        "attn.kv_a_layernorm.hook_out": (BATCH, SEQ, cfg.kv_lora_rank),
        "attn.kv_a_layernorm.hook_scale": (BATCH, SEQ, 1),
        "attn.kv_a_proj_with_mqa.hook_in": (BATCH, SEQ, cfg.d_model),
        "attn.kv_a_proj_with_mqa.hook_out": (BATCH, SEQ, cfg.kv_lora_rank + cfg.qk_rope_head_dim),
        "attn.kv_b_proj.hook_in": (BATCH, SEQ, cfg.kv_lora_rank),
        "attn.kv_b_proj.hook_out": (
            BATCH,
            SEQ,
            cfg.n_heads * (cfg.qk_nope_head_dim + cfg.v_head_dim),
        ),
        "attn.o.hook_in": (BATCH, SEQ, cfg.n_heads, cfg.v_head_dim),
        "attn.o.hook_out": (BATCH, SEQ, cfg.d_model),
        "attn.q_a_layernorm.hook_in": (BATCH, SEQ, cfg.q_lora_rank),
        "attn.q_a_layernorm.hook_normalized": (BATCH, SEQ, cfg.q_lora_rank),
        "attn.q_a_layernorm.hook_out": (BATCH, SEQ, cfg.q_lora_rank),
        "attn.q_a_layernorm.hook_scale": (BATCH, SEQ, 1),
        "attn.q_a_proj.hook_in": (BATCH, SEQ, cfg.d_model),
        "attn.q_a_proj.hook_out": (BATCH, SEQ, cfg.q_lora_rank),
        "attn.q_b_proj.hook_in": (BATCH, SEQ, cfg.q_lora_rank),
        "attn.q_b_proj.hook_out": (
            BATCH,
            SEQ,
            cfg.n_heads * (cfg.qk_nope_head_dim + cfg.qk_rope_head_dim),
        ),
        "attn.q_proj.hook_in": (BATCH, SEQ, cfg.d_model),
        "attn.q_proj.hook_out": (
            BATCH,
            SEQ,
            cfg.n_heads * (cfg.qk_nope_head_dim + cfg.qk_rope_head_dim),
        ),
        "hook_in": (BATCH, SEQ, cfg.d_model),
        "hook_out": (BATCH, SEQ, cfg.d_model),
        "ln1.hook_in": (BATCH, SEQ, cfg.d_model),
        "ln1.hook_normalized": (BATCH, SEQ, cfg.d_model),
        "ln1.hook_out": (BATCH, SEQ, cfg.d_model),
        "ln1.hook_scale": (BATCH, SEQ, 1),
        "ln2.hook_in": (BATCH, SEQ, cfg.d_model),
        "ln2.hook_normalized": (BATCH, SEQ, cfg.d_model),
        "ln2.hook_out": (BATCH, SEQ, cfg.d_model),
        "ln2.hook_scale": (BATCH, SEQ, 1),
    }
    return {
        "dense": {
            **shared,
            "mlp.dense_gate.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.dense_gate.hook_out": (BATCH, SEQ, cfg.d_mlp),
            "mlp.dense_in.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.dense_in.hook_out": (BATCH, SEQ, cfg.d_mlp),
            "mlp.dense_out.hook_in": (BATCH, SEQ, cfg.d_mlp),
            "mlp.dense_out.hook_out": (BATCH, SEQ, cfg.d_model),
            "mlp.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.hook_out": (BATCH, SEQ, cfg.d_model),
        },
        "moe": {
            **shared,
            "mlp.experts.hook_in": (BATCH * SEQ, cfg.d_model),
            "mlp.experts.hook_out": (BATCH * SEQ, cfg.d_model),
            "mlp.gate.hook_expert_indices": (BATCH * SEQ, hf.num_experts_per_tok),
            "mlp.gate.hook_expert_weights": (BATCH * SEQ, hf.n_routed_experts),
            "mlp.gate.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.gate.hook_out": (BATCH * SEQ, hf.n_routed_experts),
            "mlp.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.hook_out": (BATCH, SEQ, cfg.d_model),
            "mlp.shared_experts.gate.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.shared_experts.gate.hook_out": (
                BATCH,
                SEQ,
                hf.moe_intermediate_size * hf.n_shared_experts,
            ),
            "mlp.shared_experts.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.shared_experts.hook_out": (BATCH, SEQ, cfg.d_model),
            "mlp.shared_experts.in.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.shared_experts.in.hook_out": (
                BATCH,
                SEQ,
                hf.moe_intermediate_size * hf.n_shared_experts,
            ),
            "mlp.shared_experts.out.hook_in": (
                BATCH,
                SEQ,
                hf.moe_intermediate_size * hf.n_shared_experts,
            ),
            "mlp.shared_experts.out.hook_out": (BATCH, SEQ, cfg.d_model),
        },
    }


def hook_shapes(bridge):
    """Full name -> shape of every hook that a plain run of this model fires."""
    cfg, hf = bridge.cfg, bridge.original_model.config
    shapes = model_shapes(cfg, hf)
    for layer, kind in enumerate(KINDS):
        for hook, shape in layer_shapes(cfg, hf)[kind].items():
            field, is_set = CONDITIONAL.get(hook, (None, True))
            there = field is None or (getattr(hf, field) is not None) == is_set
            if there and not holds(SILENT, hook):
                shapes[f"blocks.{layer}.{hook}"] = shape
    return shapes


def holds(releases, hook):
    """Whether the exception of a hook holds for the installed release of transformers."""
    return hook in releases and transformers.__version__ in SpecifierSet(releases[hook])


def assert_same(actual, expected, tolerance=TOLERANCE):
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)


def bare(hook):
    """The name of a hook within its layer."""
    return hook.split(".", 2)[2] if hook.startswith("blocks.") else hook


def make_hf(branch):
    torch.manual_seed(0)
    config_class = DeepseekV3ForCausalLM.config_class
    config = config_class(**BRANCHES[branch], attn_implementation="eager")
    return DeepseekV3ForCausalLM(config).eval()


def wrap(model):
    cfg = _bridge_builder.build_bridge_config_from_hf(
        model.config, "DeepseekV3ForCausalLM", "tiny", torch.float32
    )
    return TransformerBridge(model, DeepSeekV3ArchitectureAdapter(cfg), tokenizer=None)


def edited(activation, hook):
    """Another value that the model can use in its place."""
    if activation.is_floating_point() or activation.is_complex():
        return 1.5 * activation + 0.5
    return (activation + 1) % (activation.max() + 1)


@pytest.fixture(scope="module", params=BRANCHES)
def branch(request):
    return request.param


@pytest.fixture(scope="module")
def hf(branch):
    return make_hf(branch)


@pytest.fixture(scope="module")
def bridge(hf):
    return wrap(copy.deepcopy(hf))


@pytest.fixture(scope="module")
def tokens():
    return torch.randint(
        3, CONFIG["vocab_size"], (BATCH, SEQ), generator=torch.Generator().manual_seed(0)
    )


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


class TestParity:
    @pytest.mark.parametrize("use_cache", [True, False])
    def test_logits(self, hf, bridge, tokens, use_cache):
        expected = hf(tokens, use_cache=use_cache).logits
        assert_same(bridge(tokens, use_cache=use_cache), expected)
        logits, _ = bridge.run_with_cache(tokens, use_cache=use_cache)
        assert_same(logits, expected)

    @pytest.mark.parametrize("length", [1, 5])
    def test_greedy_tokens(self, hf, bridge, tokens, length):
        prompt = tokens[:, :length]
        expected = hf.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=4,
            do_sample=False,
            eos_token_id=None,
        )
        cached = bridge.generate(
            prompt, max_new_tokens=4, do_sample=False, stop_at_eos=False, verbose=False
        )
        assert torch.equal(cached, expected)
        # Without a cache: each token from those before it, in one call.
        uncached = bridge(expected[:, :-1], use_cache=False)[:, length - 1 :].argmax(-1)
        assert torch.equal(uncached, expected[:, length:])

    def test_left_padding(self, hf, bridge, tokens):
        mask = torch.ones_like(tokens)
        mask[0, :4] = 0
        options = {"attention_mask": mask, "max_new_tokens": 4, "do_sample": False}
        expected = hf.generate(tokens, eos_token_id=None, **options)
        actual = bridge.generate(tokens, stop_at_eos=False, verbose=False, **options)
        assert torch.equal(actual, expected)

    def test_norm_of_a_part_of_the_residual_stream(self, bridge, tokens):
        _, cache = bridge.run_with_cache(tokens)
        last = cache[f"blocks.{len(KINDS) - 1}.hook_out"]
        normalized = cache.apply_ln_to_stack(last[None], layer=-1)[0]
        torch.testing.assert_close(normalized, cache["ln_final.hook_normalized"])
        first = cache.apply_ln_to_stack(cache["blocks.1.hook_in"][None], layer=1)[0]
        torch.testing.assert_close(first, cache["blocks.1.ln1.hook_normalized"])

    def test_component_of_a_kind_alone(self, hf, bridge):
        check = ComponentBenchmarker(bridge, hf, bridge.adapter, bridge.cfg)
        results = check.benchmark_all_components().component_results
        alone = [one for one in results if one.component_path.split(".")[-1] in ["mlp"]]
        assert len(alone) == len(KINDS)
        assert all(one.passed for one in alone)


class TestHooks:
    def test_plain_run_fires_every_hook(self, bridge, tokens):
        _, cache = bridge.run_with_cache(tokens)
        points = {point.name for point in bridge.hook_dict.values()}
        fired = {name: tuple(cache[name].shape) for name in points if name in cache}
        assert fired == hook_shapes(bridge)
        silent = {hook for hook in SILENT if holds(SILENT, hook)}
        assert {bare(name) for name in points - set(fired)} == ON_REQUEST | silent

    def test_other_names_lead_to_the_same_hooks(self, bridge):
        for layer, kind in enumerate(KINDS):
            prefix = f"blocks.{layer}."
            names = {
                n.removeprefix(prefix): p
                for n, p in bridge.hook_dict.items()
                if n.startswith(prefix)
            }
            aliases = {name: bare(p.name) for name, p in names.items() if p.name != prefix + name}
            assert aliases == ALIASES[kind]

    def test_edit_reaches_the_logits_unless_read_only(self, bridge, tokens, branch):
        expected = bridge(tokens)
        once = {bare(hook): hook for hook in sorted(hook_shapes(bridge), reverse=True)}
        for name, hook in once.items():
            if branch != "default" and name not in CONDITIONAL:
                continue  # It is tried on the default model.
            logits = bridge.run_with_hooks(tokens, fwd_hooks=[(hook, edited)])
            assert torch.equal(logits, expected) == holds(READ_ONLY, name), hook

    def test_a_slice_of_positions_is_one_of_positions(self, bridge, tokens):
        _, cache = bridge.run_with_cache(tokens[:1])
        _, sliced = bridge.run_with_cache(tokens[:1], pos_slice=2)
        for hook in hook_shapes(bridge):
            assert sliced[hook].numel() * SEQ == cache[hook].numel(), hook

    def test_decode_step_fires_the_same_hooks(self, hf, bridge, tokens):
        prompt, token = tokens[:, :-1], tokens[:, -1:]
        hf_state, state = (DynamicCache(config=hf.config) for _ in range(2))
        hf(prompt, past_key_values=hf_state, use_cache=True)
        bridge(prompt, past_key_values=state, use_cache=True)
        logits, cache = bridge.run_with_cache(token, past_key_values=state, use_cache=True)
        expected = hf(token, past_key_values=hf_state, use_cache=True).logits
        assert_same(logits, expected, DECODE_TOLERANCE)
        missing = {bare(name) for name in hook_shapes(bridge) if name not in cache}
        assert missing == {hook for hook in SILENT_IN_DECODE if holds(SILENT_IN_DECODE, hook)}

    @pytest.mark.parametrize(
        "before, added, after",
        [
            ("hook_resid_pre", "hook_attn_out", "hook_resid_mid"),
            ("hook_resid_mid", "hook_mlp_out", "hook_resid_post"),
        ],
    )
    def test_residual_stream_adds_up(self, bridge, tokens, before, added, after):
        _, cache = bridge.run_with_cache(tokens)
        for layer in range(len(KINDS)):
            parts = [cache[f"blocks.{layer}.{hook}"] for hook in (before, added)]
            assert torch.equal(sum(parts), cache[f"blocks.{layer}.{after}"])

    @pytest.mark.parametrize(
        "setter, hooks",
        {
            "set_use_attn_result": ["attn.hook_result"],
            "set_use_hook_mlp_in": ["hook_mlp_in"],
        }.items(),
    )
    def test_hooks_that_the_bridge_is_asked_for(self, hf, bridge, tokens, setter, hooks):
        getattr(bridge, setter)(True)
        try:
            logits, cache = bridge.run_with_cache(tokens)
        finally:
            getattr(bridge, setter)(False)
        torch.testing.assert_close(logits, hf(tokens).logits, atol=1e-4, rtol=0)
        assert all(
            f"blocks.{layer}.{hook}" in cache for layer in range(len(KINDS)) for hook in hooks
        )

    def test_attention_weights_sum_to_one(self, bridge, tokens):
        _, cache = bridge.run_with_cache(tokens)
        for hook in [hook for hook in hook_shapes(bridge) if hook.endswith("attn.hook_pattern")]:
            total = cache[hook].sum(-1)
            torch.testing.assert_close(total, torch.ones_like(total))


class TestConfig:
    def test_dimensions_are_those_of_the_model(self, hf, bridge):
        parts = [part for block in bridge.blocks for part in block.modules()]
        configs = [getattr(part, "config", None) for part in parts]
        copies = [config for config in configs if isinstance(config, type(bridge.cfg))]
        assert copies
        for cfg in [bridge.cfg, *copies]:
            for name in [
                "q_lora_rank",
                "kv_lora_rank",
                "qk_nope_head_dim",
                "qk_rope_head_dim",
                "v_head_dim",
            ]:
                assert getattr(cfg, name) == getattr(hf.config, name)

    def test_cfg_says_what_the_model_has(self, bridge):
        has_rms = "RMSNorm" in type(bridge.ln_final.original_component).__name__
        assert bridge.cfg.uses_rms_norm == bridge.cfg.final_rms == has_rms
        positions = bridge.cfg.positional_embedding_type
        assert (positions == "rotary") == hasattr(bridge, "rotary_emb")
        assert (positions == "standard") == hasattr(bridge, "pos_embed")
        assert bridge.W_gate is not None


@pytest.mark.parametrize("branch", ["default"], indirect=True)
class TestWeights:
    def test_processed_weights_predict_the_same(self, hf, tokens):
        model = copy.deepcopy(hf)
        for weight in model.parameters():
            if weight.dim() == 1:  # such as those of norms and biases, all ones or zeros at first
                weight.add_(torch.linspace(-0.5, 0.5, len(weight)))
        expected = model(tokens).logits.log_softmax(-1)
        bridge = wrap(model)
        bridge.enable_compatibility_mode()
        torch.testing.assert_close(bridge(tokens).log_softmax(-1), expected, atol=1e-5, rtol=0)
        # Norms are folded in all places or, as here, in none.
        norm = bridge.ln_final.original_component.weight
        torch.testing.assert_close(norm, torch.linspace(0.5, 1.5, len(norm)))

    def test_offloaded_weights(self, hf, tokens):
        offloaded = wrap(cpu_offload(copy.deepcopy(hf), execution_device="cpu"))
        expected = hf(tokens).logits
        assert_same(offloaded(tokens), expected)
        logits, cache = offloaded.run_with_cache(tokens)
        assert_same(logits, expected)

    def test_weights_survive_a_round_trip(self, bridge):
        before = {name: weight.clone() for name, weight in bridge.state_dict().items()}
        weights = {name: weight + 0.01 for name, weight in before.items()}
        bridge.load_state_dict(weights)
        after = {name: weight.clone() for name, weight in bridge.state_dict().items()}
        bridge.load_state_dict(before)
        assert after.keys() == weights.keys()
        assert all(torch.equal(after[name], weights[name]) for name in weights)

# Generated from specs/nemotron_h.yaml by `adaptergen build specs/nemotron_h.yaml`.
"""The Nemotron-H adapter on tiny random models: parity with HF, generation, the hook contract.

Needs neither a checkpoint nor a network. Attention is eager, as ``boot_transformers`` sets it.
"""

import copy

import pytest
import torch
import transformers
from accelerate import cpu_offload
from packaging.specifiers import SpecifierSet
from transformers import DynamicCache, NemotronHForCausalLM

from transformer_lens.benchmarks.component_outputs import ComponentBenchmarker
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import _bridge_builder
from transformer_lens.model_bridge.supported_architectures.nemotron_h import (
    NemotronHArchitectureAdapter,
)

CONFIG = {
    "vocab_size": 64,
    "hidden_size": 32,
    "hybrid_override_pattern": "M*E-M",
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 48,
    "mamba_num_heads": 6,
    "mamba_head_dim": 8,
    "n_groups": 2,
    "ssm_state_size": 16,
    "chunk_size": 32,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "moe_shared_expert_intermediate_size": 40,
    "initializer_range": 0.2,
}
# One model for each way that the config opens.
BRANCHES = {"default": CONFIG, "latent_experts": CONFIG | {"moe_latent_size": 16}}
KINDS = ["linear_attention", "full_attention", "moe", "mlp", "linear_attention"]
BATCH, SEQ = 2, 9

# Releases of transformers in which an edit of a hook does not reach the logits.
READ_ONLY = {}
# Releases in which a hook does not fire.
SILENT = {"mlp.gate.hook_expert_indices": "<5.13", "mlp.gate.hook_expert_weights": "<5.13"}
# Releases in which a hook does not fire in a decode step.
SILENT_IN_DECODE = {"mixer.conv1d.hook_in": "<5.15", "mixer.conv1d.hook_out": "<5.15"}
# Hooks that fire on request only.
ON_REQUEST = {"attn.hook_result", "mixer.hook_ssm_state", "mixer.hook_ssm_write"}
# Hooks that depend on a field of the HF config, and whether it has to be set.
CONDITIONAL = {
    "mlp.latent_in.hook_in": ("moe_latent_size", True),
    "mlp.latent_in.hook_out": ("moe_latent_size", True),
    "mlp.latent_out.hook_in": ("moe_latent_size", True),
    "mlp.latent_out.hook_out": ("moe_latent_size", True),
}
# Other names of the hooks of a layer of each kind.
ALIASES = {
    "linear_attention": {
        "hook_mixer_in": "mixer.hook_in",
        "hook_mixer_out": "mixer.hook_out",
        "hook_resid_post": "hook_out",
        "hook_resid_pre": "hook_in",
        "mixer.hook_conv": "mixer.conv1d.hook_out",
        "mixer.hook_in_proj": "mixer.in_proj.hook_out",
        "mixer.hook_inner_norm": "mixer.inner_norm.hook_out",
        "mixer.hook_ssm_out": "mixer.hook_out",
    },
    "full_attention": {
        "attn.hook_k": "attn.k.hook_out",
        "attn.hook_q": "attn.q.hook_out",
        "attn.hook_v": "attn.v.hook_out",
        "attn.hook_z": "attn.o.hook_in",
        "hook_mixer_in": "attn.hook_in",
        "hook_mixer_out": "attn.hook_out",
        "hook_resid_post": "hook_out",
        "hook_resid_pre": "hook_in",
    },
    "moe": {
        "hook_mixer_in": "mlp.hook_in",
        "hook_mixer_out": "mlp.hook_out",
        "hook_resid_post": "hook_out",
        "hook_resid_pre": "hook_in",
        "mlp.hook_expert_indices": "mlp.gate.hook_expert_indices",
        "mlp.hook_expert_weights": "mlp.gate.hook_expert_weights",
        "mlp.shared_experts.hook_post": "mlp.shared_experts.out.hook_in",
        "mlp.shared_experts.hook_pre": "mlp.shared_experts.in.hook_out",
    },
    "mlp": {
        "hook_mixer_in": "mlp.hook_in",
        "hook_mixer_out": "mlp.hook_out",
        "hook_resid_post": "hook_out",
        "hook_resid_pre": "hook_in",
        "mlp.hook_post": "mlp.out.hook_in",
        "mlp.hook_pre": "mlp.in.hook_out",
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
        "unembed.hook_in": (BATCH, SEQ, cfg.d_model),
        "unembed.hook_out": (BATCH, SEQ, cfg.d_vocab),
    }


def layer_shapes(cfg, hf):
    """Every hook of a layer of each kind, with its shape."""
    shared = {
        "hook_in": (BATCH, SEQ, cfg.d_model),
        "hook_out": (BATCH, SEQ, cfg.d_model),
        "norm.hook_in": (BATCH, SEQ, cfg.d_model),
        "norm.hook_normalized": (BATCH, SEQ, cfg.d_model),
        "norm.hook_out": (BATCH, SEQ, cfg.d_model),
        "norm.hook_scale": (BATCH, SEQ, 1),
    }
    return {
        "linear_attention": {
            **shared,
            "mixer.conv1d.hook_in": (BATCH, cfg.conv_dim, SEQ),
            "mixer.conv1d.hook_out": (BATCH, cfg.conv_dim, SEQ),
            "mixer.hook_in": (BATCH, SEQ, cfg.d_model),
            "mixer.hook_out": (BATCH, SEQ, cfg.d_model),
            "mixer.in_proj.hook_in": (BATCH, SEQ, cfg.d_model),
            "mixer.in_proj.hook_out": (
                BATCH,
                SEQ,
                cfg.mamba_intermediate_size + cfg.conv_dim + cfg.mamba_num_heads,
            ),
            "mixer.inner_norm.hook_gate": (BATCH, SEQ, cfg.mamba_intermediate_size),
            "mixer.inner_norm.hook_in": (BATCH, SEQ, cfg.mamba_intermediate_size),
            "mixer.inner_norm.hook_out": (BATCH, SEQ, cfg.mamba_intermediate_size),
            "mixer.out_proj.hook_in": (BATCH, SEQ, cfg.mamba_intermediate_size),
            "mixer.out_proj.hook_out": (BATCH, SEQ, cfg.d_model),
        },
        "full_attention": {
            **shared,
            "attn.hook_attn_scores": (BATCH, cfg.n_heads, SEQ, SEQ),
            "attn.hook_in": (BATCH, SEQ, cfg.d_model),
            "attn.hook_out": (BATCH, SEQ, cfg.d_model),
            "attn.hook_pattern": (BATCH, cfg.n_heads, SEQ, SEQ),
            "attn.k.hook_in": (BATCH, SEQ, cfg.d_model),
            "attn.k.hook_out": (BATCH, SEQ, cfg.n_key_value_heads or cfg.n_heads, cfg.d_head),
            "attn.o.hook_in": (BATCH, SEQ, cfg.n_heads, cfg.d_head),
            "attn.o.hook_out": (BATCH, SEQ, cfg.d_model),
            "attn.q.hook_in": (BATCH, SEQ, cfg.d_model),
            "attn.q.hook_out": (BATCH, SEQ, cfg.n_heads, cfg.d_head),
            "attn.v.hook_in": (BATCH, SEQ, cfg.d_model),
            "attn.v.hook_out": (BATCH, SEQ, cfg.n_key_value_heads or cfg.n_heads, cfg.d_head),
        },
        "moe": {
            **shared,
            "mlp.experts.hook_in": (BATCH * SEQ, hf.moe_latent_size or cfg.d_model),
            "mlp.experts.hook_out": (BATCH * SEQ, hf.moe_latent_size or cfg.d_model),
            "mlp.gate.hook_expert_indices": (BATCH * SEQ, hf.num_experts_per_tok),
            "mlp.gate.hook_expert_weights": (BATCH * SEQ, hf.n_routed_experts),
            "mlp.gate.hook_in": (BATCH * SEQ, cfg.d_model),
            "mlp.gate.hook_out": (BATCH * SEQ, hf.n_routed_experts),
            "mlp.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.hook_out": (BATCH, SEQ, cfg.d_model),
            "mlp.latent_in.hook_in": (BATCH * SEQ, cfg.d_model),
            "mlp.latent_in.hook_out": (BATCH * SEQ, hf.moe_latent_size),
            "mlp.latent_out.hook_in": (BATCH * SEQ, hf.moe_latent_size),
            "mlp.latent_out.hook_out": (BATCH * SEQ, cfg.d_model),
            "mlp.shared_experts.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.shared_experts.hook_out": (BATCH, SEQ, cfg.d_model),
            "mlp.shared_experts.in.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.shared_experts.in.hook_out": (BATCH, SEQ, hf.moe_shared_expert_intermediate_size),
            "mlp.shared_experts.out.hook_in": (BATCH, SEQ, hf.moe_shared_expert_intermediate_size),
            "mlp.shared_experts.out.hook_out": (BATCH, SEQ, cfg.d_model),
        },
        "mlp": {
            **shared,
            "mlp.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.hook_out": (BATCH, SEQ, cfg.d_model),
            "mlp.in.hook_in": (BATCH, SEQ, cfg.d_model),
            "mlp.in.hook_out": (BATCH, SEQ, cfg.d_mlp),
            "mlp.out.hook_in": (BATCH, SEQ, cfg.d_mlp),
            "mlp.out.hook_out": (BATCH, SEQ, cfg.d_model),
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


def assert_same(actual, expected):
    assert torch.equal(actual, expected)


def bare(hook):
    """The name of a hook within its layer."""
    return hook.split(".", 2)[2] if hook.startswith("blocks.") else hook


def make_hf(branch):
    torch.manual_seed(0)
    config_class = NemotronHForCausalLM.config_class
    config = config_class(**BRANCHES[branch], attn_implementation="eager")
    return NemotronHForCausalLM(config).eval()


def wrap(model):
    cfg = _bridge_builder.build_bridge_config_from_hf(
        model.config, "NemotronHForCausalLM", "tiny", torch.float32
    )
    return TransformerBridge(model, NemotronHArchitectureAdapter(cfg), tokenizer=None)


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

    def test_generation_keeps_one_cache_for_all_mixers(self, bridge, tokens, monkeypatch):
        made, make = [], bridge.adapter.create_stateful_cache

        def make_and_keep(**kwargs):
            made.append(make(**kwargs))
            return made[-1]

        monkeypatch.setattr(bridge.adapter, "create_stateful_cache", make_and_keep)
        bridge.generate(tokens, max_new_tokens=3, do_sample=False, stop_at_eos=False, verbose=False)
        assert [cache.get_seq_length() for cache in made] == [SEQ + 2]

    def test_norm_of_a_part_of_the_residual_stream(self, bridge, tokens):
        _, cache = bridge.run_with_cache(tokens)
        last = cache[f"blocks.{len(KINDS) - 1}.hook_out"]
        normalized = cache.apply_ln_to_stack(last[None], layer=-1)[0]
        torch.testing.assert_close(normalized, cache["ln_final.hook_normalized"])

    def test_component_of_a_kind_alone(self, hf, bridge):
        check = ComponentBenchmarker(bridge, hf, bridge.adapter, bridge.cfg)
        results = check.benchmark_all_components().component_results
        alone = [
            one for one in results if one.component_path.split(".")[-1] in ["attn", "mixer", "mlp"]
        ]
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
        assert_same(logits, expected)
        missing = {bare(name) for name in hook_shapes(bridge) if name not in cache}
        assert missing == {hook for hook in SILENT_IN_DECODE if holds(SILENT_IN_DECODE, hook)}

    @pytest.mark.parametrize(
        "before, added, after", [("hook_resid_pre", "hook_mixer_out", "hook_resid_post")]
    )
    def test_residual_stream_adds_up(self, bridge, tokens, before, added, after):
        _, cache = bridge.run_with_cache(tokens)
        for layer in range(len(KINDS)):
            parts = [cache[f"blocks.{layer}.{hook}"] for hook in (before, added)]
            assert torch.equal(sum(parts), cache[f"blocks.{layer}.{after}"])

    @pytest.mark.parametrize(
        "setter, hooks", {"set_use_attn_result": {"full_attention": ["attn.hook_result"]}}.items()
    )
    def test_hooks_that_the_bridge_is_asked_for(self, hf, bridge, tokens, setter, hooks):
        getattr(bridge, setter)(True)
        try:
            logits, cache = bridge.run_with_cache(tokens)
        finally:
            getattr(bridge, setter)(False)
        torch.testing.assert_close(logits, hf(tokens).logits, atol=1e-4, rtol=0)
        expected = {
            f"blocks.{layer}.{hook}"
            for layer, kind in enumerate(KINDS)
            for hook in hooks.get(kind, [])
        }
        assert {name for name in cache if bare(name) in sum(hooks.values(), [])} == expected

    def test_attention_weights_sum_to_one(self, bridge, tokens):
        _, cache = bridge.run_with_cache(tokens)
        for hook in [hook for hook in hook_shapes(bridge) if hook.endswith("attn.hook_pattern")]:
            total = cache[hook].sum(-1)
            torch.testing.assert_close(total, torch.ones_like(total))


@pytest.mark.parametrize("branch", ["default"], indirect=True)
class TestStateSpaceAnalyses:
    LAYERS = [layer for layer, kind in enumerate(KINDS) if kind == "linear_attention"]

    @pytest.mark.parametrize("length", [1, 2, 3, 4, 9])
    def test_state_and_effective_attention(self, hf, bridge, tokens, length):
        prompt = tokens[:, :length]
        # Before 5.17 HF clamps dt at time_step_min, which TransformerLens does not know.
        atol = 1e-5 if transformers.__version__ in SpecifierSet(">=5.17") else 1e-3
        state = DynamicCache(config=hf.config)
        hf(prompt, past_key_values=state, use_cache=True)
        _, cache = bridge.run_with_cache(prompt)
        assert cache.ssm_layers() == self.LAYERS
        for layer in self.LAYERS:
            recurrent = state.layers[layer].recurrent_states
            recurrent = recurrent if isinstance(recurrent, torch.Tensor) else recurrent[0]
            actual = cache.compute_ssm_state(layer=layer, time_step=-1)
            torch.testing.assert_close(actual, recurrent, atol=atol, rtol=0)
            mixer = bridge.blocks[layer].mixer
            x = mixer.act(cache[f"blocks.{layer}.mixer.conv1d.hook_out"])
            x = x[:, : bridge.cfg.mamba_intermediate_size].transpose(1, 2)
            x = x.unflatten(-1, (bridge.cfg.mamba_num_heads, bridge.cfg.mamba_head_dim))
            matrix = cache.compute_ssm_effective_attention(layer=layer, include_dt_scaling=True)
            mixed = torch.einsum("bhij,bjhd->bihd", matrix, x) + mixer.D[:, None] * x
            expected = cache[f"blocks.{layer}.mixer.inner_norm.hook_in"]
            torch.testing.assert_close(mixed.flatten(2), expected, atol=atol, rtol=0)

    def test_eager_scan(self, hf, bridge, tokens):
        for layer in self.LAYERS:
            bridge.blocks[layer].mixer.eager_scan = True
        try:
            logits, cache = bridge.run_with_cache(tokens, use_cache=False)
        finally:
            for layer in self.LAYERS:
                bridge.blocks[layer].mixer.eager_scan = False
        torch.testing.assert_close(logits, hf(tokens).logits, atol=1e-3, rtol=0)
        for hook in ON_REQUEST:
            assert all(f"blocks.{layer}.{hook}" in cache for layer in self.LAYERS)


class TestConfig:
    def test_dimensions_are_those_of_the_model(self, hf, bridge):
        parts = [part for block in bridge.blocks for part in block.modules()]
        configs = [getattr(part, "config", None) for part in parts]
        copies = [config for config in configs if isinstance(config, type(bridge.cfg))]
        assert copies
        for cfg in [bridge.cfg, *copies]:
            assert cfg.layers_block_type == KINDS
            for name in ["mamba_num_heads", "mamba_head_dim", "n_groups", "ssm_state_size"]:
                assert getattr(cfg, name) == getattr(hf.config, name)
            assert cfg.mamba_intermediate_size == cfg.mamba_num_heads * cfg.mamba_head_dim
            assert (
                cfg.conv_dim == cfg.mamba_intermediate_size + 2 * cfg.n_groups * cfg.ssm_state_size
            )

    def test_cfg_says_what_the_model_has(self, bridge):
        has_rms = "RMSNorm" in type(bridge.ln_final.original_component).__name__
        assert bridge.cfg.uses_rms_norm == bridge.cfg.final_rms == has_rms
        positions = bridge.cfg.positional_embedding_type
        assert (positions == "rotary") == hasattr(bridge, "rotary_emb")
        assert (positions == "standard") == hasattr(bridge, "pos_embed")


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

    def test_offloaded_weights(self, hf, bridge, tokens):
        offloaded = wrap(cpu_offload(copy.deepcopy(hf), execution_device="cpu"))
        expected = hf(tokens).logits
        assert_same(offloaded(tokens), expected)
        logits, cache = offloaded.run_with_cache(tokens)
        assert_same(logits, expected)
        _, whole = bridge.run_with_cache(tokens)
        for name in ("compute_ssm_state", "compute_ssm_effective_attention"):
            torch.testing.assert_close(getattr(cache, name)(), getattr(whole, name)())

    def test_weights_survive_a_round_trip(self, bridge):
        before = {name: weight.clone() for name, weight in bridge.state_dict().items()}
        weights = {name: weight + 0.01 for name, weight in before.items()}
        bridge.load_state_dict(weights)
        after = {name: weight.clone() for name, weight in bridge.state_dict().items()}
        bridge.load_state_dict(before)
        assert after.keys() == weights.keys()
        assert all(torch.equal(after[name], weights[name]) for name in weights)

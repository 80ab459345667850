# Generated from specs/nemotron_h.yaml by `adaptergen build specs/nemotron_h.yaml`.
"""Structure of the Nemotron-H adapter: what it maps, what a block binds, what cfg carries."""

import copy
import functools
from types import SimpleNamespace

import pytest
import torch
from accelerate import cpu_offload

from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge.component_setup import setup_submodules
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.supported_architectures.nemotron_h import (
    NemotronHArchitectureAdapter,
)

# Canonical name -> bridge class and HF path.
MODEL = {
    "embed": "EmbeddingBridge model.embeddings",
    "ln_final": "RMSNormalizationBridge model.norm_f",
    "unembed": "UnembeddingBridge lm_head",
    "blocks": "_NemotronHBlockBridge model.layers",
}
LAYERS = {
    "linear_attention": {
        "norm": "RMSNormalizationBridge norm",
        "mixer": "_FunctionalConvMixerBridge mixer",
        "mixer.in_proj": "LinearBridge in_proj",
        "mixer.conv1d": "DepthwiseConv1DBridge conv1d",
        "mixer.inner_norm": "GatedRMSNormBridge norm",
        "mixer.out_proj": "LinearBridge out_proj",
    },
    "full_attention": {
        "norm": "RMSNormalizationBridge norm",
        "attn": "AttentionBridge mixer",
        "attn.q": "LinearBridge q_proj",
        "attn.k": "LinearBridge k_proj",
        "attn.v": "LinearBridge v_proj",
        "attn.o": "LinearBridge o_proj",
    },
    "moe": {
        "norm": "RMSNormalizationBridge norm",
        "mlp": "MoEBridge mixer",
        "mlp.experts": "GeneralizedComponent experts",
        "mlp.gate": "MoERouterBridge gate",
        "mlp.latent_in": "LinearBridge fc1_latent_proj",
        "mlp.latent_out": "LinearBridge fc2_latent_proj",
        "mlp.shared_experts": "MLPBridge shared_experts",
        "mlp.shared_experts.in": "LinearBridge up_proj",
        "mlp.shared_experts.out": "LinearBridge down_proj",
    },
    "mlp": {
        "norm": "RMSNormalizationBridge norm",
        "mlp": "MLPBridge mixer",
        "mlp.in": "LinearBridge up_proj",
        "mlp.out": "LinearBridge down_proj",
    },
}
# Components that depend on a field of the HF config, and whether it has to be set.
CONDITIONAL = {
    "mlp.latent_in": ("moe_latent_size", True),
    "mlp.latent_out": ("moe_latent_size", True),
}
SLOTS = {"linear_attention": "mixer", "full_attention": "attn", "moe": "mlp", "mlp": "mlp"}
FORMER_KINDS = {"mamba": "linear_attention", "attention": "full_attention"}

# No two values are alike, and none is a default of HF or TransformerLens.
HF_CONFIG = {
    "layers_block_type": ["mamba", "attention", "moe", "mlp", "linear_attention"],
    "mamba_num_heads": 6,
    "mamba_head_dim": 10,
    "n_groups": 14,
    "ssm_state_size": 18,
}
DIMENSIONS = {
    "mamba_num_heads": 6,
    "mamba_head_dim": 10,
    "n_groups": 14,
    "ssm_state_size": 18,
    "mamba_intermediate_size": 60,
    "conv_dim": 564,
}


def make_cfg(**attributes: object) -> TransformerBridgeConfig:
    cfg = TransformerBridgeConfig(
        d_model=32,
        d_head=8,
        n_heads=4,
        n_layers=5,
        n_ctx=64,
        d_vocab=50,
        architecture="NemotronHForCausalLM",
    )
    for name, value in attributes.items():
        setattr(cfg, name, value)
    return cfg


def listing(components: dict[str, GeneralizedComponent], prefix: str = "") -> dict[str, str]:
    lines = {}
    for name, component in components.items():
        lines[prefix + name] = f"{type(component).__name__} {component.name}"
        lines.update(listing(component.submodules, f"{prefix}{name}."))
    return lines


def bind(
    adapter: NemotronHArchitectureAdapter, kind: str, **config: object
) -> GeneralizedComponent:
    """A block bound to a stand-in for the HF block of a layer, as TransformerLens binds it."""
    hf_block = torch.nn.Module()
    hf_block.block_type = kind
    hf_block.inner = torch.nn.Module()
    hf_block.inner.config = SimpleNamespace(**{**{"moe_latent_size": 16}, **config})
    block = copy.deepcopy(adapter.components["blocks"])
    block.name = "model.layers.3"
    block.set_original_component(hf_block)
    return block


def is_there(name: str, value: object) -> bool:
    """Whether a layer has a component where the fields it depends on have this value."""
    return all(
        (value is not None) == is_set
        for path, (_, is_set) in CONDITIONAL.items()
        if f"{name}.".startswith(f"{path}.")
    )


@pytest.fixture
def adapter() -> NemotronHArchitectureAdapter:
    return NemotronHArchitectureAdapter(make_cfg())


class TestComponentMapping:
    def test_model(self, adapter):
        mapping = adapter.get_component_mapping()
        assert {n: f"{type(c).__name__} {c.name}" for n, c in mapping.items()} == MODEL

    @pytest.mark.parametrize("value", [16, None])
    @pytest.mark.parametrize("kind", LAYERS)
    def test_layer_binds_what_its_kind_has(self, adapter, kind, value):
        block = bind(adapter, kind, **dict.fromkeys(["moe_latent_size"], value))
        there = {name for name in LAYERS[kind] if is_there(name, value)}
        assert listing(block.submodules) == {name: LAYERS[kind][name] for name in there}

    @pytest.mark.parametrize("former, kind", FORMER_KINDS.items())
    def test_former_name_of_a_kind(self, adapter, former, kind):
        assert listing(bind(adapter, former).submodules) == listing(bind(adapter, kind).submodules)

    def test_unknown_kind_names_layer_and_kinds(self, adapter):
        with pytest.raises(
            ValueError,
            match=r"\.3.*'window'.*'full_attention'.*'linear_attention'.*'mlp'.*'moe'\]$",
        ):
            bind(adapter, "window")

    @pytest.mark.parametrize("kind", LAYERS)
    def test_aliases_of_the_block(self, adapter, kind):
        assert bind(adapter, kind).hook_aliases == {
            "hook_resid_post": "hook_out",
            "hook_resid_pre": "hook_in",
            "hook_mixer_in": f"{SLOTS[kind]}.hook_in",
            "hook_mixer_out": f"{SLOTS[kind]}.hook_out",
        }


class TestConfig:
    def test_kinds_by_their_canonical_names(self, adapter):
        source = {"layers_block_type": HF_CONFIG["layers_block_type"]}
        from_cfg = NemotronHArchitectureAdapter(make_cfg(**source))
        model = SimpleNamespace(config=SimpleNamespace(**HF_CONFIG))
        adapter.setup_hook_compatibility(SimpleNamespace(original_model=model, blocks=[]))
        for cfg in (from_cfg.cfg, adapter.cfg):
            assert cfg.layers_block_type == [
                "linear_attention",
                "full_attention",
                "moe",
                "mlp",
                "linear_attention",
            ]

    def test_dimensions_from_cfg_that_carries_them(self):
        source = {name: HF_CONFIG[name] for name in HF_CONFIG if name in DIMENSIONS}
        cfg = NemotronHArchitectureAdapter(make_cfg(**source)).cfg
        assert {name: getattr(cfg, name) for name in DIMENSIONS} == DIMENSIONS

    def test_dimensions_from_the_wrapped_model(self, adapter):
        model = SimpleNamespace(config=SimpleNamespace(**HF_CONFIG))
        adapter.setup_hook_compatibility(SimpleNamespace(original_model=model, blocks=[]))
        assert {name: getattr(adapter.cfg, name) for name in DIMENSIONS} == DIMENSIONS

    @pytest.mark.parametrize("name", [name for name in HF_CONFIG if name in DIMENSIONS])
    def test_dimensions_unknown_rather_than_guessed(self, name):
        known = {other: value for other, value in HF_CONFIG.items() if other != name}
        cfg = NemotronHArchitectureAdapter(make_cfg(**known)).cfg
        assert not {"mamba_intermediate_size", "conv_dim"} & set(vars(cfg))


class TestWeightNames:
    @pytest.mark.parametrize(
        "layer, kind",
        list(enumerate(["linear_attention", "full_attention", "moe", "mlp", "linear_attention"])),
    )
    def test_slot_in_the_name(self, layer, kind):
        adapter = NemotronHArchitectureAdapter(make_cfg(**HF_CONFIG))
        for name in LAYERS[kind]:
            # TransformerLens asks with its own names below the module that the slot takes.
            top, *below = name.split(".")
            hf_key = ".".join([LAYERS[kind][top].split()[1], *below, "weight"])
            tl_key = adapter.convert_hf_key_to_tl_key(f"model.layers.{layer}.{hf_key}")
            assert tl_key == f"blocks.{layer}.{name}.weight"


class TestPaths:
    @pytest.mark.parametrize("kind", LAYERS)
    def test_paths_of_a_layer(self, adapter, kind):
        for name in LAYERS[kind]:
            parts = name.split(".")
            above = [".".join(parts[: end + 1]) for end in range(len(parts))]
            hf_path = ".".join(LAYERS[kind][parent].split()[1] for parent in above)
            path = adapter.translate_transformer_lens_path(f"blocks.3.{name}")
            assert path == f"model.layers.3.{hf_path}"


def causal_conv1d_fn(x, weight, bias=None, activation=None, scale=1.0):
    padded = torch.nn.functional.pad(x, (weight.shape[-1] - 1, 0))
    out = scale * torch.nn.functional.conv1d(padded, weight[:, None], bias, groups=len(weight))
    return out if activation is None else torch.nn.functional.silu(out)


def causal_conv1d_update(x, state, weight, bias=None, activation=None, scale=1.0):
    window = torch.cat([state, x.reshape(*state.shape[:2], 1)], dim=-1)
    out = causal_conv1d_fn(window, weight, bias, activation, scale)
    return out[..., -1].reshape(x.shape)


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Mixer(torch.nn.Module):
    """A stand-in for the HF mixer, with the ways of all releases to compute the convolution."""

    def __init__(self):
        super().__init__()
        self.conv1d = torch.nn.Conv1d(3, 3, 2, groups=3, padding=1, dtype=torch.float64)
        self.act = torch.nn.SiLU()
        self.gain = torch.nn.Parameter(torch.tensor(3.0, dtype=torch.float64))
        self.projection = torch.nn.Identity()

    @decorated
    def forward(self, hidden_states, way="sequence", *, before=2, after=1):
        x, length = hidden_states.transpose(1, 2), hidden_states.shape[1]
        weight, bias = self.conv1d.weight.squeeze(1), self.conv1d.bias
        if self.training:
            return hidden_states  # stands for a fused kernel, which calls nothing
        if way == "lacking":
            assert causal_conv1d_update is None
            return causal_conv1d_update(x)
        if way == "sequence":
            out = causal_conv1d_fn(x, weight, bias, activation="silu", scale=2.0)
        elif way == "cached":
            cached = torch.nn.functional.pad(x, (before, 0), value=0.5)
            out = causal_conv1d_fn(cached, weight, bias, activation="silu", scale=2.0)[..., before:]
        elif way == "step":
            state = torch.full((*x.shape[:2], after), 0.5, dtype=x.dtype)
            out = causal_conv1d_update(x, state, weight, bias, "silu", scale=2.0)
        elif way == "step without an axis":
            state = torch.full((*x.shape[:2], after), 0.5, dtype=x.dtype)
            out = causal_conv1d_update(x[..., 0], state, weight, bias, "silu", scale=2.0)[..., None]
        else:
            out = self.act(self.conv1d(x)[..., :length])
        assert out.dtype == x.dtype
        return self.projection(self.gain * out.transpose(1, 2))


class DelegatingMixer(Mixer):
    """A stand-in as in older releases: forward leaves the convolution to another method."""

    compute = Mixer.forward

    def forward(self, *args, **kwargs):
        return self.compute(*args, **kwargs)


class TestConvolution:
    """Hooks of a convolution in each way that a release of HF, or a kernel, may compute it."""

    WAYS = [
        ("sequence", 3),
        ("cached", 3),
        ("cached", 1),
        ("step", 1),
        ("step without an axis", 1),
        ("module", 3),
    ]

    def bound(self, adapter, hf_mixer):
        mixer = bind(adapter, "linear_attention").submodules["mixer"]
        mixer.submodules = {
            "conv1d": mixer.submodules["conv1d"],
            "projection": GeneralizedComponent(name="projection"),
        }
        mixer.set_original_component(hf_mixer.eval())
        setup_submodules(mixer, adapter, hf_mixer)
        return mixer

    @pytest.fixture
    def mixer(self, adapter):
        return self.bound(adapter, Mixer())

    @pytest.mark.parametrize("way, length", WAYS)
    def test_hooks_hold_the_tokens_of_the_call(self, mixer, way, length):
        x = torch.randn(2, length, 3, dtype=torch.float64)
        plain, seen = mixer(x, way), []
        for hook in (mixer.conv1d.hook_in, mixer.conv1d.hook_out):
            hook.add_hook(lambda activation, hook: seen.append(activation))
        torch.testing.assert_close(mixer(x, way), plain)
        before, after = seen
        torch.testing.assert_close(before, x.transpose(1, 2))
        torch.testing.assert_close(3 * mixer.act(after).transpose(1, 2), plain)
        torch.testing.assert_close(mixer(hidden_states=x, way=way), plain)

    @pytest.mark.parametrize("way, length", WAYS)
    def test_edits_take_the_place_of_the_tokens(self, mixer, way, length):
        x = torch.randn(2, length, 3, dtype=torch.float64)
        expected = mixer(x + 1, way)
        mixer.conv1d.hook_in.add_hook(lambda activation, hook: activation + 1)
        torch.testing.assert_close(mixer(x, way), expected)
        mixer.conv1d.hook_out.add_hook(lambda activation, hook: 0 * activation)
        assert torch.equal(mixer(x, way), torch.zeros_like(x))

    @pytest.mark.parametrize("mixer_class", [Mixer, DelegatingMixer])
    @pytest.mark.parametrize("way, length", WAYS)
    def test_offloaded_weights(self, adapter, mixer_class, way, length):
        hf_mixer = mixer_class().eval()
        x = torch.randn(2, length, 3, dtype=torch.float64)
        expected = hf_mixer(x, way)
        mixer = self.bound(adapter, cpu_offload(hf_mixer, execution_device="cpu"))
        torch.testing.assert_close(mixer(x, way), expected)
        mixer.conv1d.hook_out.add_hook(lambda activation, hook: 0 * activation)
        assert torch.equal(mixer(x, way), torch.zeros_like(x))

    def test_other_precision_than_the_weights(self, mixer):
        mixer.conv1d.hook_out.add_hook(lambda activation, hook: None)
        mixer(torch.randn(2, 3, 3))

    def test_function_that_a_release_lacks(self, mixer, monkeypatch):
        monkeypatch.setitem(globals(), "causal_conv1d_update", None)
        mixer.conv1d.hook_out.add_hook(lambda activation, hook: None)
        with pytest.raises(TypeError, match="NoneType"):
            mixer(torch.randn(2, 1, 3), "lacking")

    @pytest.mark.parametrize("name", ["conv1d", "projection"])
    def test_fused_kernel_runs_unless_hooked(self, mixer, name):
        x = torch.randn(2, 3, 3, dtype=torch.float64)
        expected = mixer(x)
        mixer.train()
        assert torch.equal(mixer(x), x)
        getattr(mixer, name).hook_out.add_hook(lambda activation, hook: None)
        torch.testing.assert_close(mixer(x), expected)

    def test_other_hooks_need_no_copy(self, mixer, monkeypatch):
        monkeypatch.delattr(type(mixer), "_forward_with_conv_hooks")
        mixer.projection.hook_out.add_hook(lambda activation, hook: None)
        mixer(torch.randn(2, 3, 3, dtype=torch.float64))

    @pytest.mark.parametrize(
        "attach",
        [
            "register_forward_pre_hook",
            "register_forward_hook",
            "register_full_backward_pre_hook",
            "register_full_backward_hook",
        ],
    )
    def test_hooks_attached_by_methods_of_torch(self, mixer, attach):
        calls = []
        getattr(mixer.conv1d.hook_out, attach)(lambda *args: calls.append(args))
        x = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
        mixer(x).sum().backward()
        assert len(calls) == 1

# Generated from specs/nemotron_h.yaml by `adaptergen build specs/nemotron_h.yaml`.
"""Nemotron-H architecture adapter.

Supports NemotronHForCausalLM. Hybrid decoder of Mamba-2, attention, mixture-of-experts and MLP
layers, one mixer each.

- ``linear_attention``: Mamba-2, bound as ``mixer``
- ``full_attention``: grouped-query attention, bound as ``attn``
- ``moe``: mixture of experts, bound as ``mlp``
- ``mlp``: ungated MLP, bound as ``mlp``

There is no positional embedding; attention rotates neither queries nor keys. Generation keeps the
keys and values of attention and the convolution and recurrent states of Mamba-2 in one cache.
"""

import copy
import functools
import inspect
import types
from collections import ChainMap
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from accelerate.utils import align_module_device

from transformer_lens.ActivationCache import ActivationCache
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge.architecture_adapter import ArchitectureAdapter
from transformer_lens.model_bridge.generalized_components import (
    AttentionBridge,
    DepthwiseConv1DBridge,
    EmbeddingBridge,
    GatedRMSNormBridge,
    LinearBridge,
    MLPBridge,
    MoEBridge,
    MoERouterBridge,
    RMSNormalizationBridge,
    SSM2MixerBridge,
    SSMBlockBridge,
    UnembeddingBridge,
)
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)

# Kinds of layer as older transformers releases name them.
_FORMER_KINDS = {"mamba": "linear_attention", "attention": "full_attention"}

# HF config fields that the dimensions on cfg are derived from.
_HF_FIELDS = (
    "mamba_num_heads",
    "mamba_head_dim",
    "n_groups",
    "ssm_state_size",
)


def _without_hooks(component: GeneralizedComponent, *names: str) -> GeneralizedComponent:
    """Remove hook points and aliases that the HF forward never fires."""
    for name in names:
        if component._hook_registry.pop(name, None) is not None:
            delattr(component, name)
    component.hook_aliases = {
        alias: target for alias, target in component.hook_aliases.items() if alias not in names
    }
    return component


def _over_tokens(component: GeneralizedComponent, *names: str) -> GeneralizedComponent:
    """Mark hook points that join batch and position in their first axis, for ``pos_slice``."""
    for name in names:
        getattr(component, name).pos_dim = 0
    return component


class _LayerKind(NamedTuple):
    """What a block binds on the layers of one kind."""

    slot: str
    build: Callable[[Any], GeneralizedComponent]
    # Paths of submodules that depend on an HF config field, and whether that has to be set.
    conditional: dict[str, tuple[str, bool]] = {}


def _leave_out(
    component: GeneralizedComponent, conditional: dict[str, tuple[str, bool]], hf_config: Any
) -> None:
    """Drop submodules that HF leaves out under its config."""
    for path, (field, is_set) in conditional.items():
        if (getattr(hf_config, field) is not None) != is_set:
            del component.submodules[path]


class _NemotronHBlockBridge(SSMBlockBridge):
    """SSMBlockBridge that binds what its layer has: the slot of its kind and no other."""

    def __init__(
        self,
        name: str,
        config: Any,
        submodules: dict[str, GeneralizedComponent],
        kinds: dict[str, _LayerKind],
    ) -> None:
        # TL translates weight names by the template, so there a slot has what any kind binds.
        slots: dict[str, GeneralizedComponent] = {}
        for kind in kinds.values():
            component = kind.build(config)
            if kind.slot in slots:
                union = {**slots[kind.slot].submodules, **component.submodules}
                component = GeneralizedComponent(component.name, submodules=union)
            slots[kind.slot] = component
        super().__init__(name, config, submodules={**submodules, **slots})
        self._shared = tuple(submodules)
        self.kinds = kinds

    def set_original_component(self, original_component: torch.nn.Module) -> None:
        """Bind the HF block, keeping what its layer has."""
        super().set_original_component(original_component)
        hf_block: Any = original_component
        name = _FORMER_KINDS.get(hf_block.block_type, hf_block.block_type)
        if name not in self.kinds:
            raise ValueError(f"{self.name}: layer kind {name!r} is none of {sorted(self.kinds)}")
        kind = self.kinds[name]
        hf_config = next(m.config for m in hf_block.modules() if hasattr(m, "config"))
        component = kind.build(self.config)
        _leave_out(component, kind.conditional, hf_config)
        self.submodules = {name: self.submodules[name] for name in self._shared}
        self.submodules[kind.slot] = component
        self.hook_aliases = {
            **type(self).hook_aliases,
            "hook_mixer_in": f"{kind.slot}.hook_in",
            "hook_mixer_out": f"{kind.slot}.hook_out",
        }


def _rebind(function: Any, names: dict[str, Any]) -> Any:
    """Copy a function so that, under any decorators, it finds ``names`` before its globals."""
    inner = getattr(function, "__wrapped__", None)
    namespace, closure = function.__globals__, function.__closure__
    if inner is None:
        namespace = {**namespace, **names}
    else:
        cell = types.CellType(_rebind(inner, names))
        closure = tuple(cell if old.cell_contents is inner else old for old in closure)
    clone = types.FunctionType(
        function.__code__, namespace, function.__name__, function.__defaults__, closure
    )
    clone.__kwdefaults__ = function.__kwdefaults__
    return clone


def _is_hooked(module: torch.nn.Module) -> bool:
    """Whether anything is attached, also by methods of torch, which TL does not count."""
    return bool(
        module._forward_pre_hooks
        or module._forward_hooks
        or module._backward_pre_hooks
        or module._backward_hooks
    )


class _FunctionalConvMixerBridge(SSM2MixerBridge):
    """SSM2MixerBridge whose ``conv1d`` hooks fire although HF does not call ``conv1d``.

    HF passes the weight of ``conv1d`` to module-level functions, which a kernel package may
    replace. While a ``conv1d`` hook is attached, a call runs on a shallow copy of the HF mixer
    whose methods find hooked functions in their place; nothing outside that call is touched.
    In training a hook of any submodule does that: HF may have a kernel that calls none of them.

    Both hooks are ``[batch, conv_dim, seq]`` over the tokens of this call (with a cache, HF puts
    padding or earlier tokens before them), and ``hook_out`` is before the activation.
    """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the HF mixer between its hooks."""
        original: Any = self.original_component
        conv1d = self.conv1d
        # HF only reads the weight of conv1d, so no module call loads it when it is offloaded.
        with align_module_device(conv1d.original_component):
            parts = [conv1d.hook_in, conv1d.hook_out]
            if original.training:
                parts = [part for each in self.submodules.values() for part in each.modules()]
            if any(map(_is_hooked, parts)):
                return self._forward_with_conv_hooks(*args, **kwargs)
            return super().forward(*args, **kwargs)

    def compute_effective_attention(
        self, cache: ActivationCache, layer_idx: int, include_dt_scaling: bool = False
    ) -> torch.Tensor:
        """Materialize effective attention, with weights that no module call loads."""
        with align_module_device(self.original_component):
            return super().compute_effective_attention(
                self._without_padding(cache, layer_idx), layer_idx, include_dt_scaling
            )

    def compute_ssm_state(
        self, cache: ActivationCache, layer_idx: int, time_step: int | None = None
    ) -> torch.Tensor:
        """Reconstruct the recurrent state, with weights that no module call loads."""
        with align_module_device(self.original_component):
            return super().compute_ssm_state(
                self._without_padding(cache, layer_idx), layer_idx, time_step
            )

    def _without_padding(self, cache: ActivationCache, layer_idx: int) -> ActivationCache:
        """The cache with what the convolution makes of padding tokens zeroed, as HF does again."""
        mixer = f"blocks.{layer_idx}.mixer"
        before, after = f"{mixer}.in_proj.hook_in", f"{mixer}.conv1d.hook_out"
        if before not in cache or after not in cache:
            return cache
        is_token = (cache[before] != 0).any(-1)  # HF has zeroed what goes in for the others.
        masked = copy.copy(cache)
        masked.cache_dict = {**cache.cache_dict, after: cache[after] * is_token[:, None]}
        return masked

    @torch.compiler.disable
    def _forward_with_conv_hooks(self, *args: Any, **kwargs: Any) -> Any:
        hidden_states = args[0] if args else kwargs["hidden_states"]
        mixer = self._mixer_with_conv_hooks(seq_len=hidden_states.shape[1])
        bridge = copy.copy(self)
        bridge._modules = {**self._modules, "_original_component": mixer}
        return SSM2MixerBridge.forward(bridge, *args, **kwargs)

    def _mixer_with_conv_hooks(self, seq_len: int) -> torch.nn.Module:
        """Copy the HF mixer, sharing parameters and submodules, for a call over ``seq_len`` tokens."""
        original: Any = self.original_component
        hf_conv1d: Any = self.conv1d.original_component
        mixer, conv1d = copy.copy(original), copy.copy(hf_conv1d)
        # Read anew for each call: the functions in it may be replaced at any time.
        namespace = inspect.unwrap(type(original).forward).__globals__

        def hook_tokens(hook: HookPoint, states: torch.Tensor, end: int) -> torch.Tensor:
            """Hook the last ``seq_len`` positions before ``end`` of ``[batch, conv_dim, positions]``."""
            if states.shape[-1] == seq_len:
                return hook(states)
            tokens = states[..., end - seq_len : end]
            hooked = hook(tokens)
            if hooked is tokens:
                return states
            return torch.cat([states[..., : end - seq_len], hooked, states[..., end:]], dim=-1)

        def convolve(run: Any, states: Any, weight: Any, activation: Any = None) -> Any:
            """Convolve ``[batch, conv_dim, positions]`` between the hooks; then activate."""
            end = states.shape[-1]
            out = hook_tokens(self.conv1d.hook_in, states.to(weight.dtype), end)
            out = hook_tokens(self.conv1d.hook_out, run(out), end)
            return (out if activation is None else mixer.act(out)).to(states.dtype)

        def causal_conv1d_fn(
            x: Any, weight: Any, bias: Any = None, activation: Any = None, **kwargs: Any
        ) -> Any:
            function = namespace["causal_conv1d_fn"]

            def run(states: Any) -> Any:
                return function(states, weight, bias, **kwargs)

            return convolve(run, x, weight, activation)

        def causal_conv1d_update(
            x: Any, state: Any, weight: Any, bias: Any = None, activation: Any = None, **kwargs: Any
        ) -> Any:
            function = namespace["causal_conv1d_update"]

            def run(states: Any) -> Any:
                # Before transformers 5.17 a decode step comes without a sequence axis.
                out = function(states.reshape(x.shape), state, weight, bias, **kwargs)
                return out.reshape(states.shape)

            return convolve(run, x.reshape(*x.shape[:2], -1), weight, activation).reshape(x.shape)

        conv1d.forward = lambda states: convolve(hf_conv1d.forward, states, hf_conv1d.weight)
        # Found before the registered submodule, which is the bridge. The fused training kernel
        # would skip the convolution, the norm and out_proj.
        own: dict[str, Any] = {"conv1d": conv1d, "training": False}
        names = {
            function.__name__: function
            for function in (causal_conv1d_fn, causal_conv1d_update)
            if namespace.get(function.__name__) is not None
        }
        # Methods of Module are many, and none of them uses a function of HF.
        bases = type(original).__mro__
        own_bases = bases[: bases.index(torch.nn.Module)]
        for name, method in ChainMap(*(dict(vars(base)) for base in own_bases)).items():
            used = inspect.isfunction(method) and inspect.unwrap(method).__code__.co_names
            if used and (name == "forward" or not names.keys().isdisjoint(used)):
                own[name] = types.MethodType(_rebind(method, names), mixer)
        if "_old_forward" in vars(original):
            # Accelerate keeps the forward it wraps in an attribute.
            own["_old_forward"] = own["forward"]
            own["forward"] = functools.partial(original.forward.func, mixer)
        vars(mixer).update(own)
        return mixer


def _linear_attention(cfg: Any) -> GeneralizedComponent:
    return _FunctionalConvMixerBridge(
        name="mixer",
        config=cfg,
        submodules={
            "in_proj": LinearBridge(name="in_proj"),
            "conv1d": DepthwiseConv1DBridge(name="conv1d"),
            "inner_norm": GatedRMSNormBridge(name="norm"),
            "out_proj": LinearBridge(name="out_proj"),
        },
    )


def _full_attention(cfg: Any) -> GeneralizedComponent:
    return _without_hooks(
        AttentionBridge(
            name="mixer",
            config=cfg,
            submodules={
                "q": LinearBridge(name="q_proj"),
                "k": LinearBridge(name="k_proj"),
                "v": LinearBridge(name="v_proj"),
                "o": LinearBridge(name="o_proj"),
            },
        ),
        "hook_attn_in",
        "hook_hidden_states",
        "hook_k_input",
        "hook_q_input",
        "hook_result",
        "hook_v_input",
    )


def _moe(cfg: Any) -> GeneralizedComponent:
    return _without_hooks(
        MoEBridge(
            name="mixer",
            config=cfg,
            submodules={
                "experts": _over_tokens(
                    GeneralizedComponent(name="experts"), "hook_in", "hook_out"
                ),
                "gate": _over_tokens(
                    MoERouterBridge(name="gate"),
                    "hook_expert_indices",
                    "hook_expert_weights",
                    "hook_out",
                ),
                "latent_in": _over_tokens(
                    LinearBridge(name="fc1_latent_proj"), "hook_in", "hook_out"
                ),
                "latent_out": _over_tokens(
                    LinearBridge(name="fc2_latent_proj"), "hook_in", "hook_out"
                ),
                "shared_experts": MLPBridge(
                    name="shared_experts",
                    submodules={
                        "in": LinearBridge(name="up_proj"),
                        "out": LinearBridge(name="down_proj"),
                    },
                ),
            },
        ),
        "hook_post",
        "hook_pre",
        "hook_router_scores",
    )


def _mlp(cfg: Any) -> GeneralizedComponent:
    return MLPBridge(
        name="mixer",
        submodules={
            "in": LinearBridge(name="up_proj"),
            "out": LinearBridge(name="down_proj"),
        },
    )


class NemotronHArchitectureAdapter(ArchitectureAdapter):
    """Architecture adapter for NemotronHForCausalLM models."""

    def __init__(self, cfg: Any) -> None:
        """Initialize the Nemotron-H architecture adapter."""
        super().__init__(cfg)

        self.cfg.normalization_type = "RMS"
        self.cfg.uses_rms_norm = True
        self.cfg.final_rms = True
        self.cfg.positional_embedding_type = "none"
        self.cfg.is_stateful = True
        # On cfg already where TL passes these HF fields on; or else set when a model is wrapped.
        if hasattr(cfg, "layers_block_type"):
            self._set_kinds(self.cfg, cfg)
        if all(hasattr(cfg, name) for name in _HF_FIELDS):
            self._set_dimensions(self.cfg, cfg)

        self.component_mapping = {
            "embed": EmbeddingBridge(name="model.embeddings"),
            "blocks": _NemotronHBlockBridge(
                name="model.layers",
                config=self.cfg,
                submodules={
                    "norm": RMSNormalizationBridge(name="norm", config=self.cfg),
                },
                kinds={
                    "linear_attention": _LayerKind("mixer", _linear_attention),
                    "full_attention": _LayerKind("attn", _full_attention),
                    "moe": _LayerKind(
                        "mlp",
                        _moe,
                        {
                            "latent_in": ("moe_latent_size", True),
                            "latent_out": ("moe_latent_size", True),
                        },
                    ),
                    "mlp": _LayerKind("mlp", _mlp),
                },
            ),
            "ln_final": RMSNormalizationBridge(name="model.norm_f", config=self.cfg),
            "unembed": UnembeddingBridge(name="lm_head"),
        }

    def setup_hook_compatibility(self, bridge: Any) -> None:
        """Set up what needs the wrapped model."""
        # TL passes only what it knows on to cfg, and components of layers have copies of it.
        parts = [part for block in bridge.blocks for part in block.modules()]
        for cfg in [self.cfg, *(getattr(part, "config", None) for part in parts)]:
            if isinstance(cfg, type(self.cfg)):
                self._set_kinds(cfg, bridge.original_model.config)
                self._set_dimensions(cfg, bridge.original_model.config)

    @staticmethod
    def _set_kinds(cfg: Any, source: Any) -> None:
        """Set the kind of each layer that a TL or HF config gives, by its canonical name."""
        cfg.layers_block_type = [_FORMER_KINDS.get(kind, kind) for kind in source.layers_block_type]

    @staticmethod
    def _set_dimensions(cfg: Any, source: Any) -> None:
        """Set the dimensions that a TL or HF config gives, and what is made from them."""
        cfg.mamba_num_heads = source.mamba_num_heads
        cfg.mamba_head_dim = source.mamba_head_dim
        cfg.n_groups = source.n_groups
        cfg.ssm_state_size = source.ssm_state_size
        cfg.mamba_intermediate_size = cfg.mamba_num_heads * cfg.mamba_head_dim
        cfg.conv_dim = cfg.mamba_intermediate_size + 2 * cfg.n_groups * cfg.ssm_state_size

    def convert_hf_key_to_tl_key(self, hf_key: str) -> str:
        """Translate a weight's name, with the slot that its layer binds."""
        cfg: Any = self.cfg
        blocks: Any = self.components["blocks"]
        part = super().convert_hf_key_to_tl_key(hf_key).split(".")
        if part[0] == "blocks" and part[2] == "mixer":
            part[2] = blocks.kinds[cfg.layers_block_type[int(part[1])]].slot
        return ".".join(part)

    def create_stateful_cache(self, hf_model: Any, batch_size: int, device: Any, dtype: Any) -> Any:
        """One cache for keys and values and for the states of other mixers."""
        from transformers.cache_utils import DynamicCache

        return DynamicCache(config=hf_model.config)

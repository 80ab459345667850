# Generated from specs/deepseek_v2.yaml by `adaptergen build specs/deepseek_v2.yaml`.
"""DeepSeek-V2 architecture adapter.

Supports DeepseekV2ForCausalLM. Decoder with latent attention; the first layers are dense, the
others mixtures of experts.

- ``dense``: gated MLP of a dense layer among sparse ones, bound as ``mlp``
- ``moe``: mixture of experts, bound as ``mlp``

Queries are compressed where the config has q_lora_rank, and projected directly where not. The
rotation is one complex tensor, at rotary_emb.hook_out; there are no cosines and sines.
"""

import copy
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from accelerate.utils import align_module_device

from transformer_lens.conversion_utils.conversion_steps.rearrange_tensor_conversion import (
    RearrangeTensorConversion,
)
from transformer_lens.model_bridge.architecture_adapter import ArchitectureAdapter
from transformer_lens.model_bridge.generalized_components import (
    EmbeddingBridge,
    GatedMLPBridge,
    LinearBridge,
    MLAAttentionBridge,
    MLABlockBridge,
    MoEBridge,
    MoERouterBridge,
    RMSNormalizationBridge,
    UnembeddingBridge,
)
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
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


def _rename_arguments(names: dict[str, str], module: Any, args: Any, kwargs: Any) -> Any:
    return args, {names.get(name, name): value for name, value in kwargs.items()}


def _with_renamed_arguments(
    component: GeneralizedComponent, names: dict[str, str]
) -> GeneralizedComponent:
    """Give a component what HF passes by other names than it reads: HF's name -> its own."""
    rename = functools.partial(_rename_arguments, names)
    component.register_forward_pre_hook(rename, with_kwargs=True)
    return component


class _LayerKind(NamedTuple):
    """What a block binds on the layers of one kind."""

    slot: str
    build: Callable[[Any], GeneralizedComponent]
    # Submodule that the HF blocks of this kind have, and the others do not.
    holds: str


def _leave_out(
    component: GeneralizedComponent, conditional: dict[str, tuple[str, bool]], hf_config: Any
) -> None:
    """Drop submodules that HF leaves out under its config, and hooks that need them."""
    for path, (field, is_set) in conditional.items():
        if (getattr(hf_config, field) is not None) != is_set:
            *parents, name = path.split(".")
            owner = component
            for parent in parents:
                owner = owner.submodules[parent]
            if owner.submodules.pop(name, None) is None:
                _without_hooks(owner, name)


def _has_submodule(module: torch.nn.Module, path: str) -> bool:
    return path in dict(module.named_modules())


class _DeepSeekV2BlockBridge(MLABlockBridge):
    """MLABlockBridge that binds what its layer has: the slot of its kind and no other."""

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
        self.kinds = kinds

    def set_original_component(self, original_component: torch.nn.Module) -> None:
        """Bind the HF block, keeping what its layer has."""
        super().set_original_component(original_component)
        hf_block: Any = original_component
        matching = [kind for kind in self.kinds.values() if _has_submodule(hf_block, kind.holds)]
        if len(matching) != 1:
            known = {name: kind.holds for name, kind in self.kinds.items()}
            raise ValueError(f"{self.name}: expected a layer with exactly one of {known}")
        kind = matching[0]
        hf_config = next(m.config for m in hf_block.modules() if hasattr(m, "config"))
        component = kind.build(self.config)
        self.submodules[kind.slot] = component
        _leave_out(
            self,
            {
                "attn.hook_q_latent": ("q_lora_rank", True),
                "attn.q_proj": ("q_lora_rank", False),
                "attn.q_a_proj": ("q_lora_rank", True),
                "attn.q_a_layernorm": ("q_lora_rank", True),
                "attn.q_b_proj": ("q_lora_rank", True),
            },
            hf_config,
        )


class _FunctionalRouterBridge(MoEBridge):
    """MoEBridge whose router hooks fire also where HF does not call the router.

    Older transformers releases make the logits from the weight of ``gate`` and pass them to
    ``route_tokens_to_experts``. There, a call runs on a shallow copy of the HF module in which that
    method gets what the router's bridge returns.
    """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the HF module between its hooks."""
        hf_router = self.gate.original_component
        if not isinstance(hf_router, torch.nn.Linear):
            return super().forward(*args, **kwargs)
        original: Any = self.original_component
        bridge, router = copy.copy(self), copy.copy(self.gate)
        module: Any = copy.copy(original)
        linear: Any = copy.copy(hf_router)
        bridge._modules = {**self._modules, "_original_component": module}
        router._modules = {**router._modules, "_original_component": linear}

        def make_logits(hidden_states: torch.Tensor) -> torch.Tensor:
            logits = torch.nn.functional.linear(hidden_states.float(), linear.weight.float())
            return logits.flatten(0, -2)

        def run(hidden_states: torch.Tensor) -> Any:
            module.route_tokens_to_experts = lambda logits: original.route_tokens_to_experts(
                router(hidden_states).view(logits.shape)
            )
            return type(original).forward(module, hidden_states)

        linear.forward, module.forward = make_logits, run
        with align_module_device(hf_router):
            return MoEBridge.forward(bridge, *args, **kwargs)


def _dense(cfg: Any) -> GeneralizedComponent:
    return _without_hooks(
        MoEBridge(
            name="mlp",
            config=cfg,
            submodules={
                "dense_gate": LinearBridge(name="gate_proj"),
                "dense_in": LinearBridge(name="up_proj"),
                "dense_out": LinearBridge(name="down_proj"),
            },
        ),
        "hook_router_scores",
    )


def _moe(cfg: Any) -> GeneralizedComponent:
    return _without_hooks(
        _FunctionalRouterBridge(
            name="mlp",
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
                "shared_experts": GatedMLPBridge(
                    name="shared_experts",
                    config=cfg,
                    submodules={
                        "gate": LinearBridge(name="gate_proj"),
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


class DeepSeekV2ArchitectureAdapter(ArchitectureAdapter):
    """Architecture adapter for DeepseekV2ForCausalLM models."""

    supports_fold_ln = False

    def __init__(self, cfg: Any) -> None:
        """Initialize the DeepSeek-V2 architecture adapter."""
        super().__init__(cfg)

        self.cfg.normalization_type = "RMS"
        self.cfg.uses_rms_norm = True
        self.cfg.final_rms = True
        self.cfg.positional_embedding_type = "rotary"
        self.cfg.gated_mlp = True

        self.component_mapping = {
            "embed": EmbeddingBridge(name="model.embed_tokens"),
            "rotary_emb": GeneralizedComponent(name="model.rotary_emb"),
            "blocks": _DeepSeekV2BlockBridge(
                name="model.layers",
                config=self.cfg,
                submodules={
                    "ln1": RMSNormalizationBridge(name="input_layernorm", config=self.cfg),
                    "attn": _without_hooks(
                        _with_renamed_arguments(
                            MLAAttentionBridge(
                                name="self_attn",
                                config=self.cfg,
                                submodules={
                                    "q_proj": LinearBridge(name="q_proj"),
                                    "q_a_proj": LinearBridge(name="q_a_proj"),
                                    "q_a_layernorm": RMSNormalizationBridge(
                                        name="q_a_layernorm", config=self.cfg
                                    ),
                                    "q_b_proj": LinearBridge(name="q_b_proj"),
                                    "kv_a_proj_with_mqa": LinearBridge(name="kv_a_proj_with_mqa"),
                                    "kv_a_layernorm": RMSNormalizationBridge(
                                        name="kv_a_layernorm", config=self.cfg
                                    ),
                                    "kv_b_proj": LinearBridge(name="kv_b_proj"),
                                    "o": LinearBridge(name="o_proj"),
                                },
                            ),
                            {"cache": "past_key_values"},
                        ),
                        "hook_cos",
                        "hook_hidden_states",
                        "hook_sin",
                    ),
                    "ln2": RMSNormalizationBridge(name="post_attention_layernorm", config=self.cfg),
                },
                kinds={
                    "dense": _LayerKind("mlp", _dense, "mlp.gate_proj"),
                    "moe": _LayerKind("mlp", _moe, "mlp.gate"),
                },
            ),
            "ln_final": RMSNormalizationBridge(name="model.norm", config=self.cfg),
            "unembed": UnembeddingBridge(name="lm_head"),
        }

    def setup_hook_compatibility(self, bridge: Any) -> None:
        """Set up what needs the wrapped model."""
        # TL passes only what it knows on to cfg, and components of layers have copies of it.
        parts = [part for block in bridge.blocks for part in block.modules()]
        for cfg in [self.cfg, *(getattr(part, "config", None) for part in parts)]:
            if isinstance(cfg, type(self.cfg)):
                self._set_dimensions(cfg, bridge.original_model.config)
        for block in bridge.blocks:
            # TL splits heads by d_head, which is not the width of these; it does so only once.
            block.attn.setup_hook_compatibility()
            block.attn.o.hook_in.hook_conversion = RearrangeTensorConversion(
                "batch pos (head d_head) -> batch pos head d_head", head=self.cfg.n_heads
            )

    @staticmethod
    def _set_dimensions(cfg: Any, source: Any) -> None:
        """Set the dimensions that an HF config gives."""
        cfg.q_lora_rank = source.q_lora_rank
        cfg.kv_lora_rank = source.kv_lora_rank
        cfg.qk_nope_head_dim = source.qk_nope_head_dim
        cfg.qk_rope_head_dim = source.qk_rope_head_dim
        cfg.v_head_dim = source.v_head_dim

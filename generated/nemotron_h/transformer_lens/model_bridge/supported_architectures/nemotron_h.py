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

from typing import Any

from transformer_lens.model_bridge.architecture_adapter import ArchitectureAdapter
from transformer_lens.model_bridge.generalized_components import (
    DepthwiseConv1DBridge,
    EmbeddingBridge,
    GatedRMSNormBridge,
    LinearBridge,
    MLPBridge,
    MoERouterBridge,
    RMSNormalizationBridge,
    SSMBlockBridge,
    UnembeddingBridge,
)
from transformer_lens.model_bridge.generalized_components.base import (
    GeneralizedComponent,
)
from transformer_lens.model_bridge.generalized_components.hf_attention import (
    HFAttentionBridge,
)
from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    LayerKind,
    blocks_with_kinds,
    configs_of,
    over_tokens,
)
from transformer_lens.model_bridge.generalized_components.mixture import MixtureBridge
from transformer_lens.model_bridge.generalized_components.state_space import (
    StateSpaceMixerBridge,
)
from transformer_lens.model_bridge.generalized_components.taps import Tap, tapped

# Kinds of layer as older transformers releases name them.
_FORMER_KINDS = {"mamba": "linear_attention", "attention": "full_attention"}

# HF config fields that the dimensions on cfg are derived from.
_HF_FIELDS = (
    "mamba_num_heads",
    "mamba_head_dim",
    "n_groups",
    "ssm_state_size",
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

        kinds = {
            "linear_attention": LayerKind(
                "mixer",
                tapped(
                    StateSpaceMixerBridge,
                    {
                        "conv1d.hook_in": Tap(
                            function=("causal_conv1d_fn", "causal_conv1d_update", "conv1d"),
                            argument=0,
                            tokens=2,
                        ),
                        "conv1d.hook_out": Tap(
                            function=("causal_conv1d_fn", "causal_conv1d_update", "conv1d"),
                            tokens=2,
                            activation="act",
                        ),
                    },
                    fused_in_training=True,
                )(
                    name="mixer",
                    config=self.cfg,
                    submodules={
                        "in_proj": LinearBridge(name="in_proj"),
                        "conv1d": DepthwiseConv1DBridge(name="conv1d"),
                        "inner_norm": GatedRMSNormBridge(name="norm"),
                        "out_proj": LinearBridge(name="out_proj"),
                    },
                ),
            ),
            "full_attention": LayerKind(
                "attn",
                HFAttentionBridge(
                    name="mixer",
                    config=self.cfg,
                    submodules={
                        "q": LinearBridge(name="q_proj"),
                        "k": LinearBridge(name="k_proj"),
                        "v": LinearBridge(name="v_proj"),
                        "o": LinearBridge(name="o_proj"),
                    },
                ),
            ),
            "moe": LayerKind(
                "mlp",
                MixtureBridge(
                    name="mixer",
                    config=self.cfg,
                    submodules={
                        "gate": over_tokens(MoERouterBridge(name="gate")),
                        "experts": over_tokens(GeneralizedComponent(name="experts")),
                        "latent_in": over_tokens(LinearBridge(name="fc1_latent_proj")),
                        "latent_out": over_tokens(LinearBridge(name="fc2_latent_proj")),
                        "shared_experts": MLPBridge(
                            name="shared_experts",
                            submodules={
                                "in": LinearBridge(name="up_proj"),
                                "out": LinearBridge(name="down_proj"),
                            },
                        ),
                    },
                ),
                conditional={
                    "latent_in": ("moe_latent_size", True),
                    "latent_out": ("moe_latent_size", True),
                },
            ),
            "mlp": LayerKind(
                "mlp",
                MLPBridge(
                    name="mixer",
                    submodules={
                        "in": LinearBridge(name="up_proj"),
                        "out": LinearBridge(name="down_proj"),
                    },
                ),
            ),
        }
        self.component_mapping = {
            "embed": EmbeddingBridge(name="model.embeddings"),
            "blocks": blocks_with_kinds(
                SSMBlockBridge,
                name="model.layers",
                config=self.cfg,
                submodules={"norm": RMSNormalizationBridge(name="norm", config=self.cfg)},
                kinds=kinds,
                attribute="block_type",
                former=_FORMER_KINDS,
                slot_aliases={"hook_mixer_in": "hook_in", "hook_mixer_out": "hook_out"},
            ),
            "ln_final": RMSNormalizationBridge(name="model.norm_f", config=self.cfg),
            "unembed": UnembeddingBridge(name="lm_head"),
        }

    def setup_hook_compatibility(self, bridge: Any) -> None:
        """Set up what needs the wrapped model."""
        # TL passes only what it knows on to cfg.
        for cfg in configs_of(self.cfg, bridge):
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

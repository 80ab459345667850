"""Attention that Hugging Face computes itself, with hooks on its steps that can be edited."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import torch

from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge.generalized_components.attention import (
    AttentionBridge,
)
from transformer_lens.model_bridge.generalized_components.hf_module import (
    HFModuleBridge,
)
from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    without_hooks,
)
from transformer_lens.model_bridge.generalized_components.mla_attention import (
    MLAAttentionBridge,
)
from transformer_lens.model_bridge.generalized_components.position_embeddings_attention import (
    PositionEmbeddingsAttentionBridge,
)
from transformer_lens.model_bridge.generalized_components.rotary_embedding import (
    RotaryEmbeddingBridge,
)
from transformer_lens.model_bridge.generalized_components.tapped_call import (
    TappedCall,
    shallow_copy,
)
from transformer_lens.model_bridge.generalized_components.taps import Tap, TapsMixin

#: The function of Hugging Face that computes attention step by step.
EAGER = "eager_attention_forward"

#: Functions of Hugging Face that rotate queries and keys by cosines and sines.
ROTATIONS = ("apply_rotary_pos_emb_interleave", "apply_rotary_pos_emb")

#: Rotates queries and keys by one complex tensor.
COMPLEX_ROTATION = "apply_rotary_emb"

#: Scores with the mask, and the pattern: ``[batch, heads, pos, pos]``.
STEPS = {
    "hook_attn_scores": Tap(torch="softmax", argument=0),
    "hook_pattern": Tap(torch="softmax"),
}

#: Cosines and sines, and rotated queries and keys: ``[batch, heads, pos, d_head]``.
ROTATION = {
    "hook_cos": Tap(function=ROTATIONS, argument=2),
    "hook_sin": Tap(function=ROTATIONS, argument=3),
    "hook_rot_q": Tap(function=(*ROTATIONS, COMPLEX_ROTATION), part=0),
    "hook_rot_k": Tap(function=(*ROTATIONS, COMPLEX_ROTATION), part=1),
}

#: Queries, keys and values as attention takes them: ``[batch, heads, pos, d_head]``.
QUERIES_KEYS_VALUES = {
    "hook_q": Tap(function=EAGER, argument=1),
    "hook_k": Tap(function=EAGER, argument=2),
    "hook_v": Tap(function=EAGER, argument=3),
}

class StepwiseAttentionMixin(TapsMixin):
    """Has attention computed step by step where hooks need the steps.

    Hooks on scores, pattern or arguments of the attention function do. With ``sdpa`` the layer
    computes it so while such hooks are attached; other implementations are refused.
    """

    def _further_functions(self, call: TappedCall, names: dict[str, Any]) -> dict[str, Any]:
        """Have attention computed step by step where a tap that is used needs the steps."""
        steps = any(tap.torch for _, tap, _ in call.used)
        if not steps and not any(EAGER in tap.names for _, tap, _ in call.used):
            return {}
        eager = call.function(EAGER)
        if eager is not None:
            # No other function of this module calls the functions of torch that have taps.
            call.has_steps = True
            eager = functools.partial(call.steps, eager)
        if EAGER in names:
            eager = functools.partial(call.call, EAGER, eager)
        config: Any = getattr(call.module, "config", None)
        implementation = getattr(config, "_attn_implementation", None)
        if implementation in (None, "eager"):
            return {EAGER: eager} if eager is not None else {}
        if implementation != "sdpa" or eager is None:
            raise RuntimeError(
                f"{self.name}: the hooks that are attached need attention that is computed step by "
                f"step, and {implementation} has no steps: call "
                "model.set_attn_implementation('eager') on the wrapped model first"
            )
        config = shallow_copy(config)
        config._attn_implementation = "eager"
        call.module.config = config
        return {EAGER: functools.partial(_with_added_mask, eager)}


class HFAttentionMixin(StepwiseAttentionMixin):
    """Keeps the forward of Hugging Face, and serves the switches that ask for more hooks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Attention of TransformerLens has it only where the forward is its own.
        self.supports_attn_result = True
        without_hooks(self, "hook_hidden_states")

    def _plain_forward(self, *args: Any, **kwargs: Any) -> Any:
        return AttentionBridge.forward(cast(AttentionBridge, self), *args, **kwargs)

    def _forward_with_taps(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._forward_with_taps(*args, **kwargs)
        finally:
            self._captured_pre_ln_residual = None

    def _needs_taps(self) -> bool:
        config: Any = self.config
        asked = config.use_attn_result or config.use_split_qkv_input or config.use_attn_in
        return bool(asked) or super()._needs_taps()

    def _replaced_submodules(self) -> dict[str, Callable[..., Any]]:
        config: Any = self.config
        replaced: dict[str, Callable[..., Any]] = {}
        if config.use_attn_result:
            replaced[str(self.o.name)] = self._output_by_head
        if (config.use_split_qkv_input or config.use_attn_in) and self.supports_split_qkv_fork:
            kv_heads = config.n_key_value_heads or config.n_heads
            heads = {"q": config.n_heads, "k": kv_heads, "v": kv_heads}
            forked: dict[str, torch.Tensor] = {}
            for key, number in heads.items():
                child: Any = getattr(self, key)
                project = functools.partial(self._project_by_head, key, number, forked)
                replaced[str(child.name)] = project
        return replaced

    def _output_by_head(self, z: torch.Tensor) -> torch.Tensor:
        """The output projection of ``[batch, pos, heads * width]``, summed from those of heads."""
        z = self.o.hook_in(z)
        config: Any = self.config
        heads = config.n_heads
        by_head = z.view(*z.shape[:2], heads, -1)
        # A protected method of AttentionBridge, which fires hook_result.
        return self.o.hook_out(self._compute_per_head_result(by_head, heads, by_head.shape[-1]))

    def _project_by_head(
        self, key: str, heads: int, forked: dict[str, torch.Tensor], hidden: torch.Tensor
    ) -> torch.Tensor:
        """Queries, keys or values of ``[batch, pos, d_model]``, each head from its own input."""
        config: Any = self.config
        source = self._captured_pre_ln_residual
        source = hidden if source is None else source
        # Protected methods of AttentionBridge, which fork, hook, and project by head.
        if config.use_split_qkv_input:
            hook: HookPoint = getattr(self, f"hook_{key}_input")
            states = self._fork_and_norm_per_head(source, hook, heads)
        else:
            if "all" not in forked:
                forked["all"] = self._fork_and_norm_per_head(
                    source, self.hook_attn_in, config.n_heads
                )
            states = forked["all"][..., :heads, :]
        projection: Any = getattr(self, key)
        width = projection.original_component.weight.shape[0] // heads
        return self._project_per_head_qkv(projection, states, heads, width).flatten(2)


class HFAttentionBridge(HFAttentionMixin, AttentionBridge):
    """Attention without rotation, or with one that has no hooks."""

    supports_split_qkv_fork = False
    taps = STEPS


class HFRotaryAttentionBridge(HFAttentionMixin, PositionEmbeddingsAttentionBridge):
    """Attention that rotates queries and keys by cosines and sines that it is handed."""

    taps = {**ROTATION, **STEPS}

    def _mark_post_reshape_norm_hooks(self) -> None:
        """Leave positions before heads on norms of heads, where most of Hugging Face has them."""


class HFLatentAttentionBridge(HFAttentionMixin, MLAAttentionBridge):
    """Latent attention. Queries, keys and values are those after rotation and decompression.

    The rotation is by cosines and sines, or by one complex tensor, ``hook_freqs_cis``.
    """

    taps = {
        "hook_q_latent": Tap(function="q_a_layernorm"),
        "hook_kv_latent": Tap(function="kv_a_layernorm"),
        **ROTATION,
        "hook_freqs_cis": Tap(function=COMPLEX_ROTATION, argument=2),
        **QUERIES_KEYS_VALUES,
        **STEPS,
        # Since transformers 5.15 these have an axis of one head, and all tokens that are cached.
        "kv_b_proj.hook_in": Tap(function="kv_b_proj", argument=0, flatten=1),
        "kv_b_proj.hook_out": Tap(function="kv_b_proj", flatten=1),
    }


class HFTappedAttentionBridge(StepwiseAttentionMixin, HFModuleBridge):
    """Attention of any form. Its taps say where queries, keys, values, scores and pattern are.

    Heads stand before positions, and after them in what the pattern makes of the values; a product
    takes keys with positions last.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, tap in self.taps.items():
            transposed = name == "hook_k" and tap.torch
            getattr(self, name).pos_dim = -1 if transposed else -3 if name == "hook_z" else -2


class ComplexRotaryEmbeddingBridge(TapsMixin, RotaryEmbeddingBridge):
    """The rotation of each pair as a complex number, ``[1, pos, pairs]``."""

    taps = {"hook_freqs_cis": Tap(function="forward")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Without `hook_out`, TransformerLens does not take the rotation for a part of the stream.
        without_hooks(self, "hook_cos", "hook_sin", "hook_out")


def _with_added_mask(
    eager: Callable[..., Any],
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    **kwargs: Any,
) -> Any:
    """Call attention with the mask that it adds, made from the one that sdpa takes.

    Queries are ``[batch, heads, pos, d_head]``; a mask is boolean, or what is added, or None where
    each token attends to all before it.
    """
    if mask is None and query.shape[-2] > 1:
        length = key.shape[-2]
        mask = torch.ones(query.shape[-2], length, dtype=torch.bool, device=query.device)
        mask = mask.tril(length - query.shape[-2])[None, None]
    if mask is not None and mask.dtype == torch.bool:
        lowest = torch.finfo(query.dtype).min
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, lowest)
    return eager(module, query, key, value, mask, **kwargs)

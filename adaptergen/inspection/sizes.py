"""How small a number of a config becomes in a tiny model: rules over names, the first that fits.

The values differ from each other where a model lets them, so that a size in a shape tells which
field it comes from. All widths are multiples of four, which grouped matrix products ask for.
"""

from __future__ import annotations

import re

HIDDEN = 72
HEADS = 6
HEAD_DIM = 16
VOCAB = 120
POSITIONS = 80

#: How the width of the residual stream is called.
WIDTH = re.compile(r"^(hidden_size(_global)?|d_model|n_embd|emb_dim|dim_model)$")

_KEEP = -1

#: Pattern of a name, and what the number becomes; numbers that are smaller already stay.
_RULES: tuple[tuple[str, int], ...] = tuple(
    (pattern, value)
    for pattern, value in (
        (r"type_vocab_size|^(seed|hash_seed)$", _KEEP),
        (r"vocab", VOCAB),
        (r"position|max_seq|seq_length|n_ctx|context_length|rel_extent", POSITIONS),
        (r"indexer_kv_heads", 1),
        (r"(kv|key_value|key)_?heads?(_per_layer)?$", 3),
        (r"mamba.*heads$|n_mamba_heads", 8),
        (r"heads?$", HEADS),
        (r"qk_rope_head_dim|rotary_dim", 8),
        (r"qk_nope_head_dim", 12),
        (r"v_head_dim|value_head_dim", 20),
        (r"index(er)?_head_dim", 24),
        (r"global_head_dim", 32),
        (r"head_?dim|d_head$|dim_head|kv_channels|head_size", HEAD_DIM),
        (r"kv_lora_rank", 28),
        (r"q_lora_rank", 44),
        (r"o_lora_rank", 52),
        (r"rank", 12),
        (r"per_tok|top_?k$|topk|moe_k$", 2),
        (r"^n_groups?$|ngroups|_groups?$", 2),
        (r"topk_group", 1),
        (r"shared_expert.*size", 56),
        (r"(moe|expert).*(size|dim)", 40),
        (r"num_.*experts|n_routed_experts|experts?(_num)?$", 8),
        (r"num_shared|n_shared", _KEEP),
        (r"intermediate|ffn|inner|feed_forward|mlp_dim|^d?ff$|dim_ff|proj_dim", 64),
        (r"first_k_dense|dense_layers|layer_start|max_window_layers|kv_shared_layers", 1),
        (r"state_size|d_state|ssm_state", 32),
        (r"window|chunk", 8),
        (r"block_size", 8),
        (r"period|interval|pattern|every_n|sparse_step|offset", _KEEP),
        (r"n_floor|floor_scale", _KEEP),
        (r"layer", 2),
        (r"budget", 8),
        (r"compress_ratio", 2),
        (r"codebook_size", 32),
    )
)  # fmt: skip


_WINDOW = re.compile(r"window|chunk")


def small(name: str, value: int, wide: bool = False) -> int:
    """What a number of a config becomes; itself if it is small already or no size."""
    if value <= 2:
        return value
    if wide and _WINDOW.search(name):
        return min(value, POSITIONS)
    number = _rule(name)
    if number is not None:
        return value if number == _KEEP else min(value, number)
    return value if value <= 16 else 24


def known(name: str) -> bool:
    """Whether a rule knows the name."""
    return _rule(name) is not None


def guess(name: str) -> int | None:
    """A number for a field that has none; None where no rule knows its name."""
    number = _rule(name)
    return None if number == _KEEP else number


def _rule(name: str) -> int | None:
    return next((number for pattern, number in _RULES if re.search(pattern, name)), None)

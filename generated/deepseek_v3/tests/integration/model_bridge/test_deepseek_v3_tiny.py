# Generated from specs/deepseek_v3.yaml by `adaptergen build specs/deepseek_v3.yaml`.
"""The DeepSeek-V3 adapter on tiny random models: parity with HF, generation, the hook contract.

Needs neither a checkpoint nor a network. Attention is eager, as ``boot_transformers`` sets it.
"""

from tests.integration.model_bridge.adapter_contract import (
    AdapterContract,
    AdapterTables,
    HookContract,
    LayerTable,
)
from transformer_lens.model_bridge.supported_architectures.deepseek_v3 import (
    DeepSeekV3ArchitectureAdapter,
)

TABLES = AdapterTables(
    architecture="DeepseekV3ForCausalLM",
    blocks="model.layers",
    config={
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
    },
    model=LayerTable(
        components={
            "embed": "EmbeddingBridge model.embed_tokens",
            "rotary_emb": "RotaryEmbeddingBridge model.rotary_emb",
            "ln_final": "RMSNormalizationBridge model.norm",
            "unembed": "UnembeddingBridge lm_head",
        },
        hooks={
            "embed.hook_in": HookContract("batch pos"),
            "embed.hook_out": HookContract("batch pos d_model", aliases="hook_embed"),
            "ln_final.hook_in": HookContract("batch pos d_model"),
            "ln_final.hook_normalized": HookContract("batch pos d_model"),
            "ln_final.hook_out": HookContract("batch pos d_model"),
            "ln_final.hook_scale": HookContract("batch pos 1"),
            "rotary_emb.hook_cos": HookContract("1 pos qk_rope_head_dim"),
            "rotary_emb.hook_in": HookContract("batch pos d_model", state="read_only"),
            "rotary_emb.hook_sin": HookContract("1 pos qk_rope_head_dim"),
            "unembed.hook_in": HookContract("batch pos d_model"),
            "unembed.hook_out": HookContract("batch pos d_vocab", aliases="hook_unembed"),
        },
    ),
    shared=LayerTable(
        components={
            "ln1": "RMSNormalizationBridge input_layernorm",
            "attn": "HFLatentAttentionBridge self_attn",
            "attn.q_proj": "LinearBridge q_proj if not q_lora_rank",
            "attn.q_a_proj": "LinearBridge q_a_proj if q_lora_rank",
            "attn.q_a_layernorm": "RMSNormalizationBridge q_a_layernorm if q_lora_rank",
            "attn.q_b_proj": "LinearBridge q_b_proj if q_lora_rank",
            "attn.kv_a_proj_with_mqa": "LinearBridge kv_a_proj_with_mqa",
            "attn.kv_a_layernorm": "RMSNormalizationBridge kv_a_layernorm",
            "attn.kv_b_proj": "LinearBridge kv_b_proj",
            "attn.o": "LinearBridge o_proj",
            "ln2": "RMSNormalizationBridge post_attention_layernorm",
        },
        hooks={
            "attn.hook_attn_scores": HookContract("batch n_heads pos kv_pos"),
            "attn.hook_cos": HookContract("1 pos qk_rope_head_dim"),
            "attn.hook_in": HookContract("batch pos d_model"),
            "attn.hook_k": HookContract("batch n_heads kv_pos qk_nope_head_dim+qk_rope_head_dim"),
            "attn.hook_kv_latent": HookContract("batch pos kv_lora_rank"),
            "attn.hook_out": HookContract("batch pos d_model"),
            "attn.hook_pattern": HookContract("batch n_heads pos kv_pos"),
            "attn.hook_q": HookContract("batch n_heads pos qk_nope_head_dim+qk_rope_head_dim"),
            "attn.hook_q_latent": HookContract("batch pos q_lora_rank", when="q_lora_rank"),
            "attn.hook_result": HookContract(
                "batch pos n_heads d_model", state="on_request", switch="set_use_attn_result"
            ),
            "attn.hook_rot_k": HookContract("batch pos 1 qk_rope_head_dim"),
            "attn.hook_rot_q": HookContract("batch pos n_heads qk_rope_head_dim"),
            "attn.hook_sin": HookContract("1 pos qk_rope_head_dim"),
            "attn.hook_v": HookContract("batch n_heads kv_pos v_head_dim"),
            "attn.kv_a_layernorm.hook_in": HookContract("batch pos kv_lora_rank"),
            "attn.kv_a_layernorm.hook_normalized": HookContract("batch pos kv_lora_rank"),
            "attn.kv_a_layernorm.hook_out": HookContract("batch pos kv_lora_rank"),
            "attn.kv_a_layernorm.hook_scale": HookContract("batch pos 1"),
            "attn.kv_a_proj_with_mqa.hook_in": HookContract("batch pos d_model"),
            "attn.kv_a_proj_with_mqa.hook_out": HookContract(
                "batch pos kv_lora_rank+qk_rope_head_dim"
            ),
            "attn.kv_b_proj.hook_in": HookContract("batch kv_pos kv_lora_rank"),
            "attn.kv_b_proj.hook_out": HookContract(
                "batch kv_pos n_heads*(qk_nope_head_dim+v_head_dim)"
            ),
            "attn.o.hook_in": HookContract("batch pos n_heads v_head_dim", aliases="attn.hook_z"),
            "attn.o.hook_out": HookContract("batch pos d_model"),
            "attn.q_a_layernorm.hook_in": HookContract("batch pos q_lora_rank", when="q_lora_rank"),
            "attn.q_a_layernorm.hook_normalized": HookContract(
                "batch pos q_lora_rank", when="q_lora_rank"
            ),
            "attn.q_a_layernorm.hook_out": HookContract(
                "batch pos q_lora_rank", when="q_lora_rank"
            ),
            "attn.q_a_layernorm.hook_scale": HookContract("batch pos 1", when="q_lora_rank"),
            "attn.q_a_proj.hook_in": HookContract("batch pos d_model", when="q_lora_rank"),
            "attn.q_a_proj.hook_out": HookContract("batch pos q_lora_rank", when="q_lora_rank"),
            "attn.q_b_proj.hook_in": HookContract("batch pos q_lora_rank", when="q_lora_rank"),
            "attn.q_b_proj.hook_out": HookContract(
                "batch pos n_heads*(qk_nope_head_dim+qk_rope_head_dim)", when="q_lora_rank"
            ),
            "attn.q_proj.hook_in": HookContract("batch pos d_model", when="not q_lora_rank"),
            "attn.q_proj.hook_out": HookContract(
                "batch pos n_heads*(qk_nope_head_dim+qk_rope_head_dim)", when="not q_lora_rank"
            ),
            "hook_in": HookContract("batch pos d_model"),
            "hook_mlp_in": HookContract(
                "batch pos d_model", state="on_request", switch="set_use_hook_mlp_in"
            ),
            "hook_out": HookContract("batch pos d_model"),
            "ln1.hook_in": HookContract("batch pos d_model"),
            "ln1.hook_normalized": HookContract("batch pos d_model"),
            "ln1.hook_out": HookContract("batch pos d_model"),
            "ln1.hook_scale": HookContract("batch pos 1"),
            "ln2.hook_in": HookContract("batch pos d_model"),
            "ln2.hook_normalized": HookContract("batch pos d_model"),
            "ln2.hook_out": HookContract("batch pos d_model"),
            "ln2.hook_scale": HookContract("batch pos 1"),
        },
    ),
    layers=("dense", "moe", "moe"),
    kinds={
        "dense": LayerTable(
            components={
                "mlp": "MixtureBridge mlp",
                "mlp.dense_gate": "LinearBridge gate_proj",
                "mlp.dense_in": "LinearBridge up_proj",
                "mlp.dense_out": "LinearBridge down_proj",
            },
            hooks={
                "mlp.dense_gate.hook_in": HookContract("batch pos d_model"),
                "mlp.dense_gate.hook_out": HookContract("batch pos d_mlp", aliases="mlp.hook_pre"),
                "mlp.dense_in.hook_in": HookContract("batch pos d_model"),
                "mlp.dense_in.hook_out": HookContract(
                    "batch pos d_mlp", aliases="mlp.hook_pre_linear"
                ),
                "mlp.dense_out.hook_in": HookContract("batch pos d_mlp", aliases="mlp.hook_post"),
                "mlp.dense_out.hook_out": HookContract("batch pos d_model"),
                "mlp.hook_in": HookContract("batch pos d_model"),
                "mlp.hook_out": HookContract("batch pos d_model"),
            },
            slot="mlp",
            holds="mlp.gate_proj",
        ),
        "moe": LayerTable(
            components={
                "mlp": "MixtureBridge mlp",
                "mlp.gate": "MoERouterBridge gate",
                "mlp.experts": "GeneralizedComponent experts",
                "mlp.shared_experts": "GatedMLPBridge shared_experts",
                "mlp.shared_experts.gate": "LinearBridge gate_proj",
                "mlp.shared_experts.in": "LinearBridge up_proj",
                "mlp.shared_experts.out": "LinearBridge down_proj",
            },
            hooks={
                "mlp.experts.hook_in": HookContract("batch*pos d_model"),
                "mlp.experts.hook_out": HookContract("batch*pos d_model"),
                "mlp.gate.hook_expert_indices": HookContract(
                    "batch*pos hf.num_experts_per_tok",
                    state="silent",
                    releases="<5.13",
                    aliases="mlp.hook_expert_indices",
                ),
                "mlp.gate.hook_expert_weights": HookContract(
                    "batch*pos hf.n_routed_experts",
                    state="silent",
                    releases="<5.13",
                    aliases="mlp.hook_expert_weights",
                ),
                "mlp.gate.hook_in": HookContract("batch*pos d_model"),
                "mlp.gate.hook_out": HookContract("batch*pos hf.n_routed_experts"),
                "mlp.hook_in": HookContract("batch pos d_model"),
                "mlp.hook_out": HookContract("batch pos d_model"),
                "mlp.shared_experts.gate.hook_in": HookContract(
                    "batch pos d_model", silent_when_processed=True
                ),
                "mlp.shared_experts.gate.hook_out": HookContract(
                    "batch pos hf.moe_intermediate_size*hf.n_shared_experts",
                    aliases="mlp.shared_experts.hook_pre",
                ),
                "mlp.shared_experts.hook_in": HookContract("batch pos d_model"),
                "mlp.shared_experts.hook_out": HookContract("batch pos d_model"),
                "mlp.shared_experts.in.hook_in": HookContract(
                    "batch pos d_model", silent_when_processed=True
                ),
                "mlp.shared_experts.in.hook_out": HookContract(
                    "batch pos hf.moe_intermediate_size*hf.n_shared_experts",
                    aliases="mlp.shared_experts.hook_pre_linear",
                ),
                "mlp.shared_experts.out.hook_in": HookContract(
                    "batch pos hf.moe_intermediate_size*hf.n_shared_experts",
                    aliases="mlp.shared_experts.hook_post",
                ),
                "mlp.shared_experts.out.hook_out": HookContract("batch pos d_model"),
            },
            slot="mlp",
            holds="mlp.gate",
        ),
    },
    block_class="MLABlockBridgeWithKinds",
    aliases={
        "hook_attn_out": "attn.hook_out",
        "hook_mlp_out": "mlp.hook_out",
        "hook_resid_mid": "ln2.hook_in",
        "hook_resid_post": "hook_out",
        "hook_resid_pre": "hook_in",
    },
    flags={
        "normalization_type": "RMS",
        "uses_rms_norm": True,
        "final_rms": True,
        "positional_embedding_type": "rotary",
        "gated_mlp": True,
    },
    carried=("q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"),
    branches={"direct_queries": {"q_lora_rank": None}, "half_rotation": {"rope_interleave": False}},
)


class TestDeepSeekV3ArchitectureAdapter(AdapterContract):
    adapter_class, tables = DeepSeekV3ArchitectureAdapter, TABLES

# Generated from specs/helium.yaml by `adaptergen build specs/helium.yaml`.
"""The Helium adapter on tiny random models: parity with HF, generation, the hook contract.

Needs neither a checkpoint nor a network. Attention is eager, as ``boot_transformers`` sets it.
"""

from tests.integration.model_bridge.adapter_contract import (
    AdapterContract,
    AdapterTables,
    HookContract,
    LayerTable,
)
from transformer_lens.model_bridge.supported_architectures.helium import (
    HeliumArchitectureAdapter,
)

TABLES = AdapterTables(
    architecture="HeliumForCausalLM",
    blocks="model.layers",
    config={
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 128,
        "attention_bias": True,
        "mlp_bias": True,
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
            "rotary_emb.hook_cos": HookContract("1 pos d_head"),
            "rotary_emb.hook_in": HookContract("batch pos d_model", state="read_only"),
            "rotary_emb.hook_sin": HookContract("1 pos d_head"),
            "unembed.hook_in": HookContract("batch pos d_model"),
            "unembed.hook_out": HookContract("batch pos d_vocab", aliases="hook_unembed"),
        },
    ),
    shared=LayerTable(
        components={
            "ln1": "RMSNormalizationBridge input_layernorm",
            "attn": "HFRotaryAttentionBridge self_attn",
            "attn.q": "LinearBridge q_proj",
            "attn.k": "LinearBridge k_proj",
            "attn.v": "LinearBridge v_proj",
            "attn.o": "LinearBridge o_proj",
            "ln2": "RMSNormalizationBridge post_attention_layernorm",
            "mlp": "GatedMLPBridge mlp",
            "mlp.gate": "LinearBridge gate_proj",
            "mlp.in": "LinearBridge up_proj",
            "mlp.out": "LinearBridge down_proj",
        },
        hooks={
            "attn.hook_attn_in": HookContract(
                "batch pos n_heads d_model", state="on_request", switch="set_use_attn_in"
            ),
            "attn.hook_attn_scores": HookContract("batch n_heads pos kv_pos"),
            "attn.hook_cos": HookContract("1 pos d_head"),
            "attn.hook_in": HookContract("batch pos d_model"),
            "attn.hook_k_input": HookContract(
                "batch pos n_key_value_heads|n_heads d_model",
                state="on_request",
                switch="set_use_split_qkv_input",
            ),
            "attn.hook_out": HookContract("batch pos d_model"),
            "attn.hook_pattern": HookContract("batch n_heads pos kv_pos"),
            "attn.hook_q_input": HookContract(
                "batch pos n_heads d_model", state="on_request", switch="set_use_split_qkv_input"
            ),
            "attn.hook_result": HookContract(
                "batch pos n_heads d_model", state="on_request", switch="set_use_attn_result"
            ),
            "attn.hook_rot_k": HookContract("batch pos n_key_value_heads|n_heads d_head"),
            "attn.hook_rot_q": HookContract("batch pos n_heads d_head"),
            "attn.hook_sin": HookContract("1 pos d_head"),
            "attn.hook_v_input": HookContract(
                "batch pos n_key_value_heads|n_heads d_model",
                state="on_request",
                switch="set_use_split_qkv_input",
            ),
            "attn.k.hook_in": HookContract("batch pos d_model"),
            "attn.k.hook_out": HookContract(
                "batch pos n_key_value_heads|n_heads d_head", aliases="attn.hook_k"
            ),
            "attn.o.hook_in": HookContract("batch pos n_heads d_head", aliases="attn.hook_z"),
            "attn.o.hook_out": HookContract("batch pos d_model"),
            "attn.q.hook_in": HookContract("batch pos d_model"),
            "attn.q.hook_out": HookContract("batch pos n_heads d_head", aliases="attn.hook_q"),
            "attn.v.hook_in": HookContract("batch pos d_model"),
            "attn.v.hook_out": HookContract(
                "batch pos n_key_value_heads|n_heads d_head", aliases="attn.hook_v"
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
            "mlp.gate.hook_in": HookContract("batch pos d_model", silent_when_processed=True),
            "mlp.gate.hook_out": HookContract("batch pos d_mlp", aliases="mlp.hook_pre"),
            "mlp.hook_in": HookContract("batch pos d_model"),
            "mlp.hook_out": HookContract("batch pos d_model"),
            "mlp.in.hook_in": HookContract("batch pos d_model", silent_when_processed=True),
            "mlp.in.hook_out": HookContract("batch pos d_mlp", aliases="mlp.hook_pre_linear"),
            "mlp.out.hook_in": HookContract("batch pos d_mlp", aliases="mlp.hook_post"),
            "mlp.out.hook_out": HookContract("batch pos d_model"),
        },
    ),
    aliases={
        "hook_attn_in": "attn.hook_attn_in",
        "hook_attn_out": "attn.hook_out",
        "hook_k_input": "attn.hook_k_input",
        "hook_mlp_out": "mlp.hook_out",
        "hook_q_input": "attn.hook_q_input",
        "hook_resid_mid": "ln2.hook_in",
        "hook_resid_post": "hook_out",
        "hook_resid_pre": "hook_in",
        "hook_v_input": "attn.hook_v_input",
    },
    flags={
        "normalization_type": "RMS",
        "uses_rms_norm": True,
        "final_rms": True,
        "positional_embedding_type": "rotary",
        "rotary_adjacent_pairs": True,
        "gated_mlp": True,
    },
    branches={
        "one_key_for_each_query": {"num_key_value_heads": 4},
        "without_biases": {"attention_bias": False, "mlp_bias": False},
        "tied_embeddings": {"tie_word_embeddings": True},
    },
)


class TestHeliumArchitectureAdapter(AdapterContract):
    adapter_class, tables = HeliumArchitectureAdapter, TABLES

# Generated from specs/nemotron_h.yaml by `adaptergen build specs/nemotron_h.yaml`.
"""The Nemotron-H adapter on tiny random models: parity with HF, generation, the hook contract.

Needs neither a checkpoint nor a network. Attention is eager, as ``boot_transformers`` sets it.
"""

from tests.integration.model_bridge.adapter_contract import (
    AdapterContract,
    AdapterTables,
    HookContract,
    LayerTable,
)
from transformer_lens.model_bridge.supported_architectures.nemotron_h import (
    NemotronHArchitectureAdapter,
)

TABLES = AdapterTables(
    architecture="NemotronHForCausalLM",
    blocks="model.layers",
    config={
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
    },
    model=LayerTable(
        components={
            "embed": "EmbeddingBridge model.embeddings",
            "ln_final": "RMSNormalizationBridge model.norm_f",
            "unembed": "UnembeddingBridge lm_head",
        },
        hooks={
            "embed.hook_in": HookContract("batch pos"),
            "embed.hook_out": HookContract("batch pos d_model", aliases="hook_embed"),
            "ln_final.hook_in": HookContract("batch pos d_model"),
            "ln_final.hook_normalized": HookContract("batch pos d_model"),
            "ln_final.hook_out": HookContract("batch pos d_model"),
            "ln_final.hook_scale": HookContract("batch pos 1"),
            "unembed.hook_in": HookContract("batch pos d_model"),
            "unembed.hook_out": HookContract("batch pos d_vocab", aliases="hook_unembed"),
        },
    ),
    shared=LayerTable(
        components={
            "norm": "RMSNormalizationBridge norm",
        },
        hooks={
            "hook_in": HookContract("batch pos d_model"),
            "hook_out": HookContract("batch pos d_model"),
            "norm.hook_in": HookContract("batch pos d_model"),
            "norm.hook_normalized": HookContract("batch pos d_model"),
            "norm.hook_out": HookContract("batch pos d_model"),
            "norm.hook_scale": HookContract("batch pos 1"),
        },
    ),
    layers=("linear_attention", "full_attention", "moe", "mlp", "linear_attention"),
    kinds={
        "linear_attention": LayerTable(
            components={
                "mixer": "StateSpaceMixerBridge mixer",
                "mixer.in_proj": "LinearBridge in_proj",
                "mixer.conv1d": "DepthwiseConv1DBridge conv1d",
                "mixer.inner_norm": "GatedRMSNormBridge norm",
                "mixer.out_proj": "LinearBridge out_proj",
            },
            hooks={
                "mixer.conv1d.hook_in": HookContract(
                    "batch conv_dim pos", state="silent_in_decode", releases="<5.15"
                ),
                "mixer.conv1d.hook_out": HookContract(
                    "batch conv_dim pos",
                    state="silent_in_decode",
                    releases="<5.15",
                    aliases="mixer.hook_conv",
                ),
                "mixer.hook_in": HookContract("batch pos d_model"),
                "mixer.hook_out": HookContract("batch pos d_model", aliases="mixer.hook_ssm_out"),
                "mixer.hook_ssm_state": HookContract(
                    "batch pos mamba_num_heads mamba_head_dim ssm_state_size",
                    state="on_request",
                    switch="eager_scan",
                ),
                "mixer.hook_ssm_write": HookContract(
                    "batch pos mamba_num_heads mamba_head_dim ssm_state_size",
                    state="on_request",
                    switch="eager_scan",
                ),
                "mixer.in_proj.hook_in": HookContract("batch pos d_model"),
                "mixer.in_proj.hook_out": HookContract(
                    "batch pos mamba_intermediate_size+conv_dim+mamba_num_heads",
                    aliases="mixer.hook_in_proj",
                ),
                "mixer.inner_norm.hook_gate": HookContract("batch pos mamba_intermediate_size"),
                "mixer.inner_norm.hook_in": HookContract("batch pos mamba_intermediate_size"),
                "mixer.inner_norm.hook_out": HookContract(
                    "batch pos mamba_intermediate_size", aliases="mixer.hook_inner_norm"
                ),
                "mixer.out_proj.hook_in": HookContract("batch pos mamba_intermediate_size"),
                "mixer.out_proj.hook_out": HookContract("batch pos d_model"),
            },
            slot="mixer",
            formerly=("mamba",),
        ),
        "full_attention": LayerTable(
            components={
                "attn": "HFAttentionBridge mixer",
                "attn.q": "LinearBridge q_proj",
                "attn.k": "LinearBridge k_proj",
                "attn.v": "LinearBridge v_proj",
                "attn.o": "LinearBridge o_proj",
            },
            hooks={
                "attn.hook_attn_scores": HookContract("batch n_heads pos kv_pos"),
                "attn.hook_in": HookContract("batch pos d_model"),
                "attn.hook_out": HookContract("batch pos d_model"),
                "attn.hook_pattern": HookContract("batch n_heads pos kv_pos"),
                "attn.hook_result": HookContract(
                    "batch pos n_heads d_model", state="on_request", switch="set_use_attn_result"
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
            },
            slot="attn",
            formerly=("attention",),
        ),
        "moe": LayerTable(
            components={
                "mlp": "MixtureBridge mixer",
                "mlp.gate": "MoERouterBridge gate",
                "mlp.experts": "GeneralizedComponent experts",
                "mlp.latent_in": "LinearBridge fc1_latent_proj if moe_latent_size",
                "mlp.latent_out": "LinearBridge fc2_latent_proj if moe_latent_size",
                "mlp.shared_experts": "MLPBridge shared_experts",
                "mlp.shared_experts.in": "LinearBridge up_proj",
                "mlp.shared_experts.out": "LinearBridge down_proj",
            },
            hooks={
                "mlp.experts.hook_in": HookContract("batch*pos hf.moe_latent_size|d_model"),
                "mlp.experts.hook_out": HookContract("batch*pos hf.moe_latent_size|d_model"),
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
                "mlp.latent_in.hook_in": HookContract("batch*pos d_model", when="moe_latent_size"),
                "mlp.latent_in.hook_out": HookContract(
                    "batch*pos hf.moe_latent_size", when="moe_latent_size"
                ),
                "mlp.latent_out.hook_in": HookContract(
                    "batch*pos hf.moe_latent_size", when="moe_latent_size"
                ),
                "mlp.latent_out.hook_out": HookContract(
                    "batch*pos d_model", when="moe_latent_size"
                ),
                "mlp.shared_experts.hook_in": HookContract("batch pos d_model"),
                "mlp.shared_experts.hook_out": HookContract("batch pos d_model"),
                "mlp.shared_experts.in.hook_in": HookContract("batch pos d_model"),
                "mlp.shared_experts.in.hook_out": HookContract(
                    "batch pos hf.moe_shared_expert_intermediate_size",
                    aliases="mlp.shared_experts.hook_pre",
                ),
                "mlp.shared_experts.out.hook_in": HookContract(
                    "batch pos hf.moe_shared_expert_intermediate_size",
                    aliases="mlp.shared_experts.hook_post",
                ),
                "mlp.shared_experts.out.hook_out": HookContract("batch pos d_model"),
            },
            slot="mlp",
        ),
        "mlp": LayerTable(
            components={
                "mlp": "MLPBridge mixer",
                "mlp.in": "LinearBridge up_proj",
                "mlp.out": "LinearBridge down_proj",
            },
            hooks={
                "mlp.hook_in": HookContract("batch pos d_model"),
                "mlp.hook_out": HookContract("batch pos d_model"),
                "mlp.in.hook_in": HookContract("batch pos d_model"),
                "mlp.in.hook_out": HookContract("batch pos d_mlp", aliases="mlp.hook_pre"),
                "mlp.out.hook_in": HookContract("batch pos d_mlp", aliases="mlp.hook_post"),
                "mlp.out.hook_out": HookContract("batch pos d_model"),
            },
            slot="mlp",
        ),
    },
    block_class="SSMBlockBridgeWithKinds",
    aliases={
        "hook_mixer_in": "mixer.hook_in attn.hook_in mlp.hook_in",
        "hook_mixer_out": "mixer.hook_out attn.hook_out mlp.hook_out",
        "hook_resid_post": "hook_out",
        "hook_resid_pre": "hook_in",
    },
    told_by="block_type",
    listed_in="layers_block_type",
    flags={
        "normalization_type": "RMS",
        "uses_rms_norm": True,
        "final_rms": True,
        "positional_embedding_type": "none",
    },
    carried=("mamba_num_heads", "mamba_head_dim", "n_groups", "ssm_state_size"),
    derived={
        "mamba_intermediate_size": "mamba_num_heads * mamba_head_dim",
        "conv_dim": "mamba_intermediate_size + 2 * n_groups * ssm_state_size",
    },
    cache="DynamicCache",
    branches={"latent_experts": {"moe_latent_size": 16}},
)


class TestNemotronHArchitectureAdapter(AdapterContract):
    adapter_class, tables = NemotronHArchitectureAdapter, TABLES

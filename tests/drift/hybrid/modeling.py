# ruff: noqa: RUF012
"""A small hybrid with the shape of those in transformers, which the tests change in one place each.

A layer has one norm, one mixer and one residual. The mixer is a gated convolution, grouped-query
attention, or a mixture of experts with a shared one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from transformers import DynamicCache, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast


class HybridCache(DynamicCache):
    pass


class HybridConfig(PreTrainedConfig):
    model_type = "drift_hybrid"
    attribute_map = {"layer_types": "layers_block_type"}

    vocab_size: int = 64
    hidden_size: int = 32
    num_hidden_layers: int = 4
    layers_block_type: list[str] | None = None
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 16
    inner_size: int = 48
    conv_kernel: int = 4
    intermediate_size: int = 40
    shared_width: int = 24
    expert_width: int = 20
    n_routed_experts: int = 4
    num_experts_per_tok: int = 2
    latent_size: int | None = None
    rope_theta: float = 10000.0

    def __post_init__(self, **kwargs):
        if self.layers_block_type is None:
            self.layers_block_type = [
                "linear_attention",
                "full_attention",
                "moe",
                "linear_attention",
            ]
        self.num_hidden_layers = len(self.layers_block_type)
        super().__post_init__(**kwargs)


class HybridRMSNorm(nn.Module):
    def __init__(self, size, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.variance_epsilon = eps

    def forward(self, hidden_states):
        variance = hidden_states.pow(2).mean(-1, keepdim=True)
        return self.weight * (hidden_states * torch.rsqrt(variance + self.variance_epsilon))


class HybridGatedNorm(HybridRMSNorm):
    def forward(self, hidden_states, gate=None):
        return super().forward(hidden_states * F.silu(gate))


def convolve(states, weight, bias):
    return F.conv1d(states, weight, bias, padding=weight.shape[-1] - 1, groups=states.shape[1])


class HybridConvMixer(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx
        self.inner, self.kernel = config.inner_size, config.conv_kernel
        self.in_proj = nn.Linear(config.hidden_size, 2 * self.inner, bias=False)
        self.conv1d = nn.Conv1d(
            self.inner, self.inner, self.kernel, groups=self.inner, padding=self.kernel - 1
        )
        self.D = nn.Parameter(torch.ones(self.inner))
        self.norm = HybridGatedNorm(self.inner)
        self.out_proj = nn.Linear(self.inner, config.hidden_size, bias=False)

    def forward(self, hidden_states, cache_params=None, attention_mask=None):
        gate, states = self.in_proj(hidden_states).chunk(2, dim=-1)
        if attention_mask is not None and attention_mask.shape[-1] == states.shape[1]:
            states = states * attention_mask[..., None]
        states = states.transpose(1, 2)
        length = states.shape[-1]
        if cache_params is not None:
            states = cache_params.update_conv_state(
                states, self.layer_idx, conv_kernel_size=self.kernel
            )
        states = self.conv1d(states)[..., : states.shape[-1]]
        states = F.silu(states[..., -length:]).transpose(1, 2) * self.D
        return self.out_proj(self.norm(states, gate))


class HybridAttention(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.config, self.layer_idx = config, layer_idx
        self.head_dim = config.head_dim
        self.groups = config.num_attention_heads // config.num_key_value_heads
        self.scaling = self.head_dim**-0.5
        queries = config.num_attention_heads * self.head_dim
        keys = config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, queries, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, keys, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, keys, bias=False)
        self.o_proj = nn.Linear(queries, config.hidden_size, bias=False)

    def forward(self, hidden_states, past_key_values=None, attention_mask=None, **kwargs):
        shape = hidden_states.shape[:-1]
        query, key, value = (
            project(hidden_states).view(*shape, -1, self.head_dim).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        key, value = key.repeat_interleave(self.groups, 1), value.repeat_interleave(self.groups, 1)
        scores = query @ key.transpose(2, 3) * self.scaling
        weights = (scores if attention_mask is None else scores + attention_mask).softmax(dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(*shape, -1)
        return self.o_proj(mixed), weights


class HybridMLP(nn.Module):
    def __init__(self, size, width):
        super().__init__()
        self.up_proj = nn.Linear(size, width, bias=False)
        self.act_fn = nn.ReLU()
        self.down_proj = nn.Linear(width, size, bias=False)

    def forward(self, hidden_states):
        return self.down_proj(self.act_fn(self.up_proj(hidden_states)))


class HybridRouter(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.top_k = config.num_experts_per_tok
        self.weight = nn.Parameter(torch.empty(config.n_routed_experts, config.hidden_size))

    def forward(self, hidden_states):
        logits = F.linear(hidden_states.view(-1, hidden_states.shape[-1]), self.weight)
        weights, indices = logits.sigmoid().topk(self.top_k, dim=-1)
        return logits, weights, indices


class HybridExperts(nn.Module):
    def __init__(self, config):
        super().__init__()
        experts, size, width = config.n_routed_experts, config.hidden_size, config.expert_width
        self.up_proj = nn.Parameter(torch.empty(experts, width, size))
        self.down_proj = nn.Parameter(torch.empty(experts, size, width))

    def forward(self, hidden_states, top_k_index, top_k_weights):
        hidden = torch.einsum("td,ewd->tew", hidden_states, self.up_proj).relu()
        outputs = torch.einsum("tew,edw->ted", hidden, self.down_proj)
        chosen = outputs.gather(1, top_k_index[..., None].expand(-1, -1, outputs.shape[-1]))
        return (chosen * top_k_weights[..., None]).sum(dim=1)


class HybridMoE(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.gate = HybridRouter(config)
        self.experts = HybridExperts(config)
        self.shared_experts = HybridMLP(config.hidden_size, config.shared_width)

    def forward(self, hidden_states):
        _, weights, indices = self.gate(hidden_states)
        tokens = hidden_states.view(-1, hidden_states.shape[-1])
        routed = self.experts(tokens, indices, weights).view(hidden_states.shape)
        return routed + self.shared_experts(hidden_states)


MIXERS = {"linear_attention": HybridConvMixer, "full_attention": HybridAttention, "moe": HybridMoE}


class HybridBlock(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.config = config
        self.block_type = config.layers_block_type[layer_idx]
        self.norm = HybridRMSNorm(config.hidden_size)
        self.mixer = MIXERS[self.block_type](config, layer_idx)

    def forward(self, hidden_states, past_key_values=None, masks=None, **kwargs):
        residual = hidden_states
        hidden_states = self.norm(hidden_states)
        if self.block_type == "linear_attention":
            hidden_states = self.mixer(
                hidden_states, cache_params=past_key_values, attention_mask=masks[0]
            )
        elif self.block_type == "full_attention":
            hidden_states, _ = self.mixer(
                hidden_states, past_key_values=past_key_values, attention_mask=masks[1]
            )
        else:
            hidden_states = self.mixer(hidden_states)
        return residual + hidden_states


class HybridPreTrainedModel(PreTrainedModel):
    config_class = HybridConfig
    base_model_prefix = "model"
    _is_stateful = True

    def _init_weights(self, module):
        for parameter in module.parameters(recurse=False):
            nn.init.normal_(parameter, std=0.2)


class HybridModel(HybridPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            [HybridBlock(config, index) for index in range(config.num_hidden_layers)]
        )
        self.norm_f = HybridRMSNorm(config.hidden_size)
        self.post_init()

    def get_input_embeddings(self):
        return self.embeddings

    def forward(
        self, input_ids=None, attention_mask=None, past_key_values=None, use_cache=None, **kwargs
    ):
        if past_key_values is None and use_cache is not False:
            past_key_values = DynamicCache(config=self.config)
        hidden_states = self.embeddings(input_ids)
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        masks = attention_mask, self.causal_mask(input_ids, attention_mask, past)
        for layer in self.layers:
            hidden_states = layer(hidden_states, past_key_values=past_key_values, masks=masks)
        return BaseModelOutputWithPast(
            last_hidden_state=self.norm_f(hidden_states), past_key_values=past_key_values
        )

    def causal_mask(self, input_ids, attention_mask, past):
        length = input_ids.shape[1]
        seen = torch.arange(past + length)[None] <= past + torch.arange(length)[:, None]
        if attention_mask is not None:
            seen = seen & attention_mask[:, None, None, : past + length].bool()
        return torch.zeros(seen.shape).masked_fill(~seen, -1e9)


class DriftHybridForCausalLM(HybridPreTrainedModel, GenerationMixin):
    _tied_weights_keys = {}

    def __init__(self, config):
        super().__init__(config)
        self.model = HybridModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def _prepare_cache_for_generation(self, generation_config, model_kwargs, *args, **kwargs):
        if generation_config.use_cache:
            model_kwargs["past_key_values"] = HybridCache(config=self.config)

    def forward(
        self, input_ids=None, attention_mask=None, past_key_values=None, use_cache=None, **kwargs
    ):
        outputs = self.model(input_ids, attention_mask, past_key_values, use_cache)
        return CausalLMOutputWithPast(
            logits=self.lm_head(outputs.last_hidden_state),
            past_key_values=outputs.past_key_values,
        )

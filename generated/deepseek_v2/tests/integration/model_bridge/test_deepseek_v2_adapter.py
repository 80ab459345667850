# Generated from specs/deepseek_v2.yaml by `adaptergen build specs/deepseek_v2.yaml`.
"""The DeepSeek-V2 adapter on a real checkpoint: logits and greedy tokens equal to HF's.

DEEPSEEK_V2_CHECKPOINT names another checkpoint, a Hub id or a folder. With a GPU the model runs
there in bfloat16, spread by accelerate over what one device cannot hold. Without one,
DEEPSEEK_V2_CPU_MEMORY (such as ``8GB``) limits what stays in memory; the rest goes to disk.
"""

import os

import pytest
import torch
from transformers import AutoTokenizer, DeepseekV2ForCausalLM

from tests.integration.model_bridge.adapter_contract.loading import load_checked
from transformer_lens.model_bridge import TransformerBridge

pytestmark = pytest.mark.slow

CHECKPOINT = os.environ.get("DEEPSEEK_V2_CHECKPOINT", "deepseek-ai/DeepSeek-V2-Lite")
CPU_MEMORY = os.environ.get("DEEPSEEK_V2_CPU_MEMORY")
NEW_TOKENS = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    placement = {}
    if torch.cuda.is_available():
        placement = {"device_map": "auto", "dtype": torch.bfloat16}
    elif CPU_MEMORY:
        folder = str(tmp_path_factory.mktemp("offload"))
        memory = {"cpu": CPU_MEMORY}
        placement = {"device_map": "auto", "max_memory": memory, "offload_folder": folder}
    model, faults = load_checked(
        DeepseekV2ForCausalLM,
        CHECKPOINT,
        attn_implementation="eager",
        trust_remote_code=False,
        **placement,
    )
    assert not faults, "\n".join(f"{name}: {fault}" for name, fault in faults.items())
    return model.eval()


@pytest.fixture(scope="module")
def tokens(model):
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT, trust_remote_code=False)
    prompt = "The capital of France is"
    return tokenizer(prompt, return_tensors="pt").input_ids.to(model.device)


@pytest.fixture(scope="module")
def expected(model, tokens):
    """What HF computes, before the bridge takes the model over."""
    with torch.no_grad():
        logits = model(tokens).logits
        greedy = model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=None,
        )
    return logits, greedy


@pytest.fixture(scope="module")
def bridge(model, expected):
    return TransformerBridge.boot_transformers(CHECKPOINT, hf_model=model)


def test_logits(bridge, tokens, expected):
    with torch.no_grad():
        assert torch.equal(bridge(tokens), expected[0])
        assert torch.equal(bridge.run_with_cache(tokens)[0], expected[0])


def test_greedy_tokens(bridge, tokens, expected):
    actual = bridge.generate(
        tokens, max_new_tokens=NEW_TOKENS, do_sample=False, stop_at_eos=False, verbose=False
    )
    assert torch.equal(actual, expected[1])

"""Tiny Nemotron-H models and the two adapters for them: the generated one and the installed one.

Importing this skips the test module, with the reason, where something heavy is missing.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

WHY = "pip install 'adaptergen[verify]'"
torch = pytest.importorskip("torch", reason=f"needs torch: {WHY}")
transformers = pytest.importorskip("transformers", reason=f"needs transformers: {WHY}")
pytest.importorskip("transformer_lens", reason=f"needs transformer-lens: {WHY}")

from transformers import DynamicCache, NemotronHForCausalLM  # noqa: E402
from transformers.models.nemotron_h import modeling_nemotron_h as modeling  # noqa: E402

from transformer_lens.model_bridge import TransformerBridge  # noqa: E402
from transformer_lens.model_bridge.sources import _bridge_builder  # noqa: E402
from transformer_lens.model_bridge.supported_architectures import (  # noqa: E402
    nemotron_h as installed,
)

PROJECT = Path(__file__).parents[2]
GENERATED = PROJECT / "generated" / "nemotron_h"
ADAPTER = "transformer_lens/model_bridge/supported_architectures/nemotron_h.py"
#: The folder beside it with what adapters share.
RUNTIME = "_runtime"
ARCHITECTURE = "NemotronHForCausalLM"

CONFIG: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "hybrid_override_pattern": "M*E-MM",
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 48,
    "mamba_num_heads": 6,
    "mamba_head_dim": 8,
    "n_groups": 2,
    "ssm_state_size": 16,
    # Smaller than the longest prompts, so that they span chunks.
    "chunk_size": 4,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "moe_shared_expert_intermediate_size": 40,
    "moe_latent_size": 16,
    "initializer_range": 0.2,
}
MAMBA = [0, 4, 5]
CONV = [f"blocks.{layer}.mixer.conv1d.hook_{end}" for layer in MAMBA for end in ("in", "out")]
CONV_OUT = CONV[1::2]


def load(path: Path, name: str) -> ModuleType:
    """A Python file as a module of its own name; what is installed stays untouched."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


register = load(GENERATED / "register.py", "generated_nemotron_h_register")
# What adapters share has to be importable before one is loaded.
register.shared()
ours = load(GENERATED / ADAPTER, "generated_nemotron_h")


def make_hf(seed: int = 0, **config: Any) -> Any:
    torch.manual_seed(seed)
    made = NemotronHForCausalLM.config_class(**{**CONFIG, **config}, attn_implementation="eager")
    model = NemotronHForCausalLM(made).eval()
    with torch.no_grad():
        for layer in MAMBA if not config.get("hybrid_override_pattern") else []:
            # HF starts with the same decay and skip in every layer and no bias at all.
            mixer = model.model.layers[layer].mixer
            mixer.D.uniform_(0.5, 1.5)
            mixer.conv1d.bias.uniform_(-0.5, 0.5)
    return model


def wrap(model: Any, adapters: ModuleType = ours, tokenizer: Any = None) -> Any:
    """The bridge over a model, which it takes over, without TransformerLens' own loading."""
    cfg = _bridge_builder.build_bridge_config_from_hf(
        model.config, ARCHITECTURE, "tiny", torch.float32
    )
    adapter = adapters.NemotronHArchitectureAdapter(cfg)
    return TransformerBridge(model, adapter, tokenizer=tokenizer)


def copy_generated(folder: Path) -> Path:
    """A copy of the adapter's folder and of what adapters share, to be changed."""
    for name in (GENERATED.name, RUNTIME):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(GENERATED.parent / name, folder / name, ignore=ignored)
    return folder / GENERATED.name


def fresh(adapters: ModuleType = ours, **config: Any) -> Any:
    return wrap(make_hf(**config), adapters)


def lift_limit(bridge: Any) -> Any:
    """HF limits dt in a prefill and not in a decode step: without that, the two are comparable."""
    for layer in MAMBA:
        bridge.blocks[layer].mixer.original_component.time_step_limit = (0.0, float("inf"))
    return bridge


def prompt(length: int, batch: int = 2, seed: int = 1) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, CONFIG["vocab_size"], (batch, length), generator=generator)


def hf_greedy(model: Any, tokens: Any, new: int, mask: Any = None) -> Any:
    return model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens) if mask is None else mask,
        max_new_tokens=new,
        do_sample=False,
        eos_token_id=None,
    )


def greedy(bridge: Any, tokens: Any, new: int, **options: Any) -> Any:
    return bridge.generate(
        tokens, max_new_tokens=new, do_sample=False, stop_at_eos=False, verbose=False, **options
    )


def save_checkpoint(folder: Path, **options: Any) -> list[str]:
    """Save a model and a tokenizer with one word for each token; the names of the weight files."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    special = {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>"}
    words = [*special.values(), "The", "capital", "of", "France", "is"]
    words += [f"w{number}" for number in range(len(words), CONFIG["vocab_size"])]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<unk>", **special
    ).save_pretrained(folder)
    make_hf().save_pretrained(folder, **options)
    return sorted(path.name for path in folder.glob("*.safetensors"))


def run(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path = PROJECT,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """A Python of its own, which neither asks a network nor sees what this process changed."""
    inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    return subprocess.run(
        [sys.executable, *map(str, command)],
        env={**inherited, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **(env or {})},
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
    )


def run_pytest(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path = PROJECT,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    options: Sequence[str] = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib")
    return run("-m", "pytest", *options, *arguments, env=env, cwd=cwd, stdin=stdin)


__all__ = [
    "ADAPTER",
    "ARCHITECTURE",
    "CONFIG",
    "CONV",
    "CONV_OUT",
    "GENERATED",
    "MAMBA",
    "PROJECT",
    "RUNTIME",
    "DynamicCache",
    "NemotronHForCausalLM",
    "TransformerBridge",
    "_bridge_builder",
    "copy",
    "copy_generated",
    "fresh",
    "greedy",
    "hf_greedy",
    "installed",
    "lift_limit",
    "load",
    "make_hf",
    "modeling",
    "ours",
    "prompt",
    "register",
    "run",
    "run_pytest",
    "save_checkpoint",
    "torch",
    "transformers",
    "wrap",
]

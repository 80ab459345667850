"""Runs the adapters that read an attribute which never reaches them, and writes docs/audit.md.

    python tests/audit/confirm.py

For each finding a tiny model is made whose config has another value than the default, and wrapped
twice: as TransformerLens does it, and with the attribute among those that are passed on. What cfg
lacked in the first run shows that the finding is true; what differs in the second shows what it
does. Exit code 1: a finding is not confirmed.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers

from adaptergen.audit.audit import audit
from adaptergen.audit.findings import Finding
from adaptergen.catalogue.library import find_installed, installed_version
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.factories.architecture_adapter_factory import SUPPORTED_ARCHITECTURES
from transformer_lens.model_bridge.sources import _bridge_builder

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"
PLAIN = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
MOE = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2,
       "moe_intermediate_size": 16}  # fmt: skip
#: Adapter -> architecture, and the config of a tiny model beside what all have.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "CohereArchitectureAdapter": ("CohereForCausalLM", {}),
    "Gemma2ArchitectureAdapter": ("Gemma2ForCausalLM", {}),
    "GraniteMoeHybridArchitectureAdapter": ("GraniteMoeHybridForCausalLM", {
        "layer_types": ["mamba", "attention"], "mamba_n_heads": 8, "mamba_d_head": 8,
        "mamba_d_state": 8, "mamba_n_groups": 1, "shared_intermediate_size": 16,
        "num_experts_per_tok": 2, "position_embedding_type": "rope",
    }),
    "HrmTextArchitectureAdapter": ("HrmTextForCausalLM", {}),
    "HubertArchitectureAdapter": ("HubertForCTC", {
        "conv_dim": [16, 16], "conv_kernel": [10, 3], "conv_stride": [5, 2],
        "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
    }),
    "JambaArchitectureAdapter": ("JambaForCausalLM", {
        "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
        "expert_layer_offset": 1, "num_experts": 4, "use_mamba_kernels": False,
        "mamba_d_state": 8, "mamba_dt_rank": 4,
    }),
    "Lfm2MoeArchitectureAdapter": ("Lfm2MoeForCausalLM", {
        "layer_types": ["conv", "full_attention"], "num_dense_layers": 1, **MOE,
    }),
    "NanoChatArchitectureAdapter": ("NanoChatForCausalLM", {}),
    "NemotronHArchitectureAdapter": ("NemotronHForCausalLM", {
        "hybrid_override_pattern": "M*-M", "n_groups": 2, "chunk_size": 32,
        "mamba_num_heads": 6, "mamba_head_dim": 8, "ssm_state_size": 16,
        "num_hidden_layers": None,
    }),
    "PhiMoEArchitectureAdapter": ("PhiMoEForCausalLM", MOE),
    "RecurrentGemmaArchitectureAdapter": ("RecurrentGemmaForCausalLM", {
        "lru_width": 32, "attention_window_size": 16, "block_types": ["recurrent", "attention"],
    }),
}  # fmt: skip
#: Checkpoints on the Hub spell it otherwise than transformers does.
CLASSES = {"PhiMoEForCausalLM": "PhimoeForCausalLM"}
TEXT = {key: value for key, value in PLAIN.items() if not key.endswith("_token_id")}
MODELS["Gemma4ArchitectureAdapter"] = ("Gemma4ForConditionalGeneration", {
    "text_config": {**TEXT, "global_head_dim": 8, "num_kv_shared_layers": 0,
                    "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 64,
                    "layer_types": ["sliding_attention", "full_attention"]},
    "vision_config": {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                      "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8},
    "audio_config": None,
})  # fmt: skip
#: Values that are neither the default of the adapter nor that of Hugging Face.
VALUES: dict[str, Any] = {
    "default_theta": 777.0, "final_logit_softcapping": 11.0, "attn_logit_softcapping": 13.0,
    "vision_soft_tokens_per_image": 9, "num_local_experts": 4, "num_key_value_heads": 2,
    "num_attention_heads": 4, "do_stable_layer_norm": True, "rope_theta": 777.0,
    "logits_soft_cap": 17.0, "mamba_num_heads": 6, "mamba_head_dim": 8, "ssm_state_size": 16,
    "rms_norm_eps": 0.125,
}  # fmt: skip


def tiny(adapter: str, attribute: str) -> tuple[str, Any, Any]:
    """Architecture, model, and the value that its config has for the attribute."""
    architecture, more = MODELS[adapter]
    cls = getattr(transformers, CLASSES.get(architecture, architecture))
    fields = {**({} if "text_config" in more else PLAIN), **more}
    config = cls.config_class(**{key: one for key, one in fields.items() if one is not None})
    config.architectures = [architecture]
    setattr(config, attribute, VALUES[attribute])
    torch.manual_seed(0)
    return architecture, cls(config).eval(), getattr(config, attribute)


@contextlib.contextmanager
def missed() -> Iterator[set[str]]:
    """The attributes that are asked of a bridge's config and not there."""
    names: set[str] = set()
    original = getattr(TransformerBridgeConfig, "__getattr__", None)

    def noting(self: Any, name: str) -> Any:
        names.add(name)
        if original is not None:
            return original(self, name)
        raise AttributeError(name)

    TransformerBridgeConfig.__getattr__ = noting  # type: ignore[attr-defined]
    try:
        yield names
    finally:
        if original is None:
            del TransformerBridgeConfig.__getattr__  # type: ignore[attr-defined]
        else:
            TransformerBridgeConfig.__getattr__ = original  # type: ignore[attr-defined]


def confirm_finding(finding: Finding) -> tuple[bool, str, str]:
    """Whether it is true; the model's value; what differs once the attribute is passed on."""
    adapter, attribute = finding.subject.split(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        architecture, model, value = tiny(adapter, attribute)
        as_it_is, names = state(model, architecture)
        attributes = _bridge_builder._HF_PASSTHROUGH_ATTRS
        attributes.append(attribute)
        try:
            _, model, _ = tiny(adapter, attribute)
            passed_on, _ = state(model, architecture)
        except Exception as error:
            told = f"wrapping raises {type(error).__name__}"
            return attribute in names, repr(value), told
        finally:
            attributes.remove(attribute)
    differs = [
        f"`{key}`: {as_it_is.get(key, 'missing')} instead of {passed_on.get(key, 'missing')}"
        for key in sorted({*as_it_is, *passed_on} - {f"cfg.{attribute}"})
        if as_it_is.get(key) != passed_on.get(key)
    ]
    return attribute in names, repr(value), "; ".join(differs[:4]) or "nothing"


def state(model: Any, architecture: str) -> tuple[dict[str, str], set[str]]:
    """What a bridge around a model is, and what its config was asked for in vain."""
    config = model.config
    with missed() as names:
        bridge = _bridge_builder.build_bridge_from_module(model, architecture, hf_config=config)
    found = {f"cfg.{key}": repr(value) for key, value in vars(bridge.cfg).items()}
    found["adapter.supports_fold_ln"] = repr(getattr(bridge.adapter, "supports_fold_ln", True))
    blocks = bridge.adapter.component_mapping.get("blocks")
    if blocks is not None:
        found["submodules of a block"] = ", ".join(sorted(blocks.submodules))
    return found, set(names)


def main() -> int:
    package = find_installed()
    assert package is not None
    found = [one for one in audit(package).findings if one.code == "unreached-attribute"]
    rows, wrong = [], []
    for finding in found:
        true, value, effect = confirm_finding(finding)
        adapter, attribute = finding.subject.split(".")
        default = finding.problem.message.split("(")[1].split(")")[0]
        assert SUPPORTED_ARCHITECTURES
        said = "yes" if true else "**no**"
        rows.append(f"| {adapter.removesuffix('ArchitectureAdapter')} | `{attribute}` "
                    f"| {default} | {value} | {said} | {effect} |")  # fmt: skip
        wrong += [] if true else [finding.subject]
    PAGE.write_text(page(rows), encoding="utf-8")
    for subject in wrong:
        print(f"not confirmed: {subject}")
    return 1 if wrong else 0


def page(rows: list[str]) -> str:
    table = "\n".join(rows)
    return f"""\
# Attributes that adapters read and that never reach them

Written by `python tests/audit/confirm.py`: what `adaptergen audit` finds by reading in
transformer-lens {installed_version()}, each confirmed by running the adapter on a tiny model of
transformers {transformers.__version__} whose value is not the default.

*Missed*: cfg did not have the attribute when the adapter asked. *Effect*: what is otherwise once
the attribute is among those that TransformerLens passes on.

| Adapter | Attribute | Without it | The model's value | Missed | Effect |
| --- | --- | --- | --- | --- | --- |
{table}
"""


if __name__ == "__main__":
    sys.exit(main())

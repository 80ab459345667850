"""Config files of published models: their values win, sizes differ, no name is a coincidence."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import adaptergen
from adaptergen.facts import Facts

pytestmark = pytest.mark.heavy

FOLDERS = (
    Path(__file__).parent / "checkpoints",
    Path(adaptergen.__file__).parent / "data" / "checkpoints",
)
FILES = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.json"))}
every = pytest.mark.parametrize("name", FILES)

#: What the rules give a number of their own: layers, tokens and positions.
CHOSEN = re.compile(r"layers$|token_id$|position|vocab")


def values(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILES[name].read_text("utf-8"))
    return found


@cache
def tiny(name: str) -> Any:
    from adaptergen.inspection.target import load_class, read_target
    from adaptergen.inspection.tiny_model import tiny_model

    target = read_target(str(FILES[name]))
    return tiny_model(load_class(target), target.config)


@cache
def full(name: str) -> Any:
    from adaptergen.inspection.config_fields import full_config
    from adaptergen.inspection.tiny_model import fields_of_model

    return full_config(type(tiny(name).model.config), fields_of_model(values(name)))


@cache
def facts(name: str) -> Facts:
    from adaptergen.inspection.observe import observe_class

    return observe_class(type(tiny(name).model), values(name))


def test_there_are_files() -> None:
    assert len(FILES) >= 20


@every
def test_it_runs_with_a_cache(name: str) -> None:
    assert tiny(name).error == ""


@every
def test_values_of_the_file_win(name: str) -> None:
    from adaptergen.inspection.config_fields import declared, read

    config, real = tiny(name).model.config, full(name)
    looked_at = 0
    for field, value in values(name).items():
        if field not in declared(type(config)) or CHOSEN.search(field):
            continue
        small = type(value) is int and value <= 2
        if small or isinstance(value, (bool, str, float)):
            # A config may have its own word for what the file says.
            assert read(config, field) == read(real, field), field
            looked_at += 1
    assert looked_at >= 1
    for field in ("rope_theta", "rope_type", "factor", "mscale", "high_freq_factor"):
        assert rotation(config).get(field) == rotation(real).get(field), field


def rotation(config: Any) -> dict[str, Any]:
    return getattr(config, "rope_parameters", None) or {}


@every
def test_sizes_are_apart(name: str) -> None:
    from adaptergen.inspection.shapes import size_fields

    model, real = tiny(name).model, dict(size_fields(full(name)))
    sizes = {field: size for field, size in size_fields(model.config) if size > 2}
    for field, size in sizes.items():
        alike = {other for other, value in sizes.items() if value == size}
        # What the published model has alike, such as heads for queries and for keys, stays so.
        assert {real[other] for other in alike} == {real[field]}, alike
    assert sum(parameter.numel() for parameter in model.parameters()) < 1_000_000


@pytest.mark.parametrize(
    ("name", "dense", "settings"),
    [
        ("moonshotai--Kimi-K2-Instruct", 1, {"n_group": 1, "topk_group": 1, "n_shared_experts": 1}),
        (
            "moonshotai--Moonlight-16B-A3B--from-figures", 1,
            {"n_group": 1, "n_shared_experts": 2, "q_lora_rank": None},
        ),
        ("deepseek-ai--DeepSeek-V2--from-figures", 1, {"n_shared_experts": 2}),
        ("deepseek-ai--DeepSeek-V2-Lite", 1, {"n_shared_experts": 2, "n_group": 1}),
        ("mistralai--Mixtral-8x7B-v0.1", 0, {"num_experts_per_tok": 2, "num_local_experts": 8}),
    ],
)  # fmt: skip
def test_small_numbers(name: str, dense: int, settings: dict[str, Any]) -> None:
    chosen = tiny(name).settings
    assert {field: chosen[field] for field in settings} == settings
    kinds = {kind.name: kind.layers for kind in facts(name).branches[0].kinds}
    assert [len(layers) for kind, layers in kinds.items() if "MLP]" in kind] == [dense] * dense


def test_a_field_that_the_class_does_not_declare() -> None:
    # Its heads are together wider than the stream.
    name = "Qwen--Qwen3-30B-A3B"
    config = tiny(name).model.config
    assert config.head_dim * config.num_attention_heads != config.hidden_size
    (kind,) = facts(name).branches[0].kinds
    (q_proj,) = [one for one in kind.modules if one.path == "self_attn.q_proj"]
    assert q_proj.parameters["weight"].sizes[0] == ("num_attention_heads * head_dim",)


def shapes(name: str, path: str) -> set[tuple[str, ...]]:
    """Shapes of tensors that a module outside the layers returns, in the first run."""
    calls = facts(name).branches[0].traces["prefill"].outside
    (returned,) = [call.returns for call in calls if call.path == path]
    return {item.shape for item in returned.items}


def test_no_name_by_coincidence() -> None:
    # Half a head, and as wide as there are experts by default.
    assert shapes("openai--gpt-oss-120b", "model.rotary_emb") == {("1", "pos", "head_dim // 2")}
    # A third of a head, and as wide as there are heads.
    assert shapes("XiaomiMiMo--MiMo-V2-Flash", "model.rotary_emb") == {("1", "pos", "6")}


def test_a_second_model_has_other_sizes() -> None:
    from adaptergen.inspection.coincidence import resized
    from adaptergen.inspection.shapes import size_fields

    model = tiny("openai--gpt-oss-120b")
    one, other = (dict(size_fields(found.model.config)) for found in (model, resized(model)))
    assert all(one[field] != other[field] for field in one if one[field] > 2)
    factors = {other[field] / one[field] for field in one if one[field] > 2}
    assert len(factors) > 1


def test_what_two_models_do_not_share_is_a_number() -> None:
    from adaptergen.inspection.coincidence import without_coincidences

    found = facts("mistralai--Mixtral-8x7B-v0.1").branches[0]
    config = tiny("mistralai--Mixtral-8x7B-v0.1").model.config
    text = found.model_dump_json().replace('"num_key_value_heads"', '"7"')
    again = type(found).model_validate_json(text)
    (layer,) = without_coincidences(found, again, config, config).cache.layers
    assert layer.states["keys"] == ("batch", "3", "past + pos", "16")


def test_lists_of_layers_and_factors() -> None:
    import transformers

    from adaptergen.inspection.tiny_model import tiny_model

    long = {"rope_type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
    base = {"hidden_size": 3072, "num_attention_heads": 32, "rope_scaling": long,
            "original_max_position_embeddings": 4096}  # fmt: skip
    chosen = tiny_model(transformers.Phi3ForCausalLM, base).settings
    assert len(chosen["rope_parameters"]["long_factor"]) == 8
    chosen = tiny_model(transformers.Qwen3MoeForCausalLM, {"mlp_only_layers": [0, 30]}).settings
    assert chosen["mlp_only_layers"] == [0]
    base = {"first_k_dense_replace": 0, "hidden_size": 640, "num_attention_heads": 5}
    model = tiny_model(transformers.DeepseekV3ForCausalLM, base)
    assert model.settings["first_k_dense_replace"] == 0 and model.settings["hidden_size"] == 72
    base = {"num_attention_heads": 5, "num_key_value_heads": 5, "hidden_size": 640}
    assert tiny_model(transformers.LlamaForCausalLM, base).settings["hidden_size"] == 80

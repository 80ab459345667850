"""What is seen of classes of transformers."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from adaptergen.facts import Branch, Call, Facts, Kind

pytestmark = pytest.mark.heavy

CAUSAL_CONV = ["bias", "weight"]


@cache
def facts(name: str, every: bool = False) -> Facts:
    import transformers

    from adaptergen.inspection.observe import observe_class

    return observe_class(getattr(transformers, name), every=every)


def branch_named(found: Facts, name: str) -> Branch:
    (branch,) = [branch for branch in found.branches if branch.name == name]
    return branch


def kind_named(branch: Branch, name: str) -> Kind:
    (kind,) = [kind for kind in branch.kinds if kind.name == name]
    return kind


def call(branch: Branch, scenario: Any, kind: str, path: str) -> Call:
    trace = branch.traces[scenario]
    calls = trace.inside[kind] if kind else trace.outside
    (found,) = [call for call in calls if call.path == path]
    return found


def sizes(branch: Branch, kind: str, path: str, name: str) -> list[str]:
    found = kind_named(branch, kind)
    (module,) = [module for module in found.modules if module.path == path]
    return [names[0] if names else "" for names in module.parameters[name].sizes]


class TestNemotronH:
    @property
    def default(self) -> Branch:
        return facts("NemotronHForCausalLM").branches[0]

    def test_kinds(self) -> None:
        assert self.default.layers_path == "model.layers"
        kinds = {kind.name: kind.layers for kind in self.default.kinds}
        assert kinds == {
            "linear_attention": (0,), "moe": (1,), "full_attention": (2,), "mlp": (3,),
        }  # fmt: skip

    def test_config(self) -> None:
        config = facts("NemotronHForCausalLM").config
        assert config.aliases["layer_types"] == "layers_block_type"
        assert config.older["mamba_n_groups"] == "n_groups"
        assert config.older["hybrid_override_pattern"] == "layers_block_type"
        assert {"moe_latent_size", "sliding_window"} <= set(config.none)
        assert config.fields["hidden_size"].default == 4096
        assert config.fields["hidden_size"].type == "int"

    def test_vocabulary(self) -> None:
        vocabulary = facts("NemotronHForCausalLM").config.vocabulary
        assert vocabulary is not None and vocabulary.field == "layers_block_type"
        assert vocabulary.words == ("full_attention", "linear_attention", "mlp", "moe")
        assert vocabulary.older == {"mamba": "linear_attention", "attention": "full_attention"}

    def test_parameters_are_told_by_fields(self) -> None:
        branch = self.default
        assert sizes(branch, "full_attention", "mixer.k_proj", "weight") == [
            "num_key_value_heads * head_dim", "hidden_size",
        ]  # fmt: skip
        assert sizes(branch, "moe", "mixer.gate", "weight") == ["n_routed_experts", "hidden_size"]
        (conv,) = sizes(branch, "linear_attention", "mixer.conv1d", "bias")
        for field in ("mamba_num_heads", "mamba_head_dim", "n_groups", "ssm_state_size"):
            assert field in conv

    def test_identities(self) -> None:
        kind = kind_named(self.default, "moe")
        states = {module.path: module.state for module in kind.modules}
        assert states["mixer.fc1_latent_proj"] == "identity"
        branch = branch_named(facts("NemotronHForCausalLM", True), "moe_latent_size=44")
        kind = kind_named(branch, "moe")
        assert {m.path: m.state for m in kind.modules}["mixer.fc1_latent_proj"] == "module"

    def test_router_returns_three(self) -> None:
        import transformers
        from packaging.version import Version

        returned = call(self.default, "prefill", "moe", "mixer.gate").returns
        if Version(transformers.__version__) >= Version("5.13"):
            assert returned.type == "tuple" and len(returned.items) == 3
            assert returned.items[0].shape == ("batch * pos", "n_routed_experts")

    def test_hidden_states(self) -> None:
        mixer = call(self.default, "prefill", "full_attention", "mixer")
        assert mixer.takes["hidden_states"].hidden
        assert [item.hidden for item in mixer.returns.items] == [True, False]
        assert call(self.default, "decode", "full_attention", "").returns.hidden

    def test_order(self) -> None:
        trace = self.default.traces["no_cache"]
        order = [one.path for one in trace.outside]
        assert order.index("model.embeddings") < order.index("model.layers.*")
        assert order.index("model.layers.*") < order.index("model.norm_f") < order.index("lm_head")

    def test_cache(self) -> None:
        cache = self.default.cache
        assert cache.cls == "transformers.cache_utils.DynamicCache"
        held = {layer.kind: (layer.cls.rpartition(".")[2], layer.states) for layer in cache.layers}
        cls, states = held["full_attention"]
        assert cls == "DynamicLayer"
        assert states["keys"] == ("batch", "num_key_value_heads", "past + pos", "head_dim")
        assert held["linear_attention"][0] == "LinearAttentionLayer"

    def test_the_convolution_is_functional(self) -> None:
        import transformers
        from packaging.version import Version

        if Version(transformers.__version__) < Version("5.17"):
            pytest.skip("before 5.17 the convolution is called as a module")
        uses = self.default.functional
        assert [use.parameter for use in uses] == ["mixer.conv1d.bias", "mixer.conv1d.weight"]
        for use in uses:
            assert use.function.endswith("NemotronHMamba2Mixer.forward")
            assert use.file.endswith("models/nemotron_h/modeling_nemotron_h.py") and use.line
            assert use.scenarios == ("prefill", "decode", "no_cache", "padded")
        calls = self.default.traces["prefill"].inside["linear_attention"]
        assert "mixer.conv1d" not in [one.path for one in calls]

    def test_a_kernel_in_the_place_of_the_function(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import torch
        import transformers
        from transformers.models.nemotron_h import modeling_nemotron_h as module

        from adaptergen.inspection.observe import observe_class

        if not hasattr(module, "causal_conv1d_fn"):
            pytest.skip("before 5.17 no such function is called")
        monkeypatch.setattr(module, "causal_conv1d_fn", opaque(module.causal_conv1d_fn, torch))
        seen = observe_class(transformers.NemotronHForCausalLM).branches[0]
        assert [(u.parameter, u.function) for u in seen.functional] == [
            (u.parameter, u.function) for u in self.default.functional
        ]


def opaque(function: Any, torch: Any) -> Any:
    """The function, computed where no operation on the weight can be seen."""

    def kernel(x: Any, weight: Any, bias: Any = None, *args: Any, **kwargs: Any) -> Any:
        copied = [torch.from_numpy(t.detach().numpy().copy()) for t in (weight, bias)]
        return function(x, *copied, *args, **kwargs)

    return kernel


class TestDeepSeek:
    def test_kinds_without_words(self) -> None:
        kinds = [kind.name for kind in facts("DeepseekV2ForCausalLM").branches[0].kinds]
        assert kinds == ["layer[mlp=DeepseekV2MLP]", "layer[mlp=DeepseekV2Moe]"]

    def test_branches(self) -> None:
        found = facts("DeepseekV2ForCausalLM", True)
        names = {branch.name for branch in found.branches}
        assert {"default", "q_lora_rank=none", "tie_word_embeddings=true"} <= names
        assert {"attention_bias=true"} <= names
        (kind, _) = branch_named(found, "q_lora_rank=none").kinds
        paths = {module.path for module in kind.modules}
        assert "self_attn.q_proj" in paths and "self_attn.q_a_proj" not in paths
        tied = branch_named(found, "tie_word_embeddings=true").tied
        assert tied == (("lm_head.weight", "model.embed_tokens.weight"),)
        assert found.branches[0].tied == ()
        assert not [branch.error for branch in found.branches if branch.error]


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "MistralForCausalLM"])
def test_an_explicit_head_dim_is_a_branch(name: str) -> None:
    found = facts(name, True)
    (branch,) = [one for one in found.branches if one.name.startswith("head_dim=")]
    assert not branch.error and not [t.error for t in branch.traces.values() if t.error]
    (q_proj, _) = sizes(branch, "layer", "self_attn.q_proj", "weight")
    assert q_proj == "num_attention_heads * head_dim"


@pytest.mark.parametrize(
    ("name", "kind", "width"),
    [
        ("LlamaForCausalLM", "layer", "hidden_size"),
        ("HeliumForCausalLM", "layer", "hidden_size"),
        ("NemotronHForCausalLM", "full_attention", "hidden_size"),
        ("GPT2LMHeadModel", "layer", "n_embd"),
    ],
)
def test_the_residual_stream_is_called_by_its_field(name: str, kind: str, width: str) -> None:
    layer = call(facts(name).branches[0], "prefill", kind, "")
    (first, *_) = [v for v in layer.takes.values() if v.type == "tensor"]
    returned = layer.returns.items[0] if layer.returns.type == "tuple" else layer.returns
    assert first.shape == returned.shape == ("batch", "pos", width)


def test_what_a_convolution_pads_is_no_size_of_the_config() -> None:
    branch = facts("RecurrentGemmaForCausalLM").branches[0]
    conv = call(branch, "prefill", "recurrent", "temporal_block.conv_1d")
    assert conv.takes["input"].shape[2] == "pos" and conv.returns.shape[2] == "pos + 3"


def test_words_that_the_default_lacks_have_a_layer() -> None:
    branch = facts("Lfm2ForCausalLM").branches[0]
    assert {kind.word for kind in branch.kinds} == {"conv", "full_attention"}
    assert {use.module for use in branch.functional} == {"conv.conv"}


def test_a_word_with_which_no_cache_works_is_no_kind() -> None:
    branch = facts("Zamba2ForCausalLM").branches[0]
    assert "full_attention" not in {kind.word for kind in branch.kinds}
    assert not [trace.error for trace in branch.traces.values() if trace.error]
    assert branch.cache.cls and not branch.cache.error


def test_a_model_needs_a_layer_of_attention_beside_those_it_knows_by_name() -> None:
    words = {kind.word for kind in facts("GraniteMoeHybridForCausalLM").branches[0].kinds}
    assert words in ({"full_attention", "linear_attention"}, {"attention", "mamba"})


def test_a_method_that_fires_no_hook() -> None:
    (use,) = facts("JetMoeForCausalLM").branches[0].functional
    assert (use.parameter, use.how) == ("self_attention.experts.bias", "method")
    assert use.function.endswith("JetMoeMoA.reduce")


def test_a_projection_that_is_only_passed_on() -> None:
    uses = facts("MambaForCausalLM").branches[0].functional
    assert {use.module for use in uses} == {"mixer.conv1d", "mixer.dt_proj"}


def test_a_model_that_is_given_makes_the_same_calls() -> None:
    import transformers

    from adaptergen.inspection.observe import observe_model
    from adaptergen.inspection.tiny_model import tiny_model

    model = tiny_model(transformers.MambaForCausalLM, {}).model
    given, whole = observe_model(model, generates=False), facts("MambaForCausalLM").branches[0]
    assert given.functional == whole.functional and not given.cache.cls and whole.cache.cls
    for scenario, trace in whole.traces.items():
        (kind,) = trace.inside
        other = given.traces[scenario]
        assert [c.path for c in other.outside] == [c.path for c in trace.outside]
        assert [c.path for c in other.inside[kind]] == [c.path for c in trace.inside[kind]]
    # Described where they are called first, and not once more.
    mixer = [call(given, name, kind, "mixer").returns.shape for name in given.traces]
    assert mixer == [("batch", "pos", "hidden_size")] * 4
    assert call(whole, "decode", kind, "mixer").returns.shape == ("batch", "1", "hidden_size")


def test_a_live_config_is_one_to_start_from() -> None:
    import transformers

    from adaptergen.inspection.observe import observe_class

    config = transformers.LlamaConfig(attention_bias=True, tie_word_embeddings=True)
    branch = observe_class(transformers.LlamaForCausalLM, config.to_dict()).branches[0]
    assert sizes(branch, "layer", "self_attn.q_proj", "bias") == ["num_attention_heads * head_dim"]
    assert branch.tied == (("lm_head.weight", "model.embed_tokens.weight"),)


def test_a_config_that_refuses_to_tell_a_field() -> None:
    found = facts("Gemma4ForCausalLM")
    assert {kind.word for kind in found.branches[0].kinds} == {
        "full_attention",
        "sliding_attention",
    }
    assert "head_dim" in found.config.fields


def test_absent_modules() -> None:
    kinds = facts("RwkvForCausalLM").branches[0].kinds
    states = [{m.path: m.state for m in kind.modules}["pre_ln"] for kind in kinds]
    assert states == ["module", "absent"]


def test_no_layer_of_attention_and_no_cache() -> None:
    branch = facts("XLMWithLMHeadModel").branches[0]
    assert branch.traces["decode"].error == "LookupError: the forward returns no cache"
    assert not branch.traces["no_cache"].error


@pytest.mark.parametrize("name", ["NemotronHForCausalLM", "XLMWithLMHeadModel"])
def test_round_trip_and_same_bytes(name: str) -> None:
    import transformers

    from adaptergen.inspection.observe import observe_class

    text = facts(name).to_json()
    assert Facts.model_validate_json(text) == facts(name)
    assert observe_class(getattr(transformers, name)).to_json() == text
    assert "0x" not in text and "site-packages" not in text

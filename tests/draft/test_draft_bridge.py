"""Models that no spec is of, as bridges: exact, with the stream and attention live and editable."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.heavy

#: Pre-norm with rotary attention; fused projections and learned positions; attention in a method
#: of the class; a mixture of experts; norms after parts; state-space layers beside attention.
CLASSES = (
    "LlamaForCausalLM",
    "GPT2LMHeadModel",
    "BloomForCausalLM",
    "MixtralForCausalLM",
    "Olmo2ForCausalLM",
    "BambaForCausalLM",
)
STEPS = ("hook_q", "hook_k", "hook_v", "hook_attn_scores", "hook_pattern")


def model_of(name: str) -> Any:
    """A small model of a class, with weights that hide nothing."""
    import transformers

    from adaptergen.contract.models import perturb
    from adaptergen.inspection.tiny_model import make, tiny_model

    cls = getattr(transformers, name)
    model = make(cls, tiny_model(cls, {}).settings)
    model.config._attn_implementation = "eager"
    perturb(model)
    return model


@pytest.fixture(scope="module", params=CLASSES)
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A bridge, and a copy of the model as it was."""
    import copy

    import adaptergen

    model = model_of(request.param)
    alone = copy.deepcopy(model)
    return adaptergen.bridge(model), alone


def roll(tensor: Any, hook: Any) -> Any:
    import torch

    return torch.roll(tensor, 1, -2 if tensor.shape[-2] > 1 else -1)


def test_it_computes_what_the_model_does(pair: tuple[Any, Any]) -> None:
    import torch

    from adaptergen.inspection.runs import tokens

    bridge, alone = pair
    ids = tokens(alone)
    with torch.no_grad():
        expected = alone(input_ids=ids).logits
        assert torch.equal(bridge(ids), expected)
        logits, cache = bridge.run_with_cache(ids)
        assert torch.equal(logits, expected)
        layers = range(bridge.cfg.n_layers)
        assert {f"blocks.{i}.hook_resid_{end}" for i in layers for end in ("pre", "post")} <= set(
            cache.keys()
        )
        generated = bridge.generate(ids[:, :5], max_new_tokens=3, do_sample=False, verbose=False,
                                    return_type="tokens")  # fmt: skip
        greedy = alone.generate(ids[:, :5], max_new_tokens=3, min_new_tokens=3, do_sample=False)
        assert torch.equal(generated, greedy)


def test_each_step_of_attention_is_editable(pair: tuple[Any, Any]) -> None:
    import torch

    from adaptergen.inspection.runs import tokens

    bridge, alone = pair
    ids = tokens(alone)
    plain = bridge(ids)
    layers = [
        i for i in range(bridge.cfg.n_layers) if f"blocks.{i}.attn.hook_q" in bridge.hook_dict
    ]
    assert layers
    for layer in layers:
        for step in STEPS:
            name = f"blocks.{layer}.attn.{step}"
            edited = bridge.run_with_hooks(ids, fwd_hooks=[(name, roll)])
            assert not torch.equal(edited, plain), name


def test_the_report_names_what_is_not_live(pair: tuple[Any, Any]) -> None:
    bridge, alone = pair
    report = bridge.report
    assert report.architecture == type(alone).__name__ and report.source == "a draft"
    assert report.hooks == len(bridge.hook_dict) and "hooks, all live" in str(report)
    assert set(report.exceptions) <= set(bridge.hook_dict)
    assert not [state for state in report.exceptions.values() if state == "silent"]


def test_a_class_with_a_spec_gets_its_spec() -> None:
    import adaptergen

    bridge = adaptergen.bridge(model_of("HeliumForCausalLM"))
    assert bridge.report.source == "the spec helium.yaml"
    assert "blocks.0.attn.q.hook_out" in bridge.hook_dict


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A folder with a model and a tokenizer, and the model."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder, model = tmp_path_factory.mktemp("saved"), model_of("LlamaForCausalLM")
    model.save_pretrained(folder)
    words = {f"w{number}": number for number in range(model.config.vocab_size)}
    made = Tokenizer(models.WordLevel(words, unk_token="w0"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="w0", bos_token="w1", eos_token="w2", pad_token="w0"
    )
    tokenizer.save_pretrained(folder)
    return folder, model


def test_a_folder_brings_its_tokenizer(saved: tuple[Any, Any]) -> None:
    import torch

    import adaptergen

    folder, model = saved
    bridge = adaptergen.bridge(folder)
    ids = bridge.to_tokens("w5 w6 w7")
    # TransformerLens puts the token before the text that the tokenizer names for it.
    assert ids.tolist() == [[1, 5, 6, 7]]
    assert torch.equal(bridge("w5 w6 w7"), model(input_ids=ids).logits)


def test_it_is_an_ordinary_bridge(saved: tuple[Any, Any]) -> None:
    import torch

    import adaptergen

    bridge, prompt = adaptergen.bridge(saved[0]), "w5 w6 w7 w8"
    logits, cache = bridge.run_with_cache(prompt)
    assert torch.equal(cache["pattern", 1], cache["blocks.1.attn.hook_pattern"])
    stream = cache.decompose_resid(layer=-1).sum(0)
    assert torch.allclose(stream, cache["ln_final.hook_in"], atol=1e-5)
    _, few = bridge.run_with_cache(prompt, names_filter=lambda name: name.endswith("hook_z"))
    layers = range(bridge.cfg.n_layers)
    assert list(few.keys()) == [f"blocks.{layer}.attn.hook_z" for layer in layers]
    _, one = bridge.run_with_cache(prompt, names_filter="ln_final.hook_in")
    assert list(one.keys()) == ["ln_final.hook_in"]
    options = {"max_new_tokens": 3, "do_sample": False, "verbose": False}
    assert bridge.generate(prompt, **options).startswith(prompt)
    bridge.enable_compatibility_mode()
    # Compatibility mode may shift logits by what the softmax takes away.
    changed, plain = bridge(prompt).log_softmax(-1), logits.log_softmax(-1)
    assert torch.allclose(changed, plain, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LlamaForCausalLM", "NemotronHForCausalLM"])
def test_the_width_of_a_model_costs_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    import torch
    import transformers

    import adaptergen
    from adaptergen.draft import bridge as module

    # What is asked is the draft, also of a class with a spec.
    monkeypatch.setattr(module, "_spec_of", lambda architecture: None)
    cls = getattr(transformers, name)
    model_of(name)
    seconds = {}
    for width in (64, 1024, 64, 1024):
        fields = {"hidden_size": width, "num_attention_heads": 8, "head_dim": width // 8,
                  "num_key_value_heads": 4, "intermediate_size": 2 * width, "vocab_size": 500,
                  "mamba_num_heads": 8, "mamba_head_dim": width // 8, "n_groups": 2}  # fmt: skip
        layers = {"num_hidden_layers": 4}
        if "layers_block_type" in cls.config_class.__annotations__:
            words = ["linear_attention", "full_attention", "mlp", "linear_attention"]
            layers = {"layers_block_type": words}
        with torch.device("meta"):
            model = cls(cls.config_class(**fields, **layers))
        model = model.to_empty(device="cpu").eval()
        before = time.process_time()
        bridge = adaptergen.bridge(model)
        taken = time.process_time() - before
        assert bridge.report.source == "a draft" and bridge.cfg.d_model == width
        seconds[width] = min(taken, seconds.get(width, taken))
    assert seconds[1024] < 2 and seconds[1024] < 1.5 * seconds[64] + 0.2, seconds


def test_a_model_without_a_small_one_is_observed_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    import copy

    import torch

    import adaptergen
    from adaptergen.draft import bridge as module
    from adaptergen.inspection.fault_isolation import failed
    from adaptergen.inspection.runs import tokens

    def none(*_: Any) -> None:
        raise failed("hf-forward", "none runs", "")

    monkeypatch.setattr(module, "small_model", none)
    model = model_of("GPT2LMHeadModel")
    model.set_attn_implementation("sdpa")
    alone, ids = copy.deepcopy(model), tokens(model)
    bridge = adaptergen.bridge(model)
    assert model.config._attn_implementation == "sdpa"
    assert torch.equal(bridge(ids), alone(input_ids=ids).logits)
    name = "blocks.0.attn.hook_pattern"
    assert not torch.equal(bridge.run_with_hooks(ids, fwd_hooks=[(name, roll)]), bridge(ids))


def test_a_spec_names_the_functions_of_torch_that_taps_know() -> None:
    from typing import get_args

    from adaptergen.runtime.tapped_call import TORCH_FUNCTIONS
    from adaptergen.spec.shape import Tap

    (words, _) = get_args(Tap.model_fields["torch"].annotation)
    assert set(get_args(words)) == set(TORCH_FUNCTIONS)


def test_to_import_adaptergen_imports_no_torch() -> None:
    code = "import sys, adaptergen; assert 'torch' not in sys.modules; adaptergen.bridge"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="bridges"):
        import adaptergen

        adaptergen.bridges  # noqa: B018  # asked for on purpose

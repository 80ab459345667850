"""The generated DeepSeek adapters beside those of TransformerLens, and over whole generations."""

from __future__ import annotations

import copy
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adaptergen.generate import plan

ROOT = Path(__file__).parents[2]
#: Module of the spec, and the branches of its tiny model that a comparison needs.
CASES = [
    ("deepseek_v2", "default"),
    ("deepseek_v2", "direct_queries"),
    ("deepseek_v2", "grouped_experts"),
    ("deepseek_v3", "default"),
    ("deepseek_v3", "direct_queries"),
    ("deepseek_v3", "half_rotation"),
]


def load(path: Path, name: str):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Case:
    """A tiny model of a branch: HF's, one in our bridge, one in that of TransformerLens."""

    def __init__(self, module: str, branch: str) -> None:
        import torch
        import transformers

        from transformer_lens.factories import architecture_adapter_factory as factory

        self.plan = plan(ROOT / "specs" / f"{module}.yaml")
        spec = self.plan.spec
        self.register = load(ROOT / "generated" / module / "register.py", f"register_{module}")
        hf_class = getattr(transformers, spec.architecture)
        settings = {**spec.tiny.config, **spec.tiny.branches.get(branch, {})}
        torch.manual_seed(0)
        config = hf_class.config_class(**settings, attn_implementation="eager")
        config.architectures = [spec.architecture]
        self.hf = hf_class(config).eval()
        adapters = factory.ArchitectureAdapterFactory._adapters
        self.theirs = self.wrap(adapters[spec.architecture])
        self.ours = self.wrap(self.register.register())
        self.register.unregister()
        assert adapters[spec.architecture] is type(self.theirs.adapter)

    def wrap(self, adapter):
        import torch

        from transformer_lens.model_bridge import TransformerBridge
        from transformer_lens.model_bridge.sources import _bridge_builder

        cfg = _bridge_builder.build_bridge_config_from_hf(
            self.hf.config, self.plan.spec.architecture, "tiny", torch.float32
        )
        return TransformerBridge(copy.deepcopy(self.hf), adapter(cfg), tokenizer=None)

    def prompt(self, length: int):
        import torch

        generator = torch.Generator().manual_seed(length)
        return torch.randint(3, 64, (2, length), generator=generator)


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request):
    import torch

    torch.set_num_threads(1)
    with torch.no_grad():
        yield Case(*request.param)


@pytest.fixture(autouse=True)
def no_grad():
    import torch

    with torch.no_grad():
        yield


def test_logits_are_at_least_as_near_to_hf_as_those_of_the_other_adapter(case):
    tokens = case.prompt(9)
    expected = case.hf(tokens).logits
    ours, theirs = ((b(tokens) - expected).abs().max() for b in (case.ours, case.theirs))
    assert ours <= theirs
    assert ours <= case.plan.spec.parity.within


def test_nothing_the_other_adapter_offers_is_lost_unlisted(case):
    tokens = case.prompt(9)
    listed = {name for kind in case.plan.kinds for name, _ in (*kind.gone, *kind.absent)}
    listed |= {f"{node.key}.{name}" for node in case.plan.components for name, _ in node.absent}
    names = {name for bridge in (case.ours, case.theirs) for name in bridge.hook_dict}
    caches = [bridge.run_with_cache(tokens)[1] for bridge in (case.ours, case.theirs)]
    ours, theirs = ({name for name in names if name in cache} for cache in caches)
    lost = {name.split(".", 2)[2] if name.startswith("blocks.") else name for name in theirs - ours}
    assert lost <= listed


def test_hooks_that_both_have_hold_the_same(case):
    import torch

    tokens = case.prompt(9)
    caches = [bridge.run_with_cache(tokens)[1] for bridge in (case.ours, case.theirs)]
    both = [name for name in case.ours.hook_dict if all(name in cache for cache in caches)]
    assert len(both) > 100
    for name in both:
        one, other = (cache[name] for cache in caches)
        torch.testing.assert_close(one.flatten(), other.flatten(), atol=1e-6, rtol=0)
        if not name.endswith((".o.hook_in", "hook_z")):  # theirs splits heads by d_head
            assert one.shape == other.shape, name


@pytest.mark.parametrize("length", range(1, 10))
def test_greedy_tokens_with_and_without_a_cache(case, length):
    import torch

    prompt = case.prompt(length)
    expected = case.hf.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=16,
        do_sample=False,
        eos_token_id=None,
    )
    options = {"max_new_tokens": 16, "do_sample": False, "stop_at_eos": False, "verbose": False}
    assert torch.equal(case.ours.generate(prompt, **options), expected)
    for _ in range(16):
        step = case.ours(prompt, use_cache=False)[:, -1:].argmax(-1)
        prompt = torch.cat([prompt, step], dim=1)
    assert torch.equal(prompt, expected)


def save(model, folder: Path) -> None:
    """A checkpoint with a tokenizer, which knows the words of the prompt."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<s>": 1, "</s>": 2} | {f"w{i}": i for i in range(3, 64)}
    prompt = ("The", "capital", "of", "France", "is")
    words |= {word: i for i, word in enumerate(prompt, start=3)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder)
    model.save_pretrained(folder)


def test_booted_from_a_folder(case, tmp_path):
    import torch

    from transformer_lens.model_bridge import TransformerBridge

    save(case.hf, tmp_path)
    case.register.register()
    try:
        bridge = TransformerBridge.boot_transformers(str(tmp_path), device="cpu")
    finally:
        case.register.unregister()
    tokens = case.prompt(9)
    assert type(bridge.adapter).__name__ == case.plan.adapter_class
    assert type(bridge.adapter) is not type(case.theirs.adapter)
    difference = (bridge(tokens) - case.hf(tokens).logits).abs().max()
    assert difference <= case.plan.spec.parity.within
    assert bridge.cfg.kv_lora_rank == case.hf.config.kv_lora_rank
    mask = torch.ones_like(tokens)
    mask[0, :4] = 0
    options = {"attention_mask": mask, "max_new_tokens": 8, "do_sample": False}
    expected = case.hf.generate(tokens, eos_token_id=None, **options)
    actual = bridge.generate(tokens, stop_at_eos=False, verbose=False, **options)
    assert torch.equal(actual, expected)


def test_a_missing_module_is_an_error(case):
    model = copy.deepcopy(case.hf)
    del model.model.layers[-1].self_attn.kv_b_proj
    unchanged, case.hf = case.hf, model
    try:
        with pytest.raises(AttributeError, match="kv_b_proj"):
            case.wrap(type(case.ours.adapter))
    finally:
        case.hf = unchanged


@pytest.mark.parametrize("module", ["deepseek_v2", "deepseek_v3"])
def test_emitted_tests_are_green(module):
    command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-m", "not slow"]
    command += ["-p", "no:cacheprovider", "."]
    result = subprocess.run(
        command, cwd=ROOT / "generated" / module, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-3000:]


@pytest.fixture(scope="module")
def large_logits(tmp_path_factory):
    """A checkpoint of DeepSeek-V2 whose logits are as large as those of trained models."""
    import torch
    import transformers

    spec = plan(ROOT / "specs" / "deepseek_v2.yaml").spec
    torch.manual_seed(0)
    hf_class = getattr(transformers, spec.architecture)
    config = hf_class.config_class(**spec.tiny.config, attn_implementation="eager")
    model = hf_class(config).eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(300)
        assert model(torch.arange(3, 8)[None]).logits.abs().max() > 20
    folder = tmp_path_factory.mktemp("large_logits")
    save(model, folder)
    return folder


#: TransformerLens' logits then differ from HF's on every processor, by more than logits up to 1 may
#: and by less than these may.
ROUNDED = """
import functools
from transformer_lens.model_bridge.generalized_components import UnembeddingBridge
exact = UnembeddingBridge.forward
@functools.wraps(exact)
def rounded(self, hidden_states, **kwargs):
    return exact(self, hidden_states, **kwargs) * (1 + 5e-7)
UnembeddingBridge.forward = rounded
"""


def test_emitted_test_on_large_logits(large_logits, tmp_path):
    (tmp_path / "rounded.py").write_text(ROUNDED)
    command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib"]
    command += ["-p", "no:cacheprovider", "-p", "rounded", "-k", "test_logits"]
    command += ["tests/integration/model_bridge/test_deepseek_v2_adapter.py"]
    result = subprocess.run(
        command,
        cwd=ROOT / "generated" / "deepseek_v2",
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "DEEPSEEK_V2_CHECKPOINT": str(large_logits),
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-3000:]


def test_verify_on_large_logits(large_logits, monkeypatch):
    from adaptergen.verify.target import load_target
    from adaptergen.verify.tiers.checkpoint import Placement, checkpoint
    from transformer_lens.model_bridge.generalized_components import UnembeddingBridge

    # Puts back what ROUNDED replaces.
    monkeypatch.setattr(UnembeddingBridge, "forward", UnembeddingBridge.forward)
    exec(ROUNDED, {})
    target = load_target(ROOT / "specs" / "deepseek_v2.yaml")
    (report,) = checkpoint(target, Placement(str(large_logits), device="cpu"))
    assert [finding for finding in report.findings if finding.check == "parity"] == []
    # More than is allowed of logits up to 1, or this would say nothing.
    plain = report.parity["plain"]
    assert plain > target.plan.spec.parity.within

"""Taps on the real mixer: hooks on the convolution are live, and cost nothing unused."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nemotron_h_support import (
    CONV,
    CONV_OUT,
    MAMBA,
    DynamicCache,
    copy,
    fresh,
    greedy,
    hf_greedy,
    installed,
    lift_limit,
    make_hf,
    modeling,
    ours,
    prompt,
    run,
    torch,
    wrap,
)

from transformer_lens.model_bridge.generalized_components import taps

STAND_IN = Path(__file__).parent / "stand_in"
SEQ = 9
#: Hooks beside those on the convolution, which no tap fires.
OTHERS = ["hook_in", "hook_out", "mixer.hook_in", "mixer.in_proj.hook_out", "mixer.hook_out"]


@pytest.fixture(scope="module")
def hf() -> Any:
    return make_hf()


@pytest.fixture(scope="module")
def shared() -> Any:
    return fresh()


@pytest.fixture
def bridge(shared: Any) -> Iterator[Any]:
    yield shared
    shared.reset_hooks()


@pytest.fixture
def tokens() -> Any:
    return prompt(SEQ)


@pytest.fixture
def expected(hf: Any, tokens: Any) -> Any:
    with torch.no_grad():
        return hf(tokens).logits


@pytest.fixture(autouse=True)
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


def zero(states: Any, hook: Any) -> Any:
    return torch.zeros_like(states)


def state_of(bridge: Any) -> list[dict[str, Any]]:
    """What a call could leave behind on HF's mixers and their convolutions."""
    mixers = [bridge.blocks[layer].mixer.original_component for layer in MAMBA]
    modules = [*mixers, *(bridge.blocks[layer].mixer for layer in MAMBA)]
    return [
        {**vars(module), "_modules": dict(module._modules), "hooks": len(module._forward_hooks)}
        for module in modules
    ]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """What a process with a stand-in for the kernel package says of itself."""
    result = run(STAND_IN / "run_kernels.py", env={"PYTHONPATH": str(STAND_IN)})
    assert result.returncode == 0, result.stderr
    made: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return made


class TestKernels:
    def test_are_the_functions_used(self, report: dict[str, Any]) -> None:
        fused = [["causal_conv1d_fn", "silu"], ["causal_conv1d_update", "silu"]]
        assert report["hf"] == report["without_hooks"] == fused

    def test_are_asked_for_no_activation_while_hooked(self, report: dict[str, Any]) -> None:
        bare = [["causal_conv1d_fn", "None"], ["causal_conv1d_update", "None"]]
        assert report["with_hooks"] == bare

    def test_give_the_same_tokens(self, report: dict[str, Any]) -> None:
        assert report["logits"] and report["tokens"] and report["tokens_hooked"]

    def test_leave_the_hooks_live(self, report: dict[str, Any]) -> None:
        assert report["lengths"] == {hook: [SEQ, 1, 1, 1] for hook in CONV}
        assert report["distance"] < 1e-6
        assert report["convolution"] < 1e-6
        assert report["edit"] > 0.1


class TestReplacedFunctions:
    """Someone puts functions of their own into HF's module."""

    @pytest.fixture
    def calls(self) -> list[tuple[str, Any]]:
        return []

    @pytest.fixture
    def replace(self, calls: list[tuple[str, Any]], monkeypatch: Any) -> Callable[[], None]:
        def replace_both() -> None:
            for name in ("causal_conv1d_fn", "causal_conv1d_update"):
                monkeypatch.setattr(modeling, name, noting(name, getattr(modeling, name)))

        def noting(name: str, function: Any) -> Any:
            def replaced(*args: Any, activation: Any = None, **kwargs: Any) -> Any:
                # The bridge may pass it by position, as kernels take it.
                *args, activation = (*args, activation) if len(args) < 5 else args
                calls.append((name, activation))
                return 2 * function(*args, activation=activation, **kwargs)

            return replaced

        return replace_both

    @pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
    def test_are_used(
        self, before: bool, replace: Any, calls: list[tuple[str, Any]], tokens: Any
    ) -> None:
        if before:
            replace()
        model = make_hf()
        bridge = wrap(copy.deepcopy(model))
        if not before:
            replace()
        unhooked = greedy(bridge, tokens, 3)
        assert torch.equal(unhooked, hf_greedy(model, tokens, 3))
        assert {activation for _, activation in calls} == {"silu"}
        calls.clear()

        seen = []
        bridge.add_hook(CONV_OUT[0], lambda states, hook: seen.append(states))
        greedy(bridge, tokens, 3)
        # Two layers are not hooked: they call as HF does.
        once = [activation for name, activation in calls if name == "causal_conv1d_update"]
        assert (once.count(None), once.count("silu")) == (2, 4)
        bridge.reset_hooks()

        _, cache = bridge.run_with_cache(tokens, use_cache=False)
        conv1d = bridge.blocks[0].mixer.conv1d.original_component
        torch.testing.assert_close(cache[CONV[1]], 2 * conv1d(cache[CONV[0]])[..., :SEQ])
        assert torch.equal(seen[0], cache[CONV[1]])


class TestValues:
    def test_decode_steps_hold_the_columns_of_the_whole(self, tokens: Any) -> None:
        bridge = lift_limit(fresh())
        seen: dict[str, list[Any]] = {hook: [] for hook in CONV}
        for hook in CONV:
            bridge.add_hook(hook, lambda states, hook: seen[hook.name].append(states.clone()))
        made = greedy(bridge, tokens, 5)
        bridge.reset_hooks()
        assert [states.shape[-1] for states in seen[CONV[0]]] == [SEQ, 1, 1, 1, 1]
        _, cache = bridge.run_with_cache(made[:, :-1], use_cache=False)
        for hook in CONV:
            joined = torch.cat(seen[hook], dim=-1)
            torch.testing.assert_close(joined, cache[hook], atol=2e-5, rtol=1e-4)

    def test_limit_on_dt_is_what_else_parts_decode_steps_from_the_whole(self, tokens: Any) -> None:
        """As docs/nemotron_h.md says; HF alone differs in the same way."""
        model = make_hf()
        distances = []
        for limited in (True, False):
            if not limited:
                for layer in MAMBA:
                    model.model.layers[layer].mixer.time_step_limit = (0.0, float("inf"))
            state = DynamicCache(config=model.config)
            model(tokens[:, :-1], past_key_values=state, use_cache=True)
            step = model(tokens[:, -1:], past_key_values=state, use_cache=True).logits
            distances.append((step[:, -1] - model(tokens).logits[:, -1]).abs().max().item())
        assert distances[0] > 10 * distances[1]

    def test_zeroed_output_is_a_zeroed_convolution(self, bridge: Any, tokens: Any) -> None:
        model = make_hf()
        for layer in MAMBA:
            model.model.layers[layer].mixer.conv1d.weight.zero_()
            model.model.layers[layer].mixer.conv1d.bias.zero_()
        actual = bridge.run_with_hooks(tokens, fwd_hooks=[(hook, zero) for hook in CONV_OUT])
        assert torch.equal(actual, model(tokens).logits)

    @pytest.mark.parametrize("hook", CONV[:2])
    def test_edit_changes_what_follows(
        self, bridge: Any, tokens: Any, expected: Any, hook: str
    ) -> None:
        def edit(states: Any, hook: Any) -> Any:
            states = states.clone()
            states[..., 4] += 1
            return states

        actual = bridge.run_with_hooks(tokens, fwd_hooks=[(hook, edit)])
        # Experts take tokens in groups, so what comes before moves by a rounding.
        changed = ((actual - expected).abs() > 1e-4).any(-1)
        assert not changed[:, :4].any()
        assert changed[:, 4:].all()

    def test_edit_in_a_decode_step_reaches_its_logits(self, hf: Any, bridge: Any) -> None:
        states = [DynamicCache(config=hf.config) for _ in range(2)]
        for state in states:
            bridge(prompt(4), past_key_values=state, use_cache=True)
        plain = bridge(prompt(1), past_key_values=states[0], use_cache=True)
        for layer in MAMBA:
            bridge.add_hook(f"blocks.{layer}.mixer.conv1d.hook_out", zero)
        edited = bridge(prompt(1), past_key_values=states[1], use_cache=True)
        assert (edited - plain).abs().max() > 0.1

    def test_hooks_attached_by_methods_of_torch(self, bridge: Any, tokens: Any) -> None:
        points = [bridge.hook_dict[hook] for hook in CONV_OUT]
        expected = bridge.run_with_hooks(tokens, fwd_hooks=[(hook, zero) for hook in CONV_OUT])
        handles = [point.register_forward_hook(lambda *args: 0 * args[-1]) for point in points]
        try:
            assert torch.equal(bridge(tokens), expected)
        finally:
            for handle in handles:
                handle.remove()
        assert not torch.equal(bridge(tokens), expected)

    def test_no_gradient_passes_a_decode_step(self, tokens: Any) -> None:
        """As docs/nemotron_h.md says; in HF alone neither."""
        for model in (make_hf(), fresh()):
            state = DynamicCache(config=getattr(model, "original_model", model).config)
            model(tokens[:, :-1], past_key_values=state, use_cache=True)
            with torch.enable_grad(), pytest.raises(RuntimeError, match="inplace operation"):
                step = model(tokens[:, -1:], past_key_values=state, use_cache=True)
                getattr(step, "logits", step).sum().backward()

    def test_gradients(self, hf: Any, tokens: Any) -> None:
        """Those of the weights are HF's, and the ones at the hooks fit together."""
        bridge, kept = fresh(), {}
        with torch.enable_grad():
            model = make_hf()
            model(tokens).logits.square().sum().backward()

            def keep(states: Any, hook: Any) -> None:
                states.retain_grad()
                kept[hook.name] = states

            logits = bridge.run_with_hooks(
                tokens, use_cache=False, fwd_hooks=[(hook, keep) for hook in CONV[:2]]
            )
            logits.square().sum().backward()
        conv1d = bridge.blocks[0].mixer.conv1d.original_component
        reference = model.model.layers[0].mixer.conv1d
        torch.testing.assert_close(conv1d.weight.grad, reference.weight.grad)
        torch.testing.assert_close(conv1d.bias.grad, reference.bias.grad)
        before, after = (kept[hook].grad for hook in CONV[:2])
        torch.testing.assert_close(after.sum((0, 2)), reference.bias.grad)
        spread = torch.nn.functional.conv_transpose1d(after, conv1d.weight, groups=conv1d.groups)
        torch.testing.assert_close(before, spread[..., -SEQ:])


class TestTraining:
    @pytest.fixture
    def fused(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """A fused function that returns something else: HF then skips the rest of the mixer."""
        calls: list[int] = []

        def function(states: Any, *args: Any, outproj_weight: Any, **kwargs: Any) -> Any:
            calls.append(1)
            return torch.ones(*states.shape[:2], outproj_weight.shape[0])

        monkeypatch.setattr(modeling, "mamba2_split_conv1d_scan_combined", function)
        return calls

    def test_hooks_fire_although_a_fused_function_is_there(
        self, bridge: Any, tokens: Any, expected: Any, fused: list[int]
    ) -> None:
        bridge.train()
        try:
            logits, cache = bridge.run_with_cache(tokens, use_cache=False)
            assert torch.equal(logits, expected)
            assert set(CONV) <= set(cache.keys())
            assert not fused
            assert bridge.blocks[0].mixer.original_component.training
        finally:
            bridge.eval()

    @pytest.mark.parametrize("name", ["in_proj", "inner_norm", "out_proj"])
    def test_hooks_of_what_it_skips_fire(
        self, bridge: Any, tokens: Any, fused: list[int], name: str
    ) -> None:
        hooks = [(f"blocks.{layer}.mixer.{name}.hook_out", zero) for layer in MAMBA]
        wanted = bridge.run_with_hooks(tokens, use_cache=False, fwd_hooks=hooks)
        bridge.train()
        try:
            logits = bridge.run_with_hooks(tokens, use_cache=False, fwd_hooks=hooks)
        finally:
            bridge.eval()
        assert torch.equal(logits, wanted)
        assert not fused

    def test_fused_function_is_used_without_hooks(
        self, bridge: Any, tokens: Any, expected: Any, fused: list[int]
    ) -> None:
        bridge.train()
        try:
            logits = bridge(tokens, use_cache=False)
        finally:
            bridge.eval()
        assert len(fused) == len(MAMBA)
        assert not torch.equal(logits, expected)


class TestNothingStays:
    def test_without_hooks_a_check_is_all(
        self, bridge: Any, tokens: Any, expected: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prepared: list[str] = []

        class Noting(taps.TappedCall):
            def __init__(self, component: Any, *args: Any) -> None:
                prepared.append(type(component).__name__)
                super().__init__(component, *args)

        monkeypatch.setattr(taps, "TappedCall", Noting)
        others = [f"blocks.{layer}.{hook}" for layer in MAMBA for hook in OTHERS]
        assert torch.equal(bridge(tokens), expected)
        bridge.run_with_hooks(tokens, fwd_hooks=[(hook, lambda x, hook: None) for hook in others])
        assert not prepared
        bridge.run_with_hooks(tokens, fwd_hooks=[(CONV[0], lambda x, hook: None)])
        # The other two layers of the kind are not hooked.
        assert prepared == ["StateSpaceMixerBridge"]

    @pytest.mark.parametrize("fails", [False, True])
    def test_of_a_call(self, bridge: Any, tokens: Any, expected: Any, fails: bool) -> None:
        bridge(tokens)
        before, functions = state_of(bridge), dict(vars(modeling))

        def fail(states: Any, hook: Any) -> None:
            raise RuntimeError("hook")

        if fails:
            with pytest.raises(RuntimeError, match="hook"):
                bridge.run_with_hooks(tokens, fwd_hooks=[(CONV[0], fail)])
        else:
            bridge.run_with_cache(tokens)
        assert state_of(bridge) == before
        assert dict(vars(modeling)) == functions
        assert torch.equal(bridge(tokens), expected)

    def test_of_many_calls_in_threads(self, tokens: Any) -> None:
        """Four threads run two bridges, while the hooks of one come and go under them."""
        bridge, other = fresh(), fresh(seed=7)
        wanted = {id(bridge): make_hf()(tokens).logits, id(other): make_hf(seed=7)(tokens).logits}
        bridge(tokens)
        before = state_of(bridge)
        wrong: list[str] = []
        fired: list[int] = []
        stop = threading.Event()

        def work(number: int) -> None:
            for turn in range(30):
                target = other if (number + turn) % 3 == 0 else bridge
                with torch.no_grad():
                    logits = target(tokens, use_cache=False)
                if not torch.equal(logits, wanted[id(target)]):
                    wrong.append(f"thread {number}, turn {turn}")
            done.append(number)

        def toggle() -> None:
            point = bridge.blocks[0].mixer.conv1d.hook_out
            while not stop.wait(0.002):
                point.add_hook(lambda states, hook: fired.append(1))
                stop.wait(0.002)
                point.remove_hooks()

        done: list[int] = []
        switch = threading.Thread(target=toggle)
        workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in (switch, *workers):
            thread.start()
        for worker in workers:
            worker.join()
        stop.set()
        switch.join()
        bridge.reset_hooks()
        assert sorted(done) == [0, 1, 2, 3]
        assert not wrong
        assert 0 < len(fired) < 120
        assert state_of(bridge) == before

    def test_of_a_model_that_is_gone(self, tokens: Any) -> None:
        """No table of the module holds on to a model."""
        bridge = fresh()
        bridge.run_with_cache(tokens)
        mixer = weakref.ref(bridge.blocks[0].mixer.original_component)
        del bridge
        gc.collect()
        assert mixer() is None


class TestSeveralModels:
    def test_two_in_a_process(self, bridge: Any, tokens: Any, expected: Any) -> None:
        other = fresh(seed=7)
        other_logits = make_hf(seed=7)(tokens).logits
        other.add_hook(CONV[1], lambda states, hook: None)
        bridge.add_hook(CONV[1], zero)
        assert torch.equal(other(tokens), other_logits)
        assert not torch.equal(bridge(tokens), expected)
        bridge.reset_hooks()
        assert torch.equal(other(tokens), other_logits)
        assert torch.equal(bridge(tokens), expected)

    def test_deep_copy_has_hooks_and_weights_of_its_own(
        self, bridge: Any, tokens: Any, expected: Any
    ) -> None:
        made = copy.deepcopy(bridge)
        logits, cache = made.run_with_cache(tokens)
        assert torch.equal(logits, expected)
        assert set(CONV) <= set(cache.keys())
        made.add_hook(CONV[1], zero)
        assert not torch.equal(made(tokens), expected)
        assert torch.equal(bridge(tokens), expected)
        made.reset_hooks()
        made.blocks[0].mixer.conv1d.original_component.weight.zero_()
        assert not torch.equal(made.run_with_cache(tokens)[0], expected)
        assert torch.equal(bridge.run_with_cache(tokens)[0], expected)

    def test_deep_copy_of_a_hooked_bridge(self, bridge: Any, tokens: Any, expected: Any) -> None:
        bridge.add_hook(CONV[1], zero)
        made = copy.deepcopy(bridge)
        assert torch.equal(made(tokens), bridge(tokens))
        made.reset_hooks()
        assert torch.equal(made(tokens), expected)


class TestOffload:
    def offloaded(self, kind: str, adapters: ModuleType, folder: Path) -> Any:
        from accelerate import cpu_offload, disk_offload

        model = make_hf()
        if kind == "cpu":
            cpu_offload(model, execution_device="cpu")
        else:
            disk_offload(model, str(folder), execution_device="cpu")
        return wrap(model, adapters)

    @pytest.mark.parametrize("kind", ["cpu", "disk"])
    def test_is_exact(self, kind: str, tmp_path: Path, tokens: Any, expected: Any, hf: Any) -> None:
        bridge = self.offloaded(kind, ours, tmp_path)
        places = [{p.device.type for p in bridge.original_model.parameters()}]
        assert torch.equal(bridge(tokens), expected)
        logits, cache = bridge.run_with_cache(tokens, use_cache=False)
        assert torch.equal(logits, expected)
        conv1d = hf.model.layers[0].mixer.conv1d
        torch.testing.assert_close(cache[CONV[1]], conv1d(cache[CONV[0]])[..., :SEQ])
        assert torch.equal(greedy(bridge, tokens, 4), hf_greedy(hf, tokens, 4))
        assert not torch.equal(bridge.run_with_hooks(tokens, fwd_hooks=[(CONV[1], zero)]), expected)
        _, whole = fresh().run_with_cache(tokens, use_cache=False)
        for analysis in ("compute_ssm_state", "compute_ssm_effective_attention"):
            torch.testing.assert_close(getattr(cache, analysis)(), getattr(whole, analysis)())
        places.append({p.device.type for p in bridge.original_model.parameters()})
        assert places == [{"meta"}] * 2

    @pytest.mark.parametrize("kind", ["cpu", "disk"])
    def test_the_installed_adapter_is_wrong(
        self, kind: str, tmp_path: Path, tokens: Any, expected: Any
    ) -> None:
        """What this is a remedy for."""
        bridge = self.offloaded(kind, installed, tmp_path)
        assert not torch.equal(bridge(tokens), expected)


@pytest.mark.slow
def test_hook_attached_after_compiling_is_live() -> None:
    """The call that holds the hooks is kept out of the graph."""
    config = {"hybrid_override_pattern": "M*"}
    model, bridge, tokens = make_hf(**config), fresh(**config), prompt(5)
    expected = model(tokens).logits
    compiled = torch.compile(bridge.forward, backend="eager")
    assert torch.equal(compiled(tokens, use_cache=False), expected)

    seen = []
    bridge.add_hook(CONV[0], lambda states, hook: seen.append(hook.name))
    bridge.add_hook(CONV[1], lambda states, hook: seen.append(hook.name))
    assert torch.equal(compiled(tokens, use_cache=False), expected)
    assert seen == CONV[:2]
    bridge.add_hook(CONV[1], zero)
    assert not torch.equal(compiled(tokens, use_cache=False), expected)
    bridge.reset_hooks()
    assert torch.equal(compiled(tokens, use_cache=False), expected)
    torch._dynamo.reset()

"""Taps: what each kind of them holds and edits, and what a call without hooks costs."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import hf_like
import pytest
from runtime_support import (
    GeneralizedComponent,
    Tap,
    bind,
    edit,
    hook_of,
    record,
    tapped,
    torch,
    wrap,
)

from transformer_lens.model_bridge.generalized_components import taps as module_of_taps

#: Forms of a weight, by the functions of torch that make them.
VIEWS: dict[str, Any] = {
    "itself": lambda w: w,
    "getitem": lambda w: w[:],
    "transposed twice": lambda w: w.T.T,
    "contiguous": lambda w: w.t().contiguous().t(),
    "detach": lambda w: w.detach(),
    "expand": lambda w: w.expand(4, 4),
    "flatten": lambda w: w.flatten().view(4, 4),
    "double": lambda w: w.double(),
    "float": lambda w: w.double().float(),
    "half": lambda w: w.half(),
    "bfloat16": lambda w: w.bfloat16(),
    "permute": lambda w: w.permute(1, 0),
    "reshape": lambda w: w.reshape(4, 4),
    "squeeze": lambda w: w.unsqueeze(0).squeeze(0),
    "t": lambda w: w.t(),
    "to": lambda w: w.to(torch.float64),
    "transpose": lambda w: w.transpose(0, 1),
    "type": lambda w: w.type(torch.float64),
    "type_as": lambda w: w.type_as(torch.zeros(1, dtype=torch.float64)),
    "view": lambda w: w.view(4, 4),
}


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.no_grad():
        yield


@pytest.fixture
def states() -> Any:
    return torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(1))


class TestFunctions:
    def test_arguments_by_position_and_by_keyword(self, states: Any) -> None:
        component = wrap(
            hf_like.Rotated(),
            hook_q=Tap(function="rotate", argument=0),
            hook_k=Tap(function="rotate", argument=1),
            hook_cos=Tap(function="rotate", argument=2),
            hook_sin=Tap(function="rotate", argument=3),
        )
        seen = record(component, *component.taps)
        plain = component(states)
        assert torch.equal(seen["hook_q"][0], states)
        assert torch.equal(seen["hook_k"][0], states + 1)
        assert seen["hook_cos"][0].eq(2).all()
        assert seen["hook_sin"][0].eq(3).all()
        assert torch.equal(plain, hf_like.Rotated()(states))
        edit(component, "hook_q", lambda x: x + 1)
        edit(component, "hook_cos", lambda x: 5 * x)
        torch.testing.assert_close(component(states), 10 * (states + 1) - 3 * (states + 1))

    @pytest.mark.parametrize("part", [0, 1])
    def test_part_of_a_result(self, states: Any, part: int) -> None:
        component = wrap(hf_like.Rotated(), hook_rot=Tap(function="rotate", part=part))
        seen = record(component, "hook_rot")
        component(states)
        parts = (2 * states, 3 * (states + 1))
        assert torch.equal(seen["hook_rot"][0], parts[part])
        edit(component, "hook_rot", torch.zeros_like)
        assert torch.equal(component(states), (-parts[1], parts[0])[part])

    def test_each_of_several_calls(self, states: Any) -> None:
        component = wrap(
            hf_like.Called(),
            hook_first=Tap(function="double", call=0),
            hook_second=Tap(function="double", call=1),
            hook_all=Tap(function="double"),
        )
        seen = record(component, *component.taps)
        for _ in range(2):
            component(states)
        assert {name: len(held) for name, held in seen.items()} == {
            "hook_first": 2,
            "hook_second": 2,
            "hook_all": 4,
        }
        assert torch.equal(seen["hook_first"][0], 2 * states)
        assert torch.equal(seen["hook_second"][1], 4 * states)

    def test_method(self, states: Any) -> None:
        component = wrap(
            hf_like.Called(),
            hook_before=Tap(function="shift", argument=0),
            hook_after=Tap(function="shift"),
        )
        seen = record(component, *component.taps)
        component(states)
        assert torch.equal(seen["hook_before"][0], 4 * states)
        assert torch.equal(seen["hook_after"][0], 4 * states + 3)
        edit(component, "hook_after", torch.zeros_like)
        bias = component.original_component.proj.bias
        torch.testing.assert_close(component(states), bias.expand(2, 5, 4))

    @pytest.mark.parametrize("wrapped", [True, False], ids=["submodule", "not wrapped"])
    def test_submodule_that_is_called(self, states: Any, wrapped: bool) -> None:
        module = hf_like.Called()
        expected = module(states)
        own = {"hook_x": Tap(function="proj", argument=0), "hook_y": Tap(function="proj")}
        below = {
            "p__hook_in": Tap(function="proj", argument=0, flatten=0),
            "p__hook_out": Tap(function="proj", flatten=0),
        }
        submodules = {"p": "proj"} if wrapped else {}
        component = wrap(module, submodules, **(below if wrapped else own))
        before, after = component.taps
        seen = record(component, before, after)
        assert torch.equal(component(states), expected)
        # A tap fires its hook alone: the bridge of the submodule does not fire it again.
        assert [len(seen[name]) for name in (before, after)] == [1, 1]
        assert torch.equal(seen[after][0].reshape(2, 5, 4), expected)
        edit(component, after, torch.zeros_like)
        assert not component(states).any()

    def test_first_of_several_names_that_the_release_has(self, states: Any) -> None:
        component = wrap(hf_like.Called(), hook_x=Tap(function=("newer", "double"), call=0))
        seen = record(component, "hook_x")
        component(states)
        assert torch.equal(seen["hook_x"][0], 2 * states)

    def test_hook_that_the_release_lacks_is_not_offered(self) -> None:
        component = wrap(
            hf_like.Called(), hook_x=Tap(function="double"), hook_y=Tap(function="newer")
        )
        assert set(component.get_hooks()) == {"hook_in", "hook_out", "hook_x"}
        assert "hook_y" not in component._modules

    def test_own_hook_hides_an_alias(self) -> None:
        class Aliased(GeneralizedComponent):
            hook_aliases: ClassVar[dict[str, Any]] = {"hook_x": "hook_in", "hook_z": "hook_out"}

        component = tapped(Aliased, {"hook_x": Tap(function="double")})("mixer")
        assert component.hook_aliases == {"hook_z": "hook_out"}
        assert Aliased.hook_aliases.keys() == {"hook_x", "hook_z"}

    def test_function_that_is_replaced_later_is_used(
        self, states: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        component = wrap(hf_like.Called(), hook_x=Tap(function="double", call=0))
        seen = record(component, "hook_x")
        component(states)
        monkeypatch.setattr(hf_like, "double", lambda x: 7 * x)
        component(states)
        assert torch.equal(seen["hook_x"][1], 7 * states)

    def test_method_that_is_replaced_later_is_used(
        self, states: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        component = wrap(hf_like.Called(), hook_x=Tap(function="double", call=0))
        record(component, "hook_x")
        component(states)
        # With the globals of the module, as what takes the place of a method there has.
        made: dict[str, Any] = {}
        exec("def forward(self, x): return 7 * double(x)", vars(hf_like), made)
        monkeypatch.setattr(hf_like.Called, "forward", made["forward"])
        assert torch.equal(component(states), 7 * hf_like.double(states))

    @pytest.mark.parametrize("cls", [hf_like.Wrapped, hf_like.Unnamed])
    def test_under_a_decorator(self, states: Any, cls: Any) -> None:
        """Transformers 5.15 decorates forwards without `functools.wraps`."""
        assert hasattr(cls.forward, "__wrapped__") is (cls is hf_like.Wrapped)
        component = wrap(cls(), hook_x=Tap(function="double"))
        seen = record(component, "hook_x")
        assert torch.equal(component(states), 2 * states)
        assert torch.equal(seen["hook_x"][0], 2 * states)
        edit(component, "hook_x", torch.zeros_like)
        assert not component(states).any()


class TestTorch:
    @pytest.mark.parametrize("own", [hf_like.of_function, hf_like.of_torch, hf_like.of_tensor])
    def test_softmax_of_the_module_alone(self, states: Any, own: Any) -> None:
        component = wrap(
            hf_like.Softened(own),
            hook_scores=Tap(torch="softmax", argument=0),
            hook_pattern=Tap(torch="softmax"),
        )
        seen = record(component, *component.taps)
        expected = hf_like.Softened(own)(states)
        assert torch.equal(component(states), expected)
        # The submodule has a softmax of its own before and after.
        assert [len(held) for held in seen.values()] == [1, 1]
        assert torch.equal(seen["hook_scores"][0], states.softmax(-1))
        assert torch.equal(seen["hook_pattern"][0], states.softmax(-1).softmax(-1))
        edit(component, "hook_pattern", lambda x: -9 * x)
        expected = (-9 * states.softmax(-1).softmax(-1)).softmax(-1)
        assert torch.equal(component(states), expected)

    def test_softmax_in_a_function_that_takes_the_module(self, states: Any) -> None:
        component = wrap(hf_like.Attended(), hook_pattern=Tap(torch="softmax"))
        seen = record(component, "hook_pattern")
        component(states)
        (pattern,) = seen["hook_pattern"]
        assert torch.equal(pattern, states.softmax(-1).softmax(-1))

    def test_softmax_of_another_thread_is_left_alone(self, states: Any) -> None:
        component = wrap(hf_like.Softened(), hook_pattern=Tap(torch="softmax"))
        seen: list[Any] = []

        def soften_elsewhere(tensor: Any) -> Any:
            thread = threading.Thread(target=lambda: seen.append(states.softmax(-1)))
            thread.start()
            thread.join()
            return 0 * tensor

        edit(component, "hook_pattern", soften_elsewhere)
        component(states)
        assert torch.equal(seen[0], states.softmax(-1))


class TestWeights:
    @pytest.mark.parametrize("way", ["linear", "keyword", "matmul", "from_left", "conv1d"])
    def test_operation_that_gets_the_weight(self, states: Any, way: str) -> None:
        module = hf_like.Weighted(way)
        expected = module(states)
        component = wrap(
            module,
            {"gate": "gate"},
            hook_x=Tap(weight="gate.weight", argument=0),
            hook_y=Tap(weight="gate.weight"),
        )
        seen = record(component, "hook_x", "hook_y")
        assert torch.equal(component(states), expected)
        turned = way in ("from_left", "conv1d")
        held = {name: tensors[0] for name, tensors in seen.items()}
        assert [len(tensors) for tensors in seen.values()] == [1, 1]
        assert torch.equal(held["hook_x"], states.transpose(1, 2) if turned else states)
        product = held["hook_y"].transpose(1, 2) if turned else held["hook_y"]
        assert torch.equal(product + module.gate.bias, expected)
        edit(component, "hook_x", torch.zeros_like)
        torch.testing.assert_close(component(states), module.gate.bias.expand(2, 5, 6))

    @pytest.mark.parametrize("name", VIEWS)
    def test_operation_that_gets_another_form_of_the_weight(self, states: Any, name: str) -> None:
        module = hf_like.Viewed(VIEWS[name])
        component = wrap(module, {"gate": "gate"}, hook_x=Tap(weight="gate.weight", argument=0))
        expected = hf_like.Viewed.forward(module, states)
        seen = record(component, "hook_x")
        made = component(states)
        torch.testing.assert_close(made, expected)
        assert len(seen["hook_x"]) == 1
        torch.testing.assert_close(seen["hook_x"][0], states.to(made.dtype))

    def test_what_only_looks_at_the_weight_is_no_product(self, states: Any) -> None:
        module = hf_like.Weighted("looking")
        expected = module(states)
        component = wrap(
            module,
            {"gate": "gate"},
            hook_x=Tap(weight="gate.weight", argument=0),
            hook_y=Tap(weight="gate.weight"),
        )
        seen = record(component, "hook_x", "hook_y")
        assert torch.equal(component(states), expected)
        assert [len(held) for held in seen.values()] == [1, 1]
        assert torch.equal(seen["hook_x"][0], states)

    def test_product_to_which_a_bias_is_added(self, states: Any) -> None:
        module = hf_like.Weighted("addmm")
        expected = module(states)
        component = wrap(module, {"gate": "gate"}, hook_x=Tap(weight="gate.weight", argument=0))
        seen = record(component, "hook_x")
        assert torch.equal(component(states), expected)
        assert torch.equal(seen["hook_x"][0], states.flatten(0, 1))

    def test_weight_of_another_class_is_refused(self, states: Any) -> None:
        """A quantized weight has operations of its own, and hooks on them would be silent."""

        class Quantized(torch.Tensor):
            pass

        module = hf_like.Weighted("matmul")
        weight = module.gate.weight.detach().as_subclass(Quantized)
        module.gate._parameters["weight"] = weight
        component = wrap(module, {"gate": "gate"}, hook_x=Tap(weight="gate.weight", argument=0))
        plain = component(states)
        record(component, "hook_x")
        with pytest.raises(RuntimeError, match=r"gate\.weight need a plain tensor.* Quantized"):
            component(states)
        component.hook_x.remove_hooks()
        assert torch.equal(component(states), plain)

    def test_weight_in_a_list_of_tensors(self, states: Any) -> None:
        module = hf_like.Weighted("stacked")
        expected = module(states)
        component = wrap(module, {"gate": "gate"}, hook_x=Tap(weight="gate.weight", argument=0))
        seen = record(component, "hook_x")
        assert torch.equal(component(states), expected)
        assert torch.equal(seen["hook_x"][0], states)

    def test_rows_of_tokens(self, states: Any) -> None:
        module = hf_like.Weighted("matmul")
        expected = module(states)
        component = wrap(
            module,
            {"gate": "gate"},
            gate__hook_in=Tap(weight="gate.weight", argument=0, flatten=0),
            gate__hook_out=Tap(weight="gate.weight", flatten=0),
        )
        seen = record(component, *component.taps)
        assert torch.equal(component(states), expected)
        assert torch.equal(seen["gate.hook_in"][0], states.flatten(0, 1))
        assert seen["gate.hook_out"][0].shape == (10, 6)

    def test_bfloat16_is_exact(self, states: Any) -> None:
        """The weight is cast for the product, and the bias is not."""
        module = hf_like.Weighted("linear").to(torch.bfloat16)
        states = states.to(torch.bfloat16)
        expected = module(states)
        component = wrap(module, {"gate": "gate"}, hook_y=Tap(weight="gate.weight"))
        seen = record(component, "hook_y")
        assert torch.equal(component(states), expected)
        assert seen["hook_y"][0].dtype == torch.float32


class TestTokens:
    TAPS: ClassVar[dict[str, Tap]] = {
        "conv__hook_in": Tap(function="convolve", argument=0, tokens=2),
        "conv__hook_out": Tap(function="convolve", tokens=2, activation="activation"),
    }

    def component(self, module: Any = None) -> Any:
        return wrap(module or hf_like.Convolved(), {"conv": "conv1d"}, **self.TAPS)

    def test_cached_positions_are_left_out(self, states: Any) -> None:
        component = self.component()
        whole = record(component, "conv.hook_in", "conv.hook_out")
        expected = component(states)
        cached = states[:, :3].transpose(1, 2)
        made = component(states[:, 3:], cached)
        torch.testing.assert_close(made, expected[:, 3:])
        for name in ("conv.hook_in", "conv.hook_out"):
            first, second = whole[name]
            assert (first.shape, second.shape) == ((2, 4, 5), (2, 4, 2))
            torch.testing.assert_close(second, first[..., 3:])
        edit(component, "conv.hook_out", torch.zeros_like)
        assert not component(states[:, 3:], cached).any()

    def test_an_edit_leaves_cached_positions(self, states: Any) -> None:
        component, alone = self.component(), states[:, 3:]
        cached = states[:, :3].transpose(1, 2)
        edit(component, "conv.hook_in", torch.zeros_like)
        module = component.original_component
        torch.testing.assert_close(component(alone, cached), module(0 * alone, cached))

    @pytest.mark.parametrize("by_position", [True, False])
    @pytest.mark.parametrize("activation", ["silu", None])
    def test_hook_stands_before_the_activation(
        self, states: Any, activation: Any, by_position: bool
    ) -> None:
        module = hf_like.Convolved(activation, by_position)
        expected = module(states)
        component = self.component(module)
        seen = record(component, "conv.hook_out")
        torch.testing.assert_close(component(states), expected)
        (held,) = seen["conv.hook_out"]
        activated = torch.nn.functional.silu(held) if activation else held
        torch.testing.assert_close(activated.transpose(1, 2), expected)

    @pytest.mark.parametrize("attribute", ["act", "act_module", "activation"])
    def test_activation_may_be_a_function_a_module_or_a_word(
        self, states: Any, attribute: str
    ) -> None:
        module = hf_like.Convolved()
        expected = module(states)
        component = wrap(module, hook_y=Tap(function="convolve", activation=attribute))
        record(component, "hook_y")
        torch.testing.assert_close(component(states), expected)

    def test_positions_before_heads(self, states: Any) -> None:
        component = wrap(hf_like.Headed(), hook_z=Tap(function="double", heads_first=True))
        seen = record(component, "hook_z")
        assert torch.equal(component(states), 2 * states)
        assert torch.equal(seen["hook_z"][0], (2 * states).unflatten(-1, (2, 2)))

    def test_axes_as_one(self, states: Any) -> None:
        component = wrap(hf_like.Headed(), hook_z=Tap(function="double", flatten=1))
        seen = record(component, "hook_z")
        assert torch.equal(component(states), 2 * states)
        assert seen["hook_z"][0].shape == (2, 10, 2)


class TestCost:
    TAPS: ClassVar[dict[str, Tap]] = {
        "hook_x": Tap(function="double", call=0),
        "hook_y": Tap(function="shift"),
        "hook_s": Tap(torch="softmax"),
        "hook_w": Tap(weight="p.weight"),
    }

    @pytest.fixture
    def component(self) -> Any:
        return wrap(hf_like.Called(), {"p": "proj"}, **self.TAPS)

    def test_without_hooks_the_plain_forward_runs(
        self, component: Any, states: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_args: object) -> None:
            raise AssertionError("a call was prepared")

        monkeypatch.setattr(module_of_taps, "TappedCall", refuse)
        # Hooks that the component fires itself need no taps.
        seen = record(component, "hook_in", "hook_out", "p.hook_in", "p.hook_out")
        component(states)
        assert [len(held) for held in seen.values()] == [1, 1, 1, 1]
        record(component, "hook_x")
        with pytest.raises(AssertionError, match="a call was prepared"):
            component(states)

    def test_only_chosen_taps_are_paid_for(
        self, component: Any, states: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[str] = []
        modes: list[Any] = []
        run, mode = module_of_taps.TappedCall.run, module_of_taps.TappedCall.mode

        def note(self: Any, name: str, *args: Any) -> Any:
            called.append(name)
            return run(self, name, *args)

        def note_mode(self: Any) -> Any:
            modes.append(mode(self))
            return modes[-1]

        monkeypatch.setattr(module_of_taps.TappedCall, "run", note)
        monkeypatch.setattr(module_of_taps.TappedCall, "mode", note_mode)
        record(component, "hook_y")
        component(states)
        assert called == ["shift"]
        assert not isinstance(modes[0], torch.overrides.TorchFunctionMode)

    def test_what_stands_for_a_hook_in_a_call_is_a_hook_too(
        self, component: Any, states: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[Any] = []
        mode = module_of_taps.TappedCall.mode

        def note(self: Any) -> Any:
            seen.extend((self.bridge.hook_y, component.hook_y))
            return mode(self)

        monkeypatch.setattr(module_of_taps.TappedCall, "mode", note)
        record(component, "hook_y")
        component(states)
        # TransformerLens passes it to functions whose annotations its tests check.
        assert type(seen[0]) is type(seen[1])
        assert seen[0] is not seen[1]

    def test_hooks_attached_by_methods_of_torch_count(self, component: Any, states: Any) -> None:
        handle = component.hook_y.register_forward_hook(lambda *args: 0 * args[-1])
        bias = component.original_component.proj.bias
        torch.testing.assert_close(component(states), bias.expand(2, 5, 4))
        handle.remove()
        assert not torch.equal(component(states), bias.expand(2, 5, 4))

    @pytest.mark.parametrize("fails", [False, True])
    def test_nothing_stays(self, component: Any, states: Any, fails: bool) -> None:
        module = component.original_component
        expected = component(states)
        modules = [component, module, component.p, component.p.original_component]
        before = [dict(vars(each), _modules=dict(each._modules)) for each in modules]
        functions = dict(vars(hf_like))

        def change(tensor: Any) -> Any:
            if fails:
                raise RuntimeError("of the hook")
            return tensor

        edit(component, "hook_y", change)
        if fails:
            with pytest.raises(RuntimeError, match="of the hook"):
                component(states)
        else:
            component(states)
        component.hook_y.remove_hooks()
        assert [dict(vars(each), _modules=dict(each._modules)) for each in modules] == before
        assert dict(vars(hf_like)) == functions
        assert torch.equal(component(states), expected)

    def test_no_table_holds_on_to_a_module(self, component: Any, states: Any) -> None:
        own = wrap(hf_like.Called(), hook_x=Tap(function="double"))
        record(own, "hook_x")
        own(states)
        module = weakref.ref(own.original_component)
        del own
        gc.collect()
        assert module() is None


class TestCopies:
    def test_two_models(self, states: Any) -> None:
        one, other = (wrap(hf_like.Called(), hook_y=Tap(function="shift")) for _ in range(2))
        expected = other(states)
        edit(one, "hook_y", torch.zeros_like)
        assert torch.equal(other(states), expected)
        assert not torch.equal(one(states), expected)

    def test_deep_copy_has_hooks_and_weights_of_its_own(self, states: Any) -> None:
        one = wrap(hf_like.Weighted("linear"), {"gate": "gate"}, hook_y=Tap(weight="gate.weight"))
        expected = one(states)
        other = copy.deepcopy(one)
        seen = record(other, "hook_y")
        assert torch.equal(other(states), expected)
        assert len(seen["hook_y"]) == 1
        other.original_component.gate.original_component.weight.zero_()
        assert not torch.equal(other(states), expected)
        record(one, "hook_y")
        assert torch.equal(one(states), expected)

    def test_deep_copy_of_one_with_hooks(self, states: Any) -> None:
        one = wrap(hf_like.Called(), hook_y=Tap(function="shift"))
        expected = one(states)
        edit(one, "hook_y", torch.zeros_like)
        other = copy.deepcopy(one)
        assert torch.equal(other(states), one(states))
        other.hook_y.remove_hooks()
        assert torch.equal(other(states), expected)
        assert not torch.equal(one(states), expected)

    def test_pickle(self, states: Any) -> None:
        one = wrap(hf_like.Called(), hook_y=Tap(function="shift"))
        other = pickle.loads(pickle.dumps(one))
        assert type(other) is type(one)
        assert torch.equal(other(states), one(states))

    def test_classes_with_the_same_taps_are_the_same(self) -> None:
        taps = {"hook_y": Tap(function="shift")}
        assert tapped(GeneralizedComponent, taps) is tapped(GeneralizedComponent, dict(taps))

    def test_taps_of_a_class_with_taps_are_added(self, states: Any) -> None:
        first = tapped(GeneralizedComponent, {"hook_x": Tap(function="double", call=0)})
        both = tapped(first, {"hook_y": Tap(function="shift")})
        assert list(both.taps) == ["hook_x", "hook_y"]
        assert list(first.taps) == ["hook_x"]

    def test_threads(self, states: Any) -> None:
        """Hooks of one model come and go while four threads run it and another."""
        one, other = (
            wrap(hf_like.Softened(), hook_p=Tap(torch="softmax"), hook_i=Tap(function="inner"))
            for _ in range(2)
        )
        expected = one(states)
        wrong: list[str] = []
        fired: list[int] = []
        stop = threading.Event()

        def work(number: int) -> None:
            with torch.no_grad():
                for turn in range(100):
                    target = other if (number + turn) % 3 == 0 else one
                    if not torch.equal(target(states), expected):
                        wrong.append(f"thread {number}, turn {turn}")

        def toggle() -> None:
            while not stop.wait(0.001):
                one.hook_p.add_hook(lambda tensor, hook: fired.append(1))
                stop.wait(0.001)
                one.hook_p.remove_hooks()

        switch = threading.Thread(target=toggle)
        workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in (switch, *workers):
            thread.start()
        for worker in workers:
            worker.join()
        stop.set()
        switch.join()
        assert not wrong
        assert fired


class TestPlaces:
    def test_compiled_forward_sees_a_hook_that_is_attached_later(self, states: Any) -> None:
        component = wrap(hf_like.Called(), hook_y=Tap(function="shift"))
        expected = component(states)
        compiled = torch.compile(component, backend="eager")
        try:
            torch.testing.assert_close(compiled(states), expected)
            seen = record(component, "hook_y")
            torch.testing.assert_close(compiled(states), expected)
            assert len(seen["hook_y"]) == 1
            edit(component, "hook_y", torch.zeros_like)
            assert not torch.equal(compiled(states), expected)
            component.hook_y.remove_hooks()
            torch.testing.assert_close(compiled(states), expected)
        finally:
            torch._dynamo.reset()

    @pytest.mark.parametrize("to_disk", [True, False])
    @pytest.mark.parametrize("hooked", [True, False])
    def test_offloaded_weights(
        self, states: Any, hooked: bool, to_disk: bool, tmp_path: Path
    ) -> None:
        from accelerate import cpu_offload, disk_offload

        module = hf_like.Weighted("linear")
        expected = module(states)
        if to_disk:
            disk_offload(module, str(tmp_path), execution_device="cpu")
        else:
            cpu_offload(module, execution_device="cpu")
        component = wrap(
            module,
            {"gate": "gate"},
            gate__hook_in=Tap(weight="gate.weight", argument=0),
            gate__hook_out=Tap(weight="gate.weight"),
        )
        if hooked:
            seen = record(component, "gate.hook_in", "gate.hook_out")
        assert torch.equal(component(states), expected)
        if hooked:
            assert [len(held) for held in seen.values()] == [1, 1]
            edit(component, "gate.hook_out", torch.zeros_like)
            assert component(states)[0, 0].equal(component(states)[1, 4])
        assert {weight.device.type for weight in component.parameters()} == {"meta"}

    def test_offloaded_module_whose_methods_call_functions(self, states: Any) -> None:
        from accelerate import cpu_offload

        module = hf_like.Called()
        expected = module(states)
        cpu_offload(module, execution_device="cpu")
        component = wrap(module, hook_x=Tap(function="double"), hook_y=Tap(function="shift"))
        seen = record(component, "hook_x", "hook_y")
        assert torch.equal(component(states), expected)
        assert [len(held) for held in seen.values()] == [2, 1]


class TestTraining:
    def test_dropout_under_one_seed(self, states: Any) -> None:
        component = wrap(hf_like.Dropped(), hook_x=Tap(function="double"))
        component.train()
        made = []
        for hooked in (False, True):
            if hooked:
                seen = record(component, "hook_x")
            torch.manual_seed(3)
            made.append(component(states))
        assert torch.equal(*made)
        assert made[0].eq(0).any() and seen["hook_x"][0].eq(0).any()

    def test_gradients_at_hooks_and_weights(self, states: Any) -> None:
        module, kept = hf_like.Weighted("linear"), []
        component = wrap(module, {"gate": "gate"}, hook_y=Tap(weight="gate.weight"))

        def keep(tensor: Any) -> None:
            tensor.retain_grad()
            kept.append(tensor)

        edit(component, "hook_y", keep)
        with torch.enable_grad():
            component(states).square().sum().backward()
        upstream = kept[0].grad.flatten(0, 1)
        weight = module.gate.original_component.weight
        torch.testing.assert_close(weight.grad, upstream.T @ states.flatten(0, 1))

    @pytest.mark.parametrize("name", ["hook_x", "p.hook_out"])
    def test_fused_forward_gives_way_to_hooks(self, states: Any, name: str) -> None:
        taps = {"hook_x": Tap(function="double")}
        cls = tapped(GeneralizedComponent, taps, fused_in_training=True)
        module = hf_like.Fused().eval()
        expected = module(states)
        component = bind(cls("mixer", submodules={"p": GeneralizedComponent("proj")}), module)
        component.train()
        assert not component(states).any()
        seen = record(component, name)
        assert torch.equal(component(states), expected)
        assert len(seen[name]) == 1
        assert component.original_component.training
        hook_of(component, name).remove_hooks()
        assert not component(states).any()


def test_a_class_with_taps_says_of_which_it_is() -> None:
    cls = tapped(GeneralizedComponent, {"hook_x": Tap(function="double")})
    assert cls.__name__ == "TappedGeneralizedComponent"
    assert "GeneralizedComponent" in cls.__doc__
    assert cls.__module__ == module_of_taps.__name__


def test_what_hooks_are_asked_is_looked_up_once() -> None:
    component = wrap(hf_like.Called(), hook_x=Tap(function="double"))
    for look in (component._tapped, component._attached_to_taps, component._read_modules):
        assert look() is look()

"""What one call with taps keeps to: every sort of hook, and every way to write a function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hf_like
import pytest
from runtime_support import GeneralizedComponent, Tap, bind, edit, record, torch, wrap
from torch import nn
from torch.nn import functional

from transformer_lens.model_bridge.generalized_components import taps as module_of_taps
from transformer_lens.model_bridge.generalized_components.taps import TapsMixin

#: As a kernel that is not installed.
kernel: Any = None


def double(states: Any, by: float = 2.0) -> Any:
    return by * states


def shift(states: Any, *, by: Any) -> Any:
    return states + by


def convolve(states: Any, activation: Any = None) -> Any:
    return functional.silu(states) if activation else states


def shorten(states: Any) -> Any:
    """As a kernel that gets cached tokens too, and returns those of the call alone."""
    return 2 * states[..., -2:]


def lengthen(states: Any) -> Any:
    """As a convolution that is padded at both ends."""
    return functional.pad(states, (0, 2), value=7.0)


def split(states: Any) -> Any:
    return states, lengthen(-states)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.no_grad():
        yield


@pytest.fixture
def states() -> Any:
    return torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(1))


def module_of(forward: Any, **parts: Any) -> Any:
    """A module of Hugging Face with this forward, and these submodules or attributes."""
    made = type("Written", (nn.Module,), {"forward": forward})()
    for name, part in parts.items():
        setattr(made, name, part)
    return made


class TestHooks:
    @pytest.mark.parametrize(
        "way",
        [
            "register_forward_pre_hook",
            "register_forward_hook",
            "register_full_backward_pre_hook",
            "register_full_backward_hook",
        ],
    )
    def test_each_sort_that_torch_has_fires(self, states: Any, way: str) -> None:
        component = wrap(hf_like.Called(), hook_y=Tap(function="shift"))
        fired: list[int] = []
        getattr(component.hook_y, way)(lambda *_args: fired.append(1))
        with torch.enable_grad():
            component(states.requires_grad_()).sum().backward()
        assert fired == [1]

    def test_backward_hooks_get_the_gradient_of_what_the_hook_holds(self, states: Any) -> None:
        component = wrap(hf_like.Called(), hook_y=Tap(function="shift"))
        seen: list[Any] = []
        component.hook_y.add_hook(lambda grad, hook: seen.append(grad), dir="bwd")
        with torch.enable_grad():
            component(states.requires_grad_()).sum().backward()
        weight = component.original_component.proj.weight
        torch.testing.assert_close(seen[0], weight.sum(0).expand(2, 5, 4))

    def test_compiled_forward_sees_a_backward_hook_that_is_attached_later(
        self, states: Any
    ) -> None:
        component = wrap(hf_like.Called(), hook_y=Tap(function="shift"))
        compiled = torch.compile(component, backend="eager")
        fired: list[int] = []
        try:
            with torch.enable_grad():
                compiled(states.requires_grad_()).sum().backward()
                component.hook_y.add_hook(lambda grad, hook: fired.append(1), dir="bwd")
                compiled(states).sum().backward()
        finally:
            torch._dynamo.reset()
        assert fired == [1]

    def test_a_class_without_taps_is_the_plain_component(self, states: Any) -> None:
        cls: Any = type("Plain", (TapsMixin, GeneralizedComponent), {})
        component = bind(cls("mixer", submodules={"p": GeneralizedComponent("proj")}),
                         hf_like.Fused())  # fmt: skip
        component.train()
        # What is fused in training stays so, unless the class says what hooks need.
        record(component, "p.hook_out")
        assert not component(states).any()


class TestCost:
    def test_nothing_is_kept_out_of_a_graph_where_there_is_none(
        self, states: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_args: object) -> None:
            raise AssertionError("was kept out of a compiled graph")

        monkeypatch.setattr(TapsMixin, "_forward_untraced", refuse)
        component = wrap(hf_like.Called(), hook_y=Tap(function="shift"))
        seen = record(component, "hook_y")
        component(states)
        assert len(seen["hook_y"]) == 1

    def test_a_plain_call_looks_at_no_hook_point(
        self, states: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_args: object) -> None:
            raise AssertionError("a hook point was looked at")

        component = wrap(hf_like.Called(), hook_y=Tap(function="shift"))
        monkeypatch.setattr(module_of_taps, "is_hooked", refuse)
        component(states)

    def test_a_plain_call_is_one_graph(self, states: Any) -> None:
        component = wrap(hf_like.Called(), hook_y=Tap(function="shift"))
        try:
            found = torch._dynamo.explain(component)(states)
        finally:
            torch._dynamo.reset()
        assert (found.graph_count, found.graph_break_count) == (1, 0)


class TestOffloaded:
    @pytest.mark.parametrize("hooked", [True, False])
    def test_arguments_by_keyword(self, states: Any, hooked: bool) -> None:
        from accelerate import cpu_offload

        module = hf_like.Weighted("linear")
        expected = module(states)
        cpu_offload(module, execution_device="cpu")
        component = wrap(module, {"gate": "gate"}, gate__hook_out=Tap(weight="gate.weight"))
        if hooked:
            record(component, "gate.hook_out")
        assert torch.equal(component(hidden_states=states), expected)

    @pytest.mark.parametrize("name", ["hook_x", "gate.hook_in"])
    def test_a_submodule_that_is_called_too(self, states: Any, name: str) -> None:
        from accelerate import cpu_offload

        def forward(self: Any, hidden_states: Any) -> Any:
            return self.gate(hidden_states)

        module = module_of(forward, gate=nn.Linear(4, 6))
        expected = module(states)
        cpu_offload(module, execution_device="cpu")
        component = wrap(module, {"gate": "gate"}, **{name: Tap(weight="gate.weight", argument=0)})
        seen = record(component, name)
        assert torch.equal(component(states), expected)
        assert torch.equal(seen[name][0], states)


class TestFunctions:
    def test_defaults_of_a_forward_are_kept(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any, by: float = 3.0, *, more: float = 1.0) -> Any:
            return double(hidden_states) * by + more

        component = wrap(module_of(forward), hook_x=Tap(function="double"))
        record(component, "hook_x")
        assert torch.equal(component(states), 6 * states + 1)

    def test_a_forward_may_call_that_of_its_base(self, states: Any) -> None:
        class Base(nn.Module):
            def forward(self, hidden_states: Any) -> Any:
                return double(hidden_states)

        class Derived(Base):
            def forward(self, hidden_states: Any) -> Any:
                return 1 + super().forward(double(hidden_states))

        component = wrap(Derived(), hook_x=Tap(function="double"))
        record(component, "hook_x")
        assert torch.equal(component(states), 1 + 4 * states)

    def test_what_a_decorator_holds_besides_is_kept(self, states: Any) -> None:
        def adding(more: float) -> Any:
            def decorate(function: Any) -> Any:
                def wrapper(*args: Any) -> Any:
                    return function(*args) + more

                return wrapper

            return decorate

        @adding(5)
        def forward(self: Any, hidden_states: Any) -> Any:
            return double(hidden_states)

        component = wrap(module_of(forward), hook_x=Tap(function="double"))
        seen = record(component, "hook_x")
        assert torch.equal(component(states), 2 * states + 5)
        assert torch.equal(seen["hook_x"][0], 2 * states)

    def test_a_kernel_that_is_not_installed_is_no_function(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return double(hidden_states)

        component = wrap(
            module_of(forward),
            hook_x=Tap(function=("kernel", "double")),
            hook_y=Tap(function="kernel"),
        )
        assert "hook_y" not in component.get_hooks()
        seen = record(component, "hook_x")
        assert torch.equal(component(states), 2 * states)
        assert len(seen["hook_x"]) == 1

    def test_methods_that_every_module_has_are_not_those_of_the_release(self) -> None:
        component = wrap(
            hf_like.Called(), hook_x=Tap(function="half"), hook_y=Tap(function="shift")
        )
        assert "hook_x" not in component.get_hooks()
        assert "hook_y" in component.get_hooks()

    def test_a_method_of_a_base_class_counts(self, states: Any) -> None:
        class Derived(hf_like.Called):
            pass

        component = wrap(Derived(), hook_y=Tap(function="shift"))
        seen = record(component, "hook_y")
        component(states)
        assert torch.equal(seen["hook_y"][0], 4 * states + 3)

    def test_forward_itself(self, states: Any) -> None:
        component = wrap(
            hf_like.Called(), hook_y=Tap(function="forward"), hook_x=Tap(function="double", call=0)
        )
        seen = record(component, "hook_y", "hook_x")
        edit(component, "hook_y", lambda made: made + 1)
        expected = hf_like.Called.forward(component.original_component, states)
        assert torch.equal(component(states), expected + 1)
        assert torch.equal(seen["hook_y"][0], expected)
        assert torch.equal(seen["hook_x"][0], 2 * states)

    def test_an_argument_that_is_left_to_its_default_has_no_hook(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return double(hidden_states)

        component = wrap(module_of(forward), hook_by=Tap(function="double", argument=1))
        seen = record(component, "hook_by")
        assert torch.equal(component(states), 2 * states)
        assert not seen["hook_by"]

    @pytest.mark.parametrize("decorate", [lambda f: f, hf_like.decorated(True)])
    def test_an_argument_by_keyword_of_a_method(self, states: Any, decorate: Any) -> None:
        @decorate
        def shift(self: Any, states: Any, by: Any) -> Any:
            return states + by

        def forward(self: Any, hidden_states: Any) -> Any:
            return self.shift(by=3 * hidden_states, states=hidden_states)

        module = module_of(forward)
        type(module).shift = shift
        component = wrap(module, hook_by=Tap(function="shift", argument=1))
        seen = record(component, "hook_by")
        assert torch.equal(component(states), 4 * states)
        assert torch.equal(seen["hook_by"][0], 3 * states)

    def test_an_argument_by_keyword_only(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return shift(hidden_states, by=3 * hidden_states)

        component = wrap(module_of(forward), hook_by=Tap(function="shift", argument=1))
        seen = record(component, "hook_by")
        assert torch.equal(component(states), 4 * states)
        assert torch.equal(seen["hook_by"][0], 3 * states)

    def test_an_argument_by_keyword_of_a_submodule(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return self.part(hidden_states=hidden_states)

        def inner(self: Any, hidden_states: Any) -> Any:
            return 2 * hidden_states

        component = wrap(
            module_of(forward, part=module_of(inner)), hook_x=Tap(function="part", argument=0)
        )
        edit(component, "hook_x", lambda x: x + 1)
        assert torch.equal(component(states), 2 * (states + 1))

    def test_arguments_all_by_keyword_and_no_tensor_first(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any, use_cache: bool) -> Any:
            return double(hidden_states)

        component = wrap(module_of(forward), hook_x=Tap(function="double", tokens=1))
        seen = record(component, "hook_x")
        component(use_cache=False, hidden_states=states)
        assert torch.equal(seen["hook_x"][0], 2 * states)


class TestTorch:
    def test_softmax_by_keyword(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return functional.softmax(input=hidden_states, dim=-1)

        component = wrap(
            module_of(forward),
            hook_scores=Tap(torch="softmax", argument=0),
            hook_pattern=Tap(torch="softmax"),
        )
        seen = record(component, "hook_scores", "hook_pattern")
        assert torch.equal(component(states), states.softmax(-1))
        assert torch.equal(seen["hook_scores"][0], states)
        assert torch.equal(seen["hook_pattern"][0], states.softmax(-1))

    def test_softmax_in_a_function_without_arguments(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            def soften() -> Any:
                return hidden_states.softmax(-1)

            return soften()

        component = wrap(module_of(forward), hook_pattern=Tap(torch="softmax"))
        seen = record(component, "hook_pattern")
        component(states)
        assert len(seen["hook_pattern"]) == 1

    def test_other_functions_of_torch_run_as_they_are(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return functional.pad(hidden_states, (1, 0), value=3.0).softmax(-1)

        component = wrap(module_of(forward), hook_pattern=Tap(torch="softmax"))
        record(component, "hook_pattern")
        expected = functional.pad(states, (1, 0), value=3.0).softmax(-1)
        assert torch.equal(component(states), expected)


#: Products to which something is added: what gets the weight, and the operand that is hooked.
ADDING: dict[str, Any] = {
    "addmm": lambda w, x: torch.addmm(torch.ones(6), x[0], w.t()),
    "addmm by keyword": lambda w, x: torch.addmm(input=torch.ones(6), mat1=x[0], mat2=w.t()),
    "addmv": lambda w, x: torch.addmv(torch.ones(6), w, x[0, 0]),
    "addbmm": lambda w, x: torch.addbmm(torch.ones(5, 6), x, w.t().expand(2, 4, 6)),
    "baddbmm": lambda w, x: torch.baddbmm(torch.ones(6), x, w.t().expand(2, 4, 6)),
}


class TestWeights:
    @pytest.mark.parametrize("name", ADDING)
    def test_what_is_added_to_a_product_is_no_operand(self, states: Any, name: str) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return ADDING[name](self.gate.weight, hidden_states)

        module = module_of(forward, gate=nn.Linear(4, 6))
        expected = ADDING[name](module.gate.weight, states)
        component = wrap(module, {"gate": "gate"}, hook_x=Tap(weight="gate.weight", argument=0))
        seen = record(component, "hook_x")
        assert torch.equal(component(states), expected)
        operands = {"addmm": states[0], "addmv": states[0, 0]}
        assert torch.equal(seen["hook_x"][0], operands.get(name.split()[0], states))
        edit(component, "hook_x", torch.zeros_like)
        assert component(states).eq(1).all()

    @pytest.mark.parametrize("call", [0, 1])
    def test_which_of_several_products(self, states: Any, call: int) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            first = functional.linear(hidden_states, self.gate.weight)
            return functional.linear(first + 1, self.gate.weight)

        module = module_of(forward, gate=nn.Linear(4, 4))
        weight = module.gate.weight
        component = wrap(
            module, {"gate": "gate"}, hook_x=Tap(weight="gate.weight", argument=0, call=call)
        )
        seen = record(component, "hook_x")
        component(states)
        (held,) = seen["hook_x"]
        assert torch.equal(held, (states, functional.linear(states, weight) + 1)[call])

    def test_a_parameter_of_the_module_itself(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return functional.linear(hidden_states, self.weight)

        module = module_of(forward, weight=nn.Parameter(torch.randn(6, 4)))
        component = wrap(module, hook_y=Tap(weight="weight"))
        seen = record(component, "hook_y")
        expected = functional.linear(states, module.weight)
        assert torch.equal(component(states), expected)
        assert torch.equal(seen["hook_y"][0], expected)
        edit(component, "hook_y", torch.zeros_like)
        assert not component(states).any()

    def test_two_weights_are_told_apart(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            first = functional.linear(hidden_states, self.one.weight)
            return functional.linear(first, self.other.weight)

        module = module_of(forward, one=nn.Linear(4, 6), other=nn.Linear(6, 3))
        component = wrap(
            module,
            {"one": "one", "other": "other"},
            hook_one=Tap(weight="one.weight", call=0),
            hook_other=Tap(weight="other.weight", call=0),
        )
        seen = record(component, "hook_one", "hook_other")
        made = component(states)
        assert seen["hook_one"][0].shape == (2, 5, 6)
        assert torch.equal(seen["hook_other"][0], made)


class TestTokens:
    def test_part_of_a_result(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return split(hidden_states.transpose(1, 2))[1]

        component = wrap(module_of(forward), hook_y=Tap(function="split", part=1, tokens=2))
        seen = record(component, "hook_y")
        component(states)
        assert torch.equal(seen["hook_y"][0], -states.transpose(1, 2))

    def test_what_a_hook_only_looks_at_is_handed_on_as_it_is(self, states: Any) -> None:
        made: list[Any] = []

        def forward(self: Any, hidden_states: Any) -> Any:
            made.append(lengthen(hidden_states.transpose(1, 2)))
            return made[-1]

        component = wrap(module_of(forward), hook_y=Tap(function="lengthen", tokens=2))
        kept: list[Any] = []
        component.hook_y.add_hook(lambda tensor, hook: kept.append(tensor))
        component(states)
        # No copy of it is made.
        assert made[0].data_ptr() == kept[0].data_ptr()

    def test_a_token_without_an_axis_of_positions(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return double(hidden_states[:, 0])[:, None]

        token = states[:, :1]
        component = wrap(
            module_of(forward),
            hook_x=Tap(function="double", argument=0, tokens=2),
            hook_y=Tap(function="double", tokens=2),
        )
        seen = record(component, "hook_x", "hook_y")
        assert torch.equal(component(token), 2 * token)
        assert torch.equal(seen["hook_x"][0], token.transpose(1, 2))
        assert torch.equal(seen["hook_y"][0], 2 * token.transpose(1, 2))
        edit(component, "hook_x", lambda x: x + 1)
        edit(component, "hook_y", lambda y: y - 1)
        assert torch.equal(component(token), 2 * (token + 1) - 1)

    def test_a_function_that_returns_the_tokens_of_the_call_alone(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any, cached: Any) -> Any:
            whole = torch.cat([cached, hidden_states], 1).transpose(1, 2)
            return shorten(whole).transpose(1, 2)

        alone, cached = states[:, 3:], states[:, :3]
        component = wrap(
            module_of(forward),
            hook_x=Tap(function="shorten", argument=0, tokens=2),
            hook_y=Tap(function="shorten", tokens=2),
        )
        seen = record(component, "hook_x", "hook_y")
        assert torch.equal(component(alone, cached), 2 * alone)
        assert torch.equal(seen["hook_x"][0], alone.transpose(1, 2))
        assert torch.equal(seen["hook_y"][0], 2 * alone.transpose(1, 2))

    @pytest.mark.parametrize("by_keyword", [True, False])
    def test_what_is_padded_after_the_tokens_is_left_out_and_kept(
        self, states: Any, by_keyword: bool
    ) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            states = hidden_states.transpose(1, 2)
            return lengthen(states=states) if by_keyword else lengthen(states)

        component = wrap(module_of(forward), hook_y=Tap(function="lengthen", tokens=2))
        seen = record(component, "hook_y")
        assert torch.equal(component(states), lengthen(states.transpose(1, 2)))
        assert torch.equal(seen["hook_y"][0], states.transpose(1, 2))
        edit(component, "hook_y", torch.zeros_like)
        made = component(states)
        assert not made[..., :5].any()
        assert made[..., 5:].eq(7).all()


class TestActivation:
    @pytest.mark.parametrize("asked", ["by position", "by keyword", "not", "not by keyword"])
    def test_is_applied_as_often_as_it_was_asked_for(self, states: Any, asked: str) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            if asked == "by position":
                return convolve(hidden_states, "silu")
            if asked == "by keyword":
                return convolve(hidden_states, activation="silu")
            return convolve(hidden_states, activation=None) if "key" in asked else (
                convolve(hidden_states)
            )  # fmt: skip

        module = module_of(forward, act="silu")
        expected = module(states)
        component = wrap(
            module,
            hook_y=Tap(function="convolve", activation="act"),
            hook_z=Tap(function="convolve", activation="act"),
        )
        seen = record(component, "hook_y", "hook_z")
        assert torch.equal(component(states), expected)
        assert torch.equal(seen["hook_y"][0], states)
        assert torch.equal(seen["hook_z"][0], states)

    def test_a_function_that_can_apply_none(self, states: Any) -> None:
        def forward(self: Any, hidden_states: Any) -> Any:
            return double(hidden_states, 3.0)

        component = wrap(
            module_of(forward, act="silu"), hook_y=Tap(function="double", activation="act")
        )
        seen = record(component, "hook_y")
        assert torch.equal(component(states), 3 * states)
        assert torch.equal(seen["hook_y"][0], 3 * states)

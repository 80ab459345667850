"""Component classes as syntax tells them, on a tree the test writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from adaptergen.catalogue.extract import extract
from adaptergen.catalogue.model import Component, Hook, Keyword

Tree = Callable[[Mapping[str, str]], Path]
PACKAGE = "transformer_lens.model_bridge.generalized_components"


def component(root: Path, name: str) -> Component:
    return extract(root, "9.9").components[name]


def test_inheritance_and_mixins_are_followed_across_files(tree: Tree) -> None:
    root = tree(
        {
            "__init__": "from .attention import Attention as Attention",
            "mixin": """
                class StateMixin:
                    is_list_item = True

                    def __init__(self, *args, **kwargs):
                        super().__init__(*args, **kwargs)
                        self.hook_state = HookPoint()
            """,
            "attention": """
                from transformer_lens.model_bridge.generalized_components import base as b
                from .mixin import StateMixin

                class Attention(StateMixin, b.GeneralizedComponent):
                    pass

                class NotABridge(StateMixin):
                    pass
            """,
            "late": """
                from typing import TYPE_CHECKING
                if not TYPE_CHECKING:
                    from transformer_lens.model_bridge.generalized_components import Attention

                class Late(Attention):
                    pass
            """,
        }
    )
    catalogue = extract(root, "9.9")
    assert set(catalogue.components) == {"GeneralizedComponent", "Attention", "Late"}
    late = catalogue.components["Late"]
    assert late.is_list_item
    assert [hook.name for hook in late.hooks] == ["hook_in", "hook_out", "hook_state"]
    assert [keyword.name for keyword in late.keywords if keyword.required] == ["name"]
    assert late.keyword("config") is not None and late.keyword("optional") is not None
    # Only what the package exports is imported from the package.
    assert catalogue.components["Attention"].module == PACKAGE
    assert late.module == f"{PACKAGE}.late"


def test_forwarded_keywords_lose_what_the_call_binds(tree: Tree) -> None:
    root = tree(
        {
            "forward": """
                from .base import GeneralizedComponent

                class Forward(GeneralizedComponent):
                    def __init__(self, name, *, scale: float = 1.0, **kwargs):
                        kwargs.setdefault("optional", True)
                        self.extra = kwargs.pop("extra")
                        self.more = kwargs.get("more", 3)
                        super().__init__(name, None, **kwargs)
                        self.scale = scale

                class Explicit(Forward):
                    def __init__(self, **options):
                        Forward.__init__(self, "fixed", **options)
            """
        }
    )
    expected = {
        Keyword("scale", "1.0"),
        Keyword("submodules", "None"),
        Keyword("optional", "True"),
        Keyword("extra"),
        Keyword("more", "3"),
    }
    assert set(component(root, "Forward").keywords) == {Keyword("name"), *expected}
    assert set(component(root, "Explicit").keywords) == expected


def test_keywords_that_do_nothing_are_told(tree: Tree) -> None:
    root = tree(
        {
            "greedy": """
                from .base import GeneralizedComponent

                class Greedy(GeneralizedComponent):
                    def __init__(self, name, ignored=True, **kwargs):
                        super().__init__(name)

                class Child(Greedy):
                    def __init__(self, *args, **kwargs):
                        super().__init__(*args, **kwargs)
            """
        }
    )
    child = component(root, "Child")
    assert child.keywords == (Keyword("name"), Keyword("ignored", "True", unused=True))
    assert child.swallows_unknown
    assert child.keyword("config") is None


def test_aliases_are_read_through_spreads(tree: Tree) -> None:
    root = tree(
        {
            "aliases": """
                from . import base
                from .base import GeneralizedComponent as Base

                COMMON = {"hook_a": "a.hook_out"}

                class First(Base):
                    hook_aliases: dict = dict(
                        {**COMMON, "hook_b": ["b.hook_in", "b.hook_out"]}, hook_e="e.hook_in"
                    )

                class Second(First):
                    hook_aliases = {**First.hook_aliases.copy(), "hook_a": "own"} | {"hook_c": "c"}

                class Third(Second):
                    def bind(self):
                        self.hook_aliases["hook_d"] = "d"

                class Odd(Base):
                    hook_aliases = {name: name for name in COMMON}

                class Ring(Base):
                    hook_aliases = {**hook_aliases}
            """
        }
    )
    catalogue = extract(root, "9.9")
    third = catalogue.components["Third"]
    assert third.hook_aliases == {
        "hook_a": ("own",),
        "hook_b": ("b.hook_in", "b.hook_out"),
        "hook_c": ("c",),
        "hook_e": ("e.hook_in",),
    }
    assert {"Odd.hook_aliases: not a plain dict", "Ring.hook_aliases: not a plain dict"} <= set(
        catalogue.gaps
    )


def test_hooks_say_what_they_depend_on(tree: Tree) -> None:
    root = tree(
        {
            "hooks": """
                from .base import GeneralizedComponent

                class Hooks(GeneralizedComponent):
                    forks: bool = True

                    def __init__(self, name, config, submodules=None, decoder=False):
                        super().__init__(name, config, submodules)
                        self._make_cos()
                        if self.forks:
                            self.hook_fork = HookPoint()
                        if decoder:
                            self.hook_mid = HookPoint()
                            self._make_late()
                        if getattr(config, "gated", False):
                            self.hook_gate = HookPoint()
                        if submodules is not None and "q_norm" in submodules:
                            self.hook_normed = HookPoint()
                        self.hook_maybe = HookPoint() if config.rotary == "x" else None
                        setattr(self, "hook_set", HookPoint())
                        self.add_module("hook_added", HookPoint())
                        setattr(config, "hook_elsewhere", HookPoint())
                        for key in submodules:
                            setattr(self, f"hook_{key}", HookPoint())

                        def later():
                            self.hook_never = HookPoint()

                    def _make_cos(self):
                        self.hook_cos = HookPoint()

                    def _make_late(self):
                        self.hook_late = HookPoint()

                class NoFork(Hooks):
                    forks = False

                    def _make_late(self):
                        self.hook_own = HookPoint()

                    def forward(self):
                        self.hook_not_made_here = HookPoint()
            """
        }
    )
    catalogue = extract(root, "9.9")
    hooks = {hook.name: hook for hook in catalogue.components["Hooks"].hooks}
    always = {name for name, hook in hooks.items() if not hook.conditional}
    made = {"hook_cos", "hook_fork", "hook_set", "hook_added"}
    assert always == {"hook_in", "hook_out", *made}
    assert {name: hook.depends_on for name, hook in hooks.items() if hook.conditional} == {
        "hook_mid": ("decoder",),
        "hook_late": ("decoder",),
        "hook_gate": ("config.gated",),
        "hook_normed": ("submodules.q_norm",),
        "hook_maybe": ("config.rotary",),
    }
    assert hooks["hook_mid"] == Hook("hook_mid", True, ("decoder",), None)
    derived = {hook.name for hook in catalogue.components["NoFork"].hooks}
    assert derived == {*hooks, "hook_own"} - {"hook_fork", "hook_late"}
    assert any(gap.startswith("Hooks: makes hook points") for gap in catalogue.gaps)

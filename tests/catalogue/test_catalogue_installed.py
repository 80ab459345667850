"""The committed catalogue against the TransformerLens that is installed."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adaptergen.catalogue.extract import extract
from adaptergen.catalogue.library import find_installed, installed_version
from adaptergen.catalogue.model import Catalogue, Component, Hook
from adaptergen.catalogue.observe import instantiate, observe, observed_hooks, resolve_hooks
from adaptergen.catalogue.store import dumps, load

UPDATE = "stale: run `adaptergen catalog --observe`"
VERSION = "4.3.0"


@pytest.fixture(scope="module")
def fresh() -> Catalogue:
    """A fresh extraction, by syntax alone."""
    package = find_installed()
    if package is None or installed_version() != VERSION:
        pytest.skip(f"the committed catalogue is of TransformerLens {VERSION}, not installed here")
    return extract(package)


@pytest.fixture(scope="module")
def living(fresh: Catalogue) -> Catalogue:
    """The fresh extraction, where TransformerLens can also be imported."""
    pytest.importorskip("transformer_lens", reason="observation makes living components")
    return fresh


def test_the_committed_catalogue_is_what_syntax_tells(fresh: Catalogue) -> None:
    assert fresh.gaps == ()
    committed = load(VERSION)[0]
    components = {
        name: component.without_observations() for name, component in committed.components.items()
    }
    assert replace(committed, components=components) == fresh, UPDATE


def test_the_committed_catalogue_is_what_is_observed(living: Catalogue) -> None:
    assert dumps(load(VERSION)[0]) == dumps(observe(living)), UPDATE


def test_syntax_and_observation_agree_on_hooks(living: Catalogue) -> None:
    seen = observed_hooks(living)
    assert seen.keys() == living.components.keys()
    for name, component in living.components.items():
        always = {hook.name for hook in component.hooks if not hook.conditional}
        possible = {hook.name for hook in component.hooks}
        assert always <= seen[name] <= possible, name


def test_conditional_hooks_appear_when_their_condition_holds(living: Catalogue) -> None:
    components = living.components
    config = importlib.import_module("transformer_lens.config").TransformerBridgeConfig(
        d_model=8, d_head=4, n_heads=2, n_layers=1, n_ctx=8, positional_embedding_type="rotary"
    )
    norm = instantiate(components["RMSNormalizationBridge"])
    rotary = instantiate(
        components["PositionEmbeddingsAttentionBridge"], config=config, submodules={"q_norm": norm}
    )
    assert hasattr(rotary, "hook_rot_q") and hasattr(rotary, "hook_q_normed")
    assert not hasattr(rotary, "hook_k_normed")
    assert not hasattr(
        instantiate(components["MoERouterBridge"], weights_index=None), "hook_expert_weights"
    )


def test_classes_and_aliases_are_the_living_ones(living: Catalogue) -> None:
    root = living_class(living.components["GeneralizedComponent"])
    # Other tests may have imported what adapters share, which lies elsewhere.
    installed = Path(inspect.getfile(root)).parent
    found = {
        cls.__name__
        for cls in subclasses(root)
        if Path(inspect.getfile(sys.modules[cls.__module__])).parent == installed
    }
    assert found | {root.__name__} == set(living.components)
    for name, component in living.components.items():
        cls = living_class(component)
        assert cls.__name__ == name
        assert component.is_list_item == cls.is_list_item
        assert component.hook_aliases == {
            alias: tuple(target) if isinstance(target, list) else (target,)
            for alias, target in cls.hook_aliases.items()
        }


def test_every_keyword_is_accepted_and_no_other(living: Catalogue) -> None:
    known = {word.name for component in living.components.values() for word in component.keywords}
    for component in living.components.values():
        own = {keyword.name: keyword for keyword in component.keywords}
        defaults = {
            name: ast.literal_eval(keyword.default)
            for name, keyword in own.items()
            if keyword.default is not None and name != "config"
        }
        assert type(instantiate(component, **defaults)) is living_class(component)
        for other in known - own.keys():
            if component.swallows_unknown:
                instantiate(component, **{other: None})
            else:
                with pytest.raises(TypeError, match=other):
                    instantiate(component, **{other: None})


def test_required_keywords_are_required(living: Catalogue) -> None:
    for component in living.components.values():
        required = {keyword.name: None for keyword in component.keywords if keyword.required}
        for missing in required:
            with pytest.raises(TypeError, match=missing):
                living_class(component)(**{key: None for key in required if key != missing})


def test_sites_and_settings_are_the_living_ones(living: Catalogue) -> None:
    factory = importlib.import_module("transformer_lens.factories.architecture_adapter_factory")
    assert living.adapters == {
        key: cls.__name__ for key, cls in factory.SUPPORTED_ARCHITECTURES.items()
    }
    config = importlib.import_module("transformer_lens.config").TransformerBridgeConfig(
        d_model=8, d_head=4, n_heads=2, n_layers=1, n_ctx=8
    )
    assert set(living.config_fields) == set(vars(config))
    for site in living.sites:
        module = importlib.import_module(
            site.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        )
        if site.kind != "imports":
            assert set(site.entries) == set(getattr(module, site.container))
        else:
            assert all(hasattr(module, entry) for entry in site.entries)


def living_class(component: Component) -> Any:
    return getattr(importlib.import_module(component.module), component.name)


def subclasses(cls: Any) -> Iterator[Any]:
    for child in cls.__subclasses__():
        yield child
        yield from subclasses(child)


def test_resolving_marks_what_was_observed() -> None:
    component = Component(
        "A", "m", (), (), hooks=(Hook("hook_in"), Hook("hook_x", True, ("flag",), None))
    )
    resolve_hooksd = resolve_hooks(component, frozenset({"hook_in", "hook_new"}))
    assert resolve_hooksd.hooks_source == "observed"
    assert resolve_hooksd.hooks == (
        Hook("hook_in"),
        Hook("hook_new", True, (), True),
        Hook("hook_x", True, ("flag",), False),
    )
    assert resolve_hooks(
        replace(component, hooks=(Hook("hook_in"),)), frozenset({"hook_in"})
    ).hooks == (Hook("hook_in"),)

"""The config and the weights of a wrapped model, held against HF's."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from math import prod
from typing import Any

import torch
import transformers
from transformers.pytorch_utils import Conv1D

from .findings import Finding, Spot
from .models import ModelUnderTest, hf_class, quiet
from .tables import AdapterTables, names_of, value_of

_NOWHERE = Spot()


def check_fields(tables: AdapterTables) -> Iterator[Finding]:
    """HF knows the fields that tiny models are made with: a config keeps what nothing reads.

    And HF can generate where the tables say so: what rests on generation could not run.
    """
    model_class = hf_class(tables.architecture)
    if tables.generates and not model_class.can_generate():
        what = f"`{tables.architecture}` has no `generate`"
        mend = "add `adapter: {supports_generation: false}`"
        yield Finding("generation", what, "a method", "nothing", mend, about=("config",))
    config_class = model_class.config_class
    known = field_names(config_class)
    text = "\n".join(_sources(model_class, config_class))
    told = set[str]()
    for branch, fields in {"": tables.config, **tables.branches}.items():
        for name in fields:
            # HF reads some that no class declares, such as those of older checkpoints.
            if name in known or name in told or re.search(rf"[.\"']{re.escape(name)}\b", text):
                continue
            told.add(name)
            what = f"`{config_class.__name__}` has no field `{name}`"
            close = get_close_matches(name, sorted(known), 1)
            mend = f"did you mean `{close[0]}`?" if close else "look the field up in transformers"
            yield Finding(
                "tiny config", what, "a field", "nothing", mend, about=("field", branch, name)
            )


def field_names(config_class: Any) -> set[str]:
    """What a config class takes by name."""
    common = {n for n in vars(transformers.PreTrainedConfig()) if not n.startswith("_")}
    declared = set(inspect.signature(config_class.__init__).parameters)
    declared |= {n for cls in config_class.__mro__ for n in getattr(cls, "__annotations__", {})}
    return {*declared, *getattr(config_class, "attribute_map", {}), *common}


def _sources(*classes: Any) -> Iterator[str]:
    """The text of modules that may read a field."""
    modules = {cls.__module__ for one in classes for cls in one.__mro__}
    for module in sorted(name for name in modules if name.startswith("transformers")):
        try:
            yield inspect.getsource(sys.modules[module])
        except (KeyError, OSError):
            continue


def check_kinds(run: ModelUnderTest) -> Iterator[Finding]:
    """The layers of a tiny model are of the kinds that the tables name."""
    stated = run.tables.layers
    run.report.count("layers", len(run.kinds))
    if run.kinds != stated:
        what = f"the tiny model has layers {', '.join(run.kinds)}"
        mend = "mend `kinds` here, or the fields that the model is made with"
        values = (", ".join(stated), ", ".join(run.kinds))
        yield Finding("kinds", what, *values, mend, about=("layers",))


def check_dimensions(run: ModelUnderTest) -> Iterator[Finding]:
    """Fields of `cfg` against HF's config, derived ones against the arithmetic."""
    for name, expected, told in _expected(run.tables, run.hf_config, run.kinds):
        measured = getattr(run.bridge.cfg, name, None)
        if not isinstance(expected, list):
            run.report.dimensions[name] = {"expected": expected, "measured": measured}
        run.report.count("dimensions")
        if measured != expected:
            yield _dimension(name, f"cfg.{name} is not {told}", expected, measured)


def check_copies(run: ModelUnderTest) -> Iterator[Finding]:
    """Components of layers hold copies of `cfg`, which say the same."""
    cfg = run.bridge.cfg
    configs = [
        (layer, config)
        for layer, block in enumerate(run.bridge.blocks)
        for part in block.modules()
        if isinstance(config := getattr(part, "config", None), type(cfg))
    ]
    for name, _, _ in _expected(run.tables, run.hf_config, run.kinds):
        expected = getattr(cfg, name, None)
        run.report.count("dimensions")
        for layer, config in configs:
            measured = getattr(config, name, None)
            if measured != expected:
                what = f"cfg.{name} is another in the copies of cfg that components of a layer hold"
                mend = "mend `setup_hook_compatibility` of the adapter"
                yield _dimension(name, what, expected, measured, mend, Spot(layer=layer))
                break


def _expected(
    tables: AdapterTables, hf_config: Any, kinds: tuple[str, ...]
) -> Iterator[tuple[str, Any, str]]:
    """Name, value, and where the value comes from."""
    if tables.listed_in:
        yield tables.listed_in, list(map(tables.told, kinds)), "the kinds of HF's layers"
    values: dict[str, Any] = {}
    for name in tables.carried:
        values[name] = getattr(hf_config, name, None)
        yield name, values[name], f"HF's {name}"
    for name, expression in tables.derived.items():
        values[name] = value_of(expression, values.get)
        yield name, values[name], expression


def _dimension(
    name: str,
    what: str,
    expected: object,
    measured: object,
    mend: str = "mend this line, or the adapter",
    spot: Spot = _NOWHERE,
) -> Finding:
    values = (_short(expected), _short(measured))
    return Finding("dimensions", what, *values, mend, spot, ("cfg", name))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def check_flags(run: ModelUnderTest) -> Iterator[Finding]:
    """The final norm is of the kind that flags name, and positions enter as they say."""
    for name, allowed, what in _flags(run):
        measured = getattr(run.bridge.cfg, name, None)
        run.report.count("flags")
        if measured not in allowed:
            mend = "mend this flag" if name in run.tables.flags else f"add `{name}` to `flags`"
            expected = " or ".join(f"`{value}`" for value in allowed)
            told = f"cfg.{name} is not what the model has: {what}"
            yield Finding("flags", told, expected, str(measured), mend, about=("flag", name))


def _flags(run: ModelUnderTest) -> Iterator[tuple[str, tuple[Any, ...], str]]:
    """Name of a field of cfg, what it may be, and why."""
    flags, bridge = run.tables.flags, run.bridge
    norm = getattr(bridge, "ln_final", None)
    if norm is None:
        return
    cls = type(norm.original_component).__name__
    has_rms = "RMSNorm" in cls
    for name in ("uses_rms_norm", "final_rms"):
        if name in flags:
            yield name, (has_rms,), f"its final norm is a {cls}"
    if "normalization_type" in flags:
        allowed = ("RMS", "RMSPre") if has_rms else ("LN", "LNPre")
        yield "normalization_type", allowed, f"its final norm is a {cls}"
    if flags.get("gated_mlp") and run.reference is not None:
        has_gate = _is_there(bridge, "W_gate")
        yield "gated_mlp", (True,) if has_gate else (False,), "it has no weights of a gate"
    # Without a flag too, where TransformerLens has a default that may not be so.
    if {"uses_rms_norm", "final_rms"} <= flags.keys():
        name = "positional_embedding_type"
        if hasattr(bridge, "rotary_emb"):
            yield name, ("rotary",), "it has a component rotary_emb"
        elif hasattr(bridge, "pos_embed"):
            yield name, ("standard",), "it has a component pos_embed"
        elif bridge.cfg.positional_embedding_type in ("rotary", "standard"):
            yield name, ("none", "alibi"), "it has neither a component rotary_emb nor pos_embed"


def _is_there(bridge: Any, name: str) -> bool:
    """Whether TransformerLens finds stacked weights in some layers."""
    try:
        with quiet():
            return getattr(bridge, name) is not None
    except NotImplementedError:
        return True  # on meta or on disk, where nothing can be read
    except (AttributeError, KeyError, RuntimeError, ValueError):
        return False


def check_weight_shapes(run: ModelUnderTest) -> Iterator[Finding]:
    """Features of weights against the last axes of the hooks before and after them.

    Of modules whose weight says how many features go in and come out.
    """
    for hook in run.hooks:
        owner, _, point = hook.name.rpartition(".")
        if point not in ("hook_in", "hook_out") or hook.name not in run.bridge.hook_dict:
            continue
        module = run.bridge.get_submodule(owner).original_component
        number = features_of(module).get(point)
        if number is None:
            continue
        features = [a for a in hook.contract.axes if not {"batch", "pos", "kv_pos"} & names_of(a)]
        if _is_scale(module):
            # A norm of each head has the features of the last axis alone.
            features = features[-1:]
        sizes = [run.axis(axis, 1, 1) for axis in features]
        known = [size for size in sizes if size is not None]
        run.report.count("weights")
        # A norm may have a weight for each feature of each head.
        if sizes in ([], list(module.weight.shape)):
            continue
        if len(known) == len(sizes) and prod(known) == number:
            continue
        expected = f"{' * '.join(f'({axis})' for axis in features)} = {prod(known)}"
        what = f"the weight of {hook.short.rpartition('.')[0]} has not the features of {hook.short}"
        mend = "mend the shape here, or the arithmetic of a derived value in it"
        unset = ("unset",) if len(known) < len(sizes) else ()
        spot = Spot(hook.layer, hook.kind, hook.short)
        yield Finding("weights", what, expected, str(number), mend, spot, ("shape", *unset))


def _is_scale(module: Any) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, torch.Tensor) and weight.ndim == 1


def features_of(module: Any) -> dict[str, int]:
    """Features before and after a module, by the hooks that hold them; nothing if untold."""
    weight = getattr(module, "weight", None)
    if isinstance(module, torch.nn.Linear):
        return {"hook_in": module.in_features, "hook_out": module.out_features}
    if isinstance(module, Conv1D):
        return {"hook_in": module.weight.shape[0], "hook_out": module.weight.shape[1]}
    if isinstance(module, torch.nn.Conv1d):
        return {"hook_in": module.in_channels, "hook_out": module.out_channels}
    if isinstance(module, torch.nn.Embedding):
        return {"hook_out": module.embedding_dim}
    if _is_scale(module):
        return dict.fromkeys(("hook_in", "hook_out"), len(module.weight))
    if isinstance(weight, torch.Tensor) and weight.ndim == 2:
        # A router, which hands its weight to a linear function.
        return {"hook_in": weight.shape[1], "hook_out": weight.shape[0]}
    return {}


def check_round_trip(run: ModelUnderTest) -> Iterator[Finding]:
    """Weights that are changed and loaded come out as they were loaded; then it is undone."""
    before = {name: weight.clone() for name, weight in run.bridge.state_dict().items()}
    changed = {
        name: weight + 0.01 if weight.is_floating_point() else weight
        for name, weight in before.items()
    }
    run.bridge.load_state_dict(changed)
    after = {name: weight.clone() for name, weight in run.bridge.state_dict().items()}
    run.bridge.load_state_dict(before)
    lost = [
        name for name in changed if not torch.equal(after.get(name, before[name]), changed[name])
    ]
    lost += sorted(after.keys() ^ changed.keys())
    run.report.count("weights", len(changed))
    if lost:
        what, mend = "weights do not survive a round trip", "mend the slots or paths of this kind"
        yield Finding("weights", what, "unchanged", ", ".join(lost[:4]), mend)

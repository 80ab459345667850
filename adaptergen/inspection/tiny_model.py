"""Tiny models: the config class alone says how. Float32, on the CPU, with random weights."""

from __future__ import annotations

import ast
import inspect
import json
import sys
import time
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch

from adaptergen.facts import Vocabulary
from adaptergen.inspection.config_fields import declared, full_config, json_value, read
from adaptergen.inspection.fault_isolation import attempted, failed, import_failed, reason
from adaptergen.inspection.runs import BATCH, POS, run_with_cache, run_without_cache
from adaptergen.inspection.shapes import rank, size_fields
from adaptergen.inspection.tiny_config import (
    HEAD_DIM,
    Profile,
    Settings,
    is_layer_count,
    layer_lists,
    profiles,
    tiny_settings,
)
from adaptergen.problems import quote

#: More parameters than this are not tiny: a rule misses a field. Float32, so 200 MB.
MOST_PARAMETERS = 50_000_000
#: Numbers that are tried for a size that is like another one.
_TRIES = 3
#: Seconds to look for the field of a config.json at fault, and the longest default that is shown.
_LONGEST_SEARCH, _SHOWN = 20.0, 60

#: Fields of a config that say where it comes from or how weights are stored.
_NOT_OF_A_MODEL = frozenset(
    {"architectures", "auto_map", "_name_or_path", "torch_dtype", "dtype", "transformers_version",
     "quantization_config", "_attn_implementation", "attn_implementation"}
)  # fmt: skip


@dataclass(frozen=True)
class TinyModel:
    """A tiny model and the settings of its config. A forward without a cache runs.

    `error` is what a forward with a cache raises; empty if it runs.
    """

    model: Any
    settings: Settings
    error: str = ""


def tiny_model(model_class: Any, base: Mapping[str, Any]) -> TinyModel:
    """The tiny model of the first profile that runs, with a cache if any does so.

    `base` are the fields of a config.json to start from. Raises `Failed`: the config cannot be
    made, the model cannot, or its forward raises.
    """
    config_class = model_class.config_class
    if not _takes_tokens(model_class):
        what = f"{quote(model_class.__name__)} takes no tokens: its forward has no `input_ids`"
        hint = "name the causal model of a family, such as `LlamaForCausalLM`"
        raise failed("hf-class", what, hint)
    base = fields_of_model(base)
    full = full_config(config_class, base)
    generates = model_class.can_generate()
    first: Exception | None = None
    without_cache: TinyModel | None = None
    for profile in profiles():
        try:
            settings = tiny_settings(config_class, full, profile, base, generates)
            tiny = _run(model_class, settings)
        except MemoryError:
            raise
        except Exception as error:  # code of transformers may raise anything
            first = first or error
            continue
        if not tiny.error:
            return _told_apart(tiny, full)
        without_cache = without_cache or tiny
    if without_cache is not None:
        return without_cache
    assert first is not None
    name = quote(model_class.__name__)
    if isinstance(first, ImportError):
        raise import_failed(f"{name} cannot be built", first) from first
    raise failed(
        "hf-forward",
        f"no tiny {name} runs: {reason(first)}",
        "name a folder with a config.json that does, or report the class to adaptergen",
    ) from first


def fields_of_model(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a config.json that say what the model is."""
    return {name: value for name, value in config.items() if name not in _NOT_OF_A_MODEL}


def field_at_fault(
    model_class: Any, config: Mapping[str, Any], message: str
) -> tuple[str, str] | None:
    """The field of a config.json without which a tiny model runs, and its default between commas.

    Fields that the message names are tried first. None if there is no such field, or if looking
    for one takes long.
    """
    base, end = fields_of_model(config), time.monotonic() + _LONGEST_SEARCH
    usual = attempted(model_class.config_class)
    for name in sorted(base, key=lambda name: name not in message):
        rest = {key: value for key, value in base.items() if key != name}
        if time.monotonic() < end and attempted(_runs, model_class, rest):
            value = None if usual is None else json_value(read(usual, name))
            text = json.dumps(value)
            return name, f", {text}," if value is not None and len(text) <= _SHOWN else ""
    return None


def _runs(model_class: Any, base: Mapping[str, Any]) -> bool:
    full = model_class.config_class.from_dict(dict(base))
    generates = model_class.can_generate()
    settings = tiny_settings(model_class.config_class, full, Profile(), base, generates)
    run_without_cache(make(model_class, settings))
    return True


def _takes_tokens(model_class: Any) -> bool:
    taken = inspect.signature(model_class.forward).parameters
    # One that takes what it is not told of may take images as its first.
    return "input_ids" in taken or next(iter([*taken][1:]), "") in ("args", "kwargs")


def make(model_class: Any, settings: Settings, device: str = "cpu") -> Any:
    """The model of a config with these settings; the same weights each time."""
    if device != "meta":
        meta = make(model_class, settings, "meta")
        number = sum(parameter.numel() for parameter in meta.parameters())
        if number > MOST_PARAMETERS:
            raise ValueError(f"{number:,} parameters are not tiny")
    # A config may keep and change what it is given.
    config = model_class.config_class(**deepcopy(settings))
    before = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float32)
        try:
            return model_class(config).eval()
        finally:
            torch.set_default_dtype(before)


def attempted_model(model_class: Any, settings: Settings) -> Any:
    """The model of a config with these settings; None if it does not run."""
    model = attempted(make, model_class, settings)
    return model if model is not None and attempted(_is_run, model) else None


def _is_run(model: Any) -> bool:
    run_without_cache(model)
    return True


def vocabulary(tiny: TinyModel) -> Vocabulary | None:
    """The words for kinds of layer that the config takes and the model runs with.

    None where no field of the config lists words for layers.
    """
    model_class, config = type(tiny.model), tiny.model.config
    fields = declared(type(config))
    rows = {
        name: list(row)
        for name, row in layer_lists(config).items()
        if name in fields and all(isinstance(word, str) for word in row)
    }
    if not rows:
        return None
    field = next((n for n in rows if "layer" in n and "mlp" not in n), next(iter(rows)))
    row = rows[field]
    words, older = set(row), {}
    allowed, legacy = _candidate_words(type(config), model_class)
    for word in sorted((allowed | legacy) - words):
        changed = [*row[:-1], word]
        other = _run_no_worse(tiny, {**tiny.settings, field: changed})
        if other is None:
            continue
        stored = read(other.model.config, field)
        if stored == changed:
            words.update({word} & allowed)
        elif isinstance(stored, (list, tuple)) and len(stored) == len(row):
            older[word] = str(stored[-1])
    return Vocabulary(field=field, words=tuple(sorted(words)), older=dict(sorted(older.items())))


def with_words(tiny: TinyModel, field: str, words: Iterable[str]) -> TinyModel:
    """The tiny model with a further layer for each word; the same one if that does not run."""
    config = tiny.model.config
    row = list(read(config, field))
    missing = sorted(set(words) - set(row))
    if not missing:
        return tiny
    settings = dict(tiny.settings)
    for name, listed in layer_lists(config).items():
        if name in settings:
            settings[name] = [*listed, *([listed[-1]] * len(missing))]
    settings[field] = [*row, *missing]
    for name in filter(is_layer_count, tiny.settings):
        settings[name] = len(settings[field])
    return _run_no_worse(tiny, settings) or tiny


def _told_apart(tiny: TinyModel, full: Any) -> TinyModel:
    """The tiny model with another number for each size that is like another one, if that runs.

    A number of the config.json itself stays, and what is alike at full size: models ask for it.
    """
    for name in sorted(tiny.settings, key=rank):
        sizes = {n: v for n, v in size_fields(tiny.model.config) if v > 2}
        number = sizes.get(name)
        if number is None or read(full, name) == number:
            continue
        alike = [
            other
            for other, value in sizes.items()
            if value == number and read(full, other) != read(full, name)
            and (rank(other) < rank(name) or read(full, other) == value)
        ]  # fmt: skip
        # Widths are multiples of four.
        step = 4 if number >= HEAD_DIM else 1
        taken = {*sizes.values(), BATCH, 2 * BATCH, POS, POS + 1}
        free = [n for n in range(number + step, 3 * number, step) if n not in taken]
        tried = (_run_no_worse(tiny, {**tiny.settings, name: n}) for n in free[:_TRIES] if alike)
        tiny = next((other for other in tried if other), tiny)
    return tiny


def _run(model_class: Any, settings: Settings) -> TinyModel:
    """The tiny model with these settings; raises what keeps it from running without a cache."""
    model = make(model_class, settings)
    run_without_cache(model)
    try:
        run_with_cache(model)
    except Exception as error:  # code of transformers may raise anything
        return TinyModel(model, settings, reason(error))
    return TinyModel(model, settings)


def _run_no_worse(tiny: TinyModel, settings: Settings) -> TinyModel | None:
    """The model with other settings; None if it does not run, with a cache if `tiny` does."""
    other = attempted(_run, type(tiny.model), settings)
    return None if other is None or (other.error and not tiny.error) else other


def _candidate_words(config_class: Any, model_class: Any) -> tuple[set[str], set[str]]:
    """Words of the config's and the model's modules that configs allow, and words of the past."""
    from transformers import configuration_utils

    legacy = getattr(configuration_utils, "_LEGACY_LAYER_TYPE_REMAP", {})
    allowed = {*getattr(configuration_utils, "ALLOWED_LAYER_TYPES", ()), *legacy}
    modules = (sys.modules[cls.__module__] for cls in (config_class, model_class))
    return allowed & {word for module in modules for word in _strings(module)}, set(legacy)


def _strings(module: Any) -> set[str]:
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return set()
    values = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {value for value in values if isinstance(value, str)}

"""Tiny models: the config class alone says how. Float32, on the CPU, with random weights."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch

from adaptergen.facts import Vocabulary
from adaptergen.inspection.config_fields import declared, full_config, read
from adaptergen.inspection.fault_isolation import attempted, failed, import_failed, reason
from adaptergen.inspection.runs import run_with_cache, run_without_cache
from adaptergen.inspection.tiny_config import (
    Settings,
    is_layer_count,
    layer_lists,
    profiles,
    tiny_settings,
)
from adaptergen.problems import quote

#: More parameters than this are not tiny: a rule misses a field. Float32, so 200 MB.
MOST_PARAMETERS = 50_000_000


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
    full = full_config(config_class, base)
    generates = model_class.can_generate()
    first: Exception | None = None
    without_cache: TinyModel | None = None
    for profile in profiles():
        try:
            settings = tiny_settings(config_class, full, profile, frozenset(base), generates)
            tiny = _run(model_class, settings)
        except MemoryError:
            raise
        except Exception as error:  # code of transformers may raise anything
            first = first or error
            continue
        if not tiny.error:
            return tiny
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

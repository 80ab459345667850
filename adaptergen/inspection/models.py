"""Tiny models: the config class alone says how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from adaptergen.inspection import layers, runs
from adaptergen.inspection.failures import attempted, failed, guarded, named, reason
from adaptergen.inspection.fields import read, sub_configs
from adaptergen.inspection.tiny import Settings, profiles, tiny_settings

#: More parameters than this are not tiny: a rule misses a field. Float32, so 200 MB.
MOST_PARAMETERS = 50_000_000


@dataclass(frozen=True)
class Tiny:
    """A tiny model, float32 with random weights, and what its config was made with.

    `error` is what a run with a cache raises; one without a cache runs.
    """

    model: Any
    settings: Settings
    error: str = ""

    @staticmethod
    def of(model_class: Any, settings: Settings) -> Tiny:
        """The tiny model with these settings; raises what keeps it from running."""
        model = make(model_class, settings)
        runs.plain(model)
        try:
            runs.with_cache(model)
        except Exception as error:  # code of transformers may raise anything
            return Tiny(model, settings, reason(error))
        return Tiny(model, settings)


def full_config(config_class: Any, base: Mapping[str, Any]) -> Any:
    """A config of full size, of the defaults and the fields of a config.json."""
    what = f"{named(config_class.__name__)} cannot be made"
    hint = "observe another model, or another release of transformers"
    return guarded("hf-config", what, hint, lambda: config_class.from_dict(dict(base)))


def tiny_model(model_class: Any, base: Mapping[str, Any]) -> Tiny:
    """The tiny model that runs, of the first profile that does, with a cache if any does so.

    Raises `Failed`: the config cannot be made, the model cannot, or its forward raises.
    """
    config_class = model_class.config_class
    full = full_config(config_class, base)
    first: BaseException | None = None
    without_cache: Tiny | None = None
    for profile in profiles():
        try:
            settings = tiny_settings(config_class, full, profile, frozenset(base))
            tiny = Tiny.of(model_class, settings)
            if not tiny.error:
                return tiny
            without_cache = without_cache or tiny
        except MemoryError:
            raise
        except Exception as error:  # code of transformers may raise anything
            first = first or error
    if without_cache is not None:
        return without_cache
    assert first is not None
    if isinstance(first, ImportError):
        guarded("hf-import", f"{named(model_class.__name__)} cannot be built", "", _raiser(first))
    raise failed(
        "hf-forward",
        f"no tiny {named(model_class.__name__)} runs: {reason(first)}",
        "name a folder with a config.json that does, or report the class to adaptergen",
    ) from first


def make(model_class: Any, settings: Settings, device: str = "cpu") -> Any:
    """The model of a config with these settings; the same weights each time."""
    if device != "meta":
        meta = make(model_class, settings, "meta")
        number = sum(parameter.numel() for parameter in meta.parameters())
        if number > MOST_PARAMETERS:
            raise ValueError(f"{number:,} parameters are not tiny")
    config = model_class.config_class(**_with_configs(model_class.config_class, settings))
    before = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float32)
        try:
            return model_class(config).eval()
        finally:
            torch.set_default_dtype(before)


def _with_configs(config_class: Any, settings: Settings) -> Settings:
    """Copies of the settings, since a config may keep and change what it is given."""
    inner = sub_configs(config_class)
    return {
        name: dict(value) if name in inner and isinstance(value, dict) else _copy(value)
        for name, value in settings.items()
    }


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def _raiser(error: BaseException) -> Any:
    def again() -> None:
        raise error

    return again


def with_words(tiny: Tiny, field: str, words: Iterable[str]) -> Tiny:
    """The tiny model with a further layer for each word; the same one if that does not run."""
    config = tiny.model.config
    row = list(read(config, field))
    missing = sorted(set(words) - set(row))
    if not missing:
        return tiny
    settings = dict(tiny.settings)
    for name, listed in layers.lists(config).items():
        if name in settings or name == field:
            settings[name] = [*listed, *([listed[-1]] * len(missing))]
    settings[field] = [*row, *missing]
    for name in tiny.settings:
        if layers.counts(name):
            settings[name] = len(settings[field])
    longer = attempted(Tiny.of, type(tiny.model), settings)
    return tiny if longer is None or (longer.error and not tiny.error) else longer

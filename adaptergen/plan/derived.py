"""Derived values worked out, so that what cannot be worked out is found before any text."""

from __future__ import annotations

from adaptergen.problems import SpecValueError
from adaptergen.spec.architecture import Config


def sample_values(config: Config) -> dict[str, int]:
    """Values for the fields of the HF config that no config has by default, no two alike."""
    return {name: 6 + 4 * i for i, name in enumerate(config.from_hf)}


def derived_values(config: Config) -> dict[str, int]:
    """Those and what is derived from them; `SpecValueError` says at which name it went wrong."""
    values = sample_values(config)
    for name, expression in config.derived.items():
        try:
            values[name] = expression.value(values)
        except SpecValueError as error:
            raise SpecValueError(error.code, error.message, error.hint, (name,)) from None
    return values

"""Derived values worked out, so that what cannot be worked out is found before any text."""

from __future__ import annotations

from collections.abc import Iterator

from adaptergen.plan.where import Where
from adaptergen.problems import Problem, SpecValueError, quote, suggestion
from adaptergen.source import ANY
from adaptergen.spec.architecture import Config, Spec


def sample_values(config: Config) -> dict[str, int]:
    """Values for the fields of the HF config that no config has by default, no two alike."""
    return {name: 6 + 4 * i for i, name in enumerate(config.from_hf)}


def derived_values(config: Config) -> dict[str, int]:
    """Those and what is derived from them; `SpecValueError` if one cannot be worked out."""
    values = sample_values(config)
    for name, expression in config.derived.items():
        values[name] = expression.value(values)
    return values


def derived_problems(spec: Spec, top: Where) -> Iterator[Problem]:
    """Derived values made from nothing, from names without a value, or that are no number."""
    config, here = spec.config, top.at("config", "derived")
    listed = top.whole("config", "from_hf")
    made_of = config.from_hf or spec.blocks.kind or not listed or not top.known("blocks", "kind")
    if config.derived and not made_of:
        message = "derived values are made from from_hf, which is empty"
        yield here.problem("derived-without-inputs", message, "add a field to it", key=True)
    known, values = list(config.from_hf), sample_values(config)
    for name, expression in config.derived.items():
        place = here.at(name)
        unknown = [used for used in expression.names if used not in known]
        if place.known() and listed and here.known(ANY):
            for used in unknown:
                message = f"{quote(used)} is neither in from_hf nor derived above"
                # Either name may be the one that is written wrong.
                near = suggestion(used, known)
                add = f"add {quote(used)} to from_hf"
                hint = f"{near} (or {add})" if near else add
                yield place.problem("unknown-name", message, hint)
        known.append(name)
        if place.known() and all(used in values for used in expression.names):
            try:
                values[name] = expression.value(values)
            except SpecValueError as error:
                yield place.problem(error.code, error.message, error.hint)

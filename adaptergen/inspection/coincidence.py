"""Names that sizes of calls have by coincidence, told by a second tiny model with other sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from adaptergen.facts import Branch
from adaptergen.inspection.runs import BATCH, POS
from adaptergen.inspection.shapes import rank, size_fields
from adaptergen.inspection.tiny_model import TinyModel, attempted_model

#: By which factors sizes are changed, in turns: sizes that are multiples of each other come apart.
_FACTORS = ((2, 3, 4), (3, 2, 4))


def resized(tiny: TinyModel) -> TinyModel:
    """The model with another number for each size; what is alike and what refuses stays so."""
    sizes = {name: value for name, value in size_fields(tiny.model.config) if value > 2}
    alike: dict[int, list[str]] = {}
    for name in sorted(sizes.keys() & tiny.settings.keys(), key=rank):
        alike.setdefault(sizes[name], []).append(name)
    taken = {*sizes.values(), BATCH, 2 * BATCH, POS, POS + 1}
    found = tiny
    for turn, (value, names) in enumerate(alike.items()):
        for number in (factor * value for factor in _FACTORS[turn % 2]):
            settings = {**found.settings, **dict.fromkeys(names, number)}
            model = None if number in taken else attempted_model(type(tiny.model), settings)
            if model is not None:
                found = TinyModel(model, settings)
                taken.add(number)
                break
    return found


def without_coincidences(branch: Branch, again: Branch, config: Any, resized: Any) -> Branch:
    """The branch with a number for each name of a size that the same axis does not have `again`.

    `again` is of the resized model; the configs are those of the two models.
    """
    sizes = _Sizes(dict(size_fields(config)), dict(size_fields(resized)))
    traces = {
        scenario: type(trace).model_validate(
            sizes.kept(trace.model_dump(), again.traces[scenario].model_dump())
        )
        for scenario, trace in branch.traces.items()
        if not (trace.error or again.traces[scenario].error)
    }
    cache = branch.cache
    if not (cache.error or again.cache.error):
        cache = type(cache).model_validate(sizes.kept(cache.model_dump(), again.cache.model_dump()))
    return branch.model_copy(update={"traces": {**branch.traces, **traces}, "cache": cache})


@dataclass(frozen=True)
class _Sizes:
    """The sizes of both models, by the names of fields."""

    one: Mapping[str, int]
    other: Mapping[str, int]

    def kept(self, one: Any, other: Any) -> Any:
        """A tree of facts, with numbers for words that are not true of both models."""
        if isinstance(one, dict) and isinstance(other, dict):
            return {key: self.kept(v, other[key]) if key in other else v for key, v in one.items()}
        if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
            if len(one) == len(other):
                return [self.kept(a, b) for a, b in zip(one, other, strict=True)]
        elif isinstance(one, str) and one != other:
            number, seen = _number(one, self.one), _number(other, self.other)
            if None not in (number, seen) and _number(one, self.other) != seen:
                return str(number)
        return one


def _number(text: str, sizes: Mapping[str, int]) -> int | None:
    """The value of a number, a field, or a product of them; None for any other text."""
    factors = [int(part) if part.isdigit() else sizes.get(part) for part in text.split(" * ")]
    return None if None in factors else prod(part for part in factors if part is not None)

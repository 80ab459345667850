"""What the axes of tensors are called: sizes of the config, in runs that differ in one each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any

import torch

from adaptergen.contract.models import bridge_config
from adaptergen.draft.observation import Attention, Observation, observe
from adaptergen.inspection.config_fields import read
from adaptergen.inspection.fault_isolation import attempted
from adaptergen.inspection.field_effects import changed_settings
from adaptergen.inspection.runs import BATCH, POS, tokens
from adaptergen.inspection.shapes import rank, size_fields
from adaptergen.inspection.tiny_config import is_layer_count
from adaptergen.inspection.tiny_model import TinyModel, make

#: Fields of TransformerLens' config that are sizes, from the most specific to the least.
_SIZES = ("d_model", "d_vocab", "n_heads", "n_key_value_heads", "d_head", "d_mlp")
#: Fields that count tokens: no tensor is as wide.
_NO_WIDTH = re.compile(r"window|chunk|budget|context|position")

#: Rows and tokens of another run: no multiples or divisors of those of the first.
_OTHER_BATCH, _OTHER_POS = 3, 11
_RUNS = {
    "batch": (BATCH, _OTHER_BATCH),
    "pos": (POS, _OTHER_POS),
    "batch * pos": (BATCH * POS, _OTHER_BATCH * _OTHER_POS),
}

#: A size in each run; None in runs that do not have it.
Sizes = tuple[Any, ...]


#: Where a tensor was seen: the path of a module, and what it was there.
Place = tuple[str, str]

#: Models with more parameters are not run with other sizes, which takes time and memory.
_MOST_PARAMETERS = 5_000_000


@dataclass(frozen=True)
class Run:
    """What is kept of a run: the config as Hugging Face and TransformerLens have it, and shapes."""

    config: Any
    cfg: Any
    shapes: Mapping[Place, tuple[int, ...]]

    @classmethod
    def of(cls, seen: Observation) -> Run:
        """The run that was observed."""
        model = seen.model
        cfg = bridge_config(type(model).__name__, model.config, "tiny", torch.float32)
        shapes = {place: tuple(one.shape) for place, one in _tensors(seen) if one is not None}
        return cls(model.config.get_text_config(), cfg, shapes)


class Axes:
    """The names of axes; with runs of changed models, an expression has to hold in all of them.

    Sizes that differ in `retold`, a run of other tokens, depend on tokens.
    """

    def __init__(
        self, seen: Observation, changed: Sequence[Run] = (), retold: Run | None = None
    ) -> None:
        self.batch, self.pos = BATCH, POS
        shapes = retold.shapes if retold else {}
        self.retold = {
            id(one): shapes[place]
            for place, one in _tensors(seen)
            if one is not None and place in shapes
        }
        runs = (Run.of(seen), *changed)
        self.others = {
            id(one): [run.shapes.get(place, ()) for run in changed]
            for place, one in _tensors(seen)
            if one is not None
        }
        self.known: dict[int, dict[Sizes, str]] = {}
        # Another axis is as wide as a small number by chance, but not in every run.
        least = 2 if changed else 3
        singles = list(_singles(runs, least))
        for name, sizes in singles:
            self._know(sizes, name)
        for (name, one), (other, two) in combinations_with_replacement(singles, 2):
            self._know(_each(one, two, lambda a, b: a * b), f"{name} * {other}")
        for name, one in singles:
            for times in (2, 3, 4):
                self._know(_each(one, one, lambda a, _, n=times: n * a), f"{times} * {name}")
        if changed:
            self._know_sums(singles)

    def _know_sums(self, singles: Sequence[tuple[str, Sizes]]) -> None:
        """Sums, which a single run would find by chance."""
        for name, one in singles:
            self._know(_each(one, one, lambda a, _: a // 2), f"{name} // 2")
        sums = [
            (f"{name} + {times}{other}", _each(one, two, lambda a, b, n=number: a + n * b))
            for (name, one), (other, two) in combinations(singles, 2)
            for number, times in ((1, ""), (2, "2 * "))
        ]
        for name, one in sums:
            self._know(one, name)
        for name, one in singles:
            for added, two in sums:
                self._know(_each(one, two, lambda a, b: a * b), f"{name} * ({added})")

    def _know(self, sizes: Sizes, name: str) -> None:
        if sizes[0] > 1:
            self.known.setdefault(sizes[0], {}).setdefault(sizes, name)

    def __call__(self, tensor: torch.Tensor) -> list[Any]:
        """The axes of a tensor of the first run, as a shape has them."""
        others = [
            shape if len(shape) == tensor.dim() else (None,) * tensor.dim()
            for shape in self.others.get(id(tensor), ())
        ]
        retold = self.retold.get(id(tensor), ())
        if len(retold) == tensor.dim():
            pairs = zip(retold, zip(tensor.shape, *others, strict=True), strict=True)
            return [self._told(sizes, other) for other, sizes in pairs]
        return [
            self._name(sizes, at)
            for at, sizes in enumerate(zip(tensor.shape, *others, strict=True))
        ]

    def _told(self, sizes: Sizes, other: int) -> Any:
        """The name of an axis that has another size in a run of other tokens, or the same."""
        size = sizes[0]
        if size == other:
            return 1 if size == 1 else self._known(sizes) or str(size)
        for name, (first, second) in _RUNS.items():
            times, left = divmod(size, first)
            if not left and times * second == other:
                rest = tuple(None if one is None else one // first for one in sizes)
                return name if times == 1 else f"{name} * {self._known(rest) or times}"
        more = size - POS
        if more == other - _OTHER_POS:
            return f"pos {'+' if more > 0 else '-'} {abs(more)}"
        return str(size)

    def _name(self, sizes: Sizes, at: int) -> Any:
        """The name of an axis where nothing but its size is known."""
        size = sizes[0]
        if size == self.batch and at == 0:
            return "batch"
        if size == self.pos:
            return "pos"
        if size == self.batch * self.pos:
            return "batch * pos"
        if at == 0 and size % self.batch == 0:
            rows = tuple(None if one is None else one // self.batch for one in sizes)
            if name := self._known(rows):
                return f"batch * {name}"
        return 1 if size == 1 else self._known(sizes) or str(size)

    def _known(self, sizes: Sizes) -> str:
        """The first expression that has this size in every run that has the axis."""
        for expected, name in self.known.get(sizes[0], {}).items():
            if all(one is None or one == two for one, two in zip(sizes, expected, strict=False)):
                return name
        return ""


def other_tokens(model: Any) -> Run | None:
    """A run of fewer rows and tokens; None if the model does not take as many."""
    return attempted(lambda: Run.of(observe(model, tokens(model, _OTHER_BATCH, _OTHER_POS))))


def changed_runs(model: Any, settings: Mapping[str, Any]) -> Iterator[Run]:
    """Runs of models that differ in one size each, as far as such models run."""
    if sum(one.numel() for one in model.parameters()) > _MOST_PARAMETERS:
        return
    tiny = TinyModel(model, {**settings, "attn_implementation": "eager"})
    for name, value in dict(size_fields(model.config)).items():
        if value > 1 and not is_layer_count(name) and not _NO_WIDTH.search(name):
            settings = changed_settings(tiny, name, 2 * value)
            run = attempted(_run, type(model), settings)
            if run is not None:
                yield run


def _run(model_class: Any, settings: Mapping[str, Any]) -> Run:
    model = make(model_class, dict(settings))
    return Run.of(observe(model, tokens(model)))


def _singles(runs: Sequence[Run], least: int) -> Iterator[tuple[str, Sizes]]:
    """Sizes from `least` on by their names, those of TransformerLens' config first."""
    named = [(name, [getattr(run.cfg, name, None) for run in runs]) for name in _SIZES]
    # TransformerLens says of keys only where their heads are not those of queries.
    for name, found in named:
        if name == "n_key_value_heads" and found[0]:
            found[:] = [one or run.cfg.n_heads for one, run in zip(found, runs, strict=True)]
    fields = [name for name, _ in size_fields(runs[0].config) if not _NO_WIDTH.search(name)]
    named += [
        (name, [read(run.config, name) for run in runs])
        for name in sorted(dict.fromkeys(fields), key=rank)
    ]
    taken: set[Sizes] = set()
    for name, found in named:
        sizes = tuple(found)
        first = sizes[0]
        if not isinstance(first, int) or first < least or sizes in taken:
            continue
        if all(isinstance(one, int) for one in sizes):
            taken.add(sizes)
            yield name, sizes


def _each(one: Sizes, two: Sizes, of: Any) -> Sizes:
    return tuple(of(a, b) for a, b in zip(one, two, strict=True))


def _tensors(seen: Observation) -> Iterator[tuple[Place, Any]]:
    """The tensors of a run by where they were seen."""
    for path, call in seen.calls.items():
        yield (path, "took"), call.took
        yield (path, "gave"), call.gave
        for number, tensor in enumerate(call.tensors):
            yield (path, f"gave {number}"), tensor
    for path, attention in seen.attention.items():
        yield from (((path, name), tensor) for name, tensor in _steps(attention))


def _steps(found: Attention) -> Iterator[tuple[str, Any]]:
    yield "scores", found.scores
    yield "pattern", found.pattern
    for name in ("queries", "keys", "values"):
        operand = getattr(found, name)
        yield name, None if operand is None else operand.tensor
    for number, tensor in enumerate(found.eager or ()):
        yield f"eager {number}", tensor

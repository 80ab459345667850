"""Models of transformers with weights that hide nothing, and the bridge around one."""

from __future__ import annotations

import copy
import logging
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import torch
import transformers

from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import _bridge_builder

from .findings import MODEL, Finding, ModelReport, Spot
from .reference import Reference, Work, cache_argument, new_cache, take_reference, uncached
from .tables import AdapterTables, Hook, HookContract, hooks_of_model, value_of

#: Float32 rounds otherwise in another order of the same operations.
ROUNDED = 1e-5
#: The same for sums of many products, by the largest value.
SUMMED = 1e-4

_MASK = 0xFFFFFFFF

#: Numbers of weights that are made at once: each takes 40 bytes until it is copied.
_AT_ONCE = 2_000_000


def hf_class(architecture: str) -> Any:
    """The class of transformers that is called so."""
    return getattr(transformers, architecture)


def hf_config(architecture: str, fields: Mapping[str, Any]) -> Any:
    """A config with these fields; attention is eager, as TransformerLens sets it."""
    return hf_class(architecture).config_class(
        **{**_as_in_a_file(fields), "attn_implementation": "eager"}
    )


def _as_in_a_file(value: Any) -> Any:
    """A value with lists instead of tuples, at any depth."""
    if isinstance(value, Mapping):
        return {key: _as_in_a_file(one) for key, one in value.items()}
    return [_as_in_a_file(one) for one in value] if isinstance(value, (list, tuple)) else value


def random_model(
    architecture: str, config: Any, dtype: str = "float32", device: str = "cpu"
) -> Any:
    """A model with random weights, the same each time; on `meta` without any."""
    before = torch.get_default_dtype()
    # Told of what is made elsewhere only: being told costs each operation.
    elsewhere = nullcontext() if device == "cpu" else torch.device(device)
    # So that the caller's random numbers stay what they were.
    with torch.random.fork_rng(devices=[]), elsewhere:
        torch.manual_seed(0)
        torch.set_default_dtype(getattr(torch, dtype))
        try:
            return hf_class(architecture)(config).eval()
        finally:
            torch.set_default_dtype(before)


def perturb(model: Any) -> None:
    """Give every weight a value that hides no fault: no bias is 0, no norm's weight 1.

    The values are numbered and not random, so that releases can be compared by what they compute:
    random ones would differ as soon as a release initialises one weight more. Each is a hash of
    its weight's name and of its place there, the same on every machine. Matrices keep the scale
    of what they multiply. Of buffers those change that are saved and stand at one value, such as a
    correction of router scores.
    """
    saved = model.state_dict(keep_vars=True)
    parameters = dict(model.named_parameters())
    constant = {
        name: buffer
        for name, buffer in model.named_buffers()
        if name in saved and buffer.is_floating_point() and buffer.dim() and _is_constant(buffer)
    }
    with torch.no_grad():
        for named in _groups([*parameters.items(), *constant.items()]):
            counts = [tensor.numel() for _, tensor in named]
            places = [
                torch.arange(1, count + 1) + zlib.crc32(name.encode())
                for (name, _), count in zip(named, counts, strict=True)
            ]
            spreads = _spread(torch.cat(places)).split(counts)
            for (_, tensor), spread in zip(named, spreads, strict=True):
                if tensor.dim() > 1:
                    values = spread * (12 / tensor.shape[-1]) ** 0.5
                else:
                    values = 0.75 + 0.5 * spread
                tensor.copy_(values.view(tensor.shape).to(tensor.dtype))


def _groups(named: list[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    """Weights that are numbered at once: many small ones, and large ones alone, for memory."""
    group: list[tuple[str, Any]] = []
    size = 0
    for one in named:
        size += one[1].numel()
        if group and size > _AT_ONCE:
            yield group
            group, size = [], one[1].numel()
        group.append(one)
    if group:
        yield group


def _is_constant(buffer: torch.Tensor) -> bool:
    return buffer.numel() > 0 and bool((buffer == buffer.flatten()[0]).all())


def _spread(places: torch.Tensor) -> torch.Tensor:
    """Numbers between -0.5 and 0.5; integers that overflow are cut to 32 bits, as everywhere."""
    hashed = places * 2654435761 & _MASK
    for shift, factor in ((15, 2246822519), (13, 3266489917)):
        hashed = (hashed ^ (hashed >> shift)) * factor & _MASK
    return (hashed ^ (hashed >> 16)).double() / (_MASK + 1) - 0.5


def bridge_config(architecture: str, config: Any, name: str, dtype: Any) -> Any:
    """The config that TransformerLens makes of HF's, before an adapter has a say."""
    return _bridge_builder.build_bridge_config_from_hf(config, architecture, name, dtype)


def wrap(
    architecture: str, adapter_class: Any, model: Any, name: str = "tiny", tokenizer: Any = None
) -> Any:
    """The bridge around a model, which is changed in place."""
    adapter = adapter_class(bridge_config(architecture, model.config, name, model.dtype))
    # Where weights are offloaded, the first parameter has no device to run on.
    adapter.cfg.device = str(model.device) if model.device.type != "meta" else "cpu"
    adapter.prepare_model(model)
    if tokenizer is not None:
        tokenizer = _bridge_builder.configure_tokenizer(tokenizer, adapter.cfg)
    return TransformerBridge(model, adapter, tokenizer=tokenizer)


def layer_kinds(tables: AdapterTables, model: Any) -> tuple[str, ...]:
    """What each layer of a model that is not wrapped is called, as HF's blocks tell it.

    `AttributeError` if the blocks lack what says it.
    """
    return tuple(
        tables.layer(
            {name for name, _ in block.named_modules()},
            str(getattr(block, tables.told_by)) if tables.told_by else "",
        )
        for block in model.get_submodule(tables.blocks)
    )


def tiny_model(tables: AdapterTables, branch: str = "default") -> Any:
    """HF's tiny model of a branch, with weights that hide nothing."""
    fields = {**tables.config, **tables.branches.get(branch, {})}
    model = random_model(tables.architecture, hf_config(tables.architecture, fields))
    perturb(model)
    return model


@dataclass
class ModelUnderTest:
    """A bridge, its tables, and what HF computed before the bridge took the model over.

    `reference` is None where nothing is run. `spare` is a copy of HF's model that nothing wraps;
    checks that change a model copy it once more. It is there for tiny models only, as is
    `changes`, by which this one differs from the first; None for the first itself.
    """

    tables: AdapterTables
    adapter_class: Any
    bridge: Any
    kinds: tuple[str, ...]
    report: ModelReport
    reference: Reference | None = None
    spare: Any = None
    changes: Mapping[str, Any] | None = None

    @classmethod
    def tiny(
        cls, tables: AdapterTables, adapter_class: Any, branch: str, report: ModelReport
    ) -> ModelUnderTest:
        """The tiny model of a branch, wrapped."""
        model = tiny_model(tables, branch)
        first = branch == "default"
        work = Work.of_tiny(model.config.vocab_size, first)
        made = cls.of(tables, adapter_class, model, report, work, keep_spare=True)
        made.changes = None if first else tables.branches[branch]
        return made

    @classmethod
    def of(
        cls,
        tables: AdapterTables,
        adapter_class: Any,
        model: Any,
        report: ModelReport,
        work: Work | None = None,
        keep_spare: bool = False,
    ) -> ModelUnderTest:
        """A model of HF's, which is run if there is work, and then wrapped and so changed."""
        kinds = layer_kinds(tables, model)
        reference = take_reference(model, tables.blocks, work, tables.generates) if work else None
        spare = copy.deepcopy(model) if keep_spare else None
        with quiet():
            bridge = wrap(tables.architecture, adapter_class, model, report.model)
        return cls(tables, adapter_class, bridge, kinds, report, reference, spare)

    def __post_init__(self) -> None:
        self.report.layers = len(self.kinds)
        for hook in self.hooks:
            self.report.of_kind(hook.kind).declared.add(hook.short)

    @property
    def is_first(self) -> bool:
        """Whether this is the first tiny model, on which all is measured."""
        return self.spare is not None and self.changes is None

    @property
    def hf_config(self) -> Any:
        """The config of the wrapped model."""
        return self.bridge.original_model.config

    @property
    def answers(self) -> Reference:
        """What HF computed."""
        assert self.reference is not None, "nothing was run"
        return self.reference

    @property
    def tokens(self) -> Any:
        """The tokens that are run."""
        return self.answers.work.tokens

    @cached_property
    def hooks(self) -> tuple[Hook, ...]:
        """Every hook that is promised of this model."""
        release = transformers.__version__
        return hooks_of_model(self.tables, self.kinds, self.hf_config, release, self.lists)

    @cached_property
    def lists(self) -> Mapping[str, int]:
        """How long the lists of layers beside the blocks are, by their keys."""
        keys = {name.partition(".*.")[0] for name in self.tables.model.hooks if ".*." in name}
        return {key: len(getattr(self.bridge, key)) for key in sorted(keys)}

    @cached_property
    def hook(self) -> Mapping[str, Hook]:
        """The same by their full names."""
        return {hook.name: hook for hook in self.hooks}

    @cached_property
    def once(self) -> tuple[Hook, ...]:
        """The first hook of each name within a layer, whatever the layer."""
        first: dict[str, Hook] = {}
        for hook in self.hooks:
            first.setdefault(hook.short, hook)
        return tuple(first.values())

    @cached_property
    def recorded(self) -> tuple[Any, Any]:
        """Logits of a plain run, and TransformerLens' cache of its activations."""
        with quiet():
            logits, cache = self.bridge.run_with_cache(self.tokens)
        return logits, cache

    @property
    def activations(self) -> dict[str, Any]:
        """What a plain run recorded, by full names."""
        found: dict[str, Any] = self.recorded[1].cache_dict
        return found

    def named(self, layer: int | None, short: str) -> str:
        """The full name of a hook, where a name may be an alias; empty if there is none."""
        name = short if layer is None else f"blocks.{layer}.{short}"
        point = self.bridge.hook_dict.get(name)
        return "" if point is None else str(point.name)

    def cached(self, layer: int | None, short: str) -> Any:
        """What a hook, or the one an alias leads to, held in the plain run; None if nothing."""
        return self.activations.get(self.named(layer, short))

    def axis(self, axis: str, batch: int, pos: int) -> int | None:
        """An axis as a number; None if a name in it is set nowhere."""
        known = {"batch": batch, "pos": pos, "kv_pos": pos}

        def read(name: str) -> Any:
            if name in known:
                return known[name]
            owner = self.hf_config if name.startswith("hf.") else self.bridge.cfg
            return getattr(owner, name.removeprefix("hf."), None)

        return value_of(axis, read)

    def shape(self, contract: HookContract, batch: int, pos: int) -> tuple[int | None, ...]:
        """The promised shape of a hook in a run over `[batch, pos]` tokens."""
        return tuple(self.axis(axis, batch, pos) for axis in contract.axes)

    @property
    def without_cache(self) -> dict[str, Any]:
        """The arguments of a run without a cache."""
        return uncached(self.tables.generates)

    def empty_cache(self) -> dict[str, Any]:
        """An empty cache, as arguments of a run; none for a model that never has one."""
        if not self.tables.generates:
            return {}
        argument = cache_argument(self.bridge.original_model)
        return {argument: new_cache(self.hf_config), "use_cache": True}

    def split(self, name: str) -> tuple[int | None, str, str]:
        """Layer, kind and name within the layer of a hook's full name."""
        if not name.startswith("blocks."):
            key, _, rest = name.partition(".")
            in_list = key in self.lists
            return None, MODEL, f"{key}.*.{rest.partition('.')[2]}" if in_list else name
        _, layer, short = name.split(".", 2)
        return int(layer), self.kinds[int(layer)], short

    def wrapped_copy(self, change: Callable[[Any], Any] = lambda model: model) -> Any:
        """Another bridge, around a copy of HF's model that was changed first."""
        model = change(copy.deepcopy(self.spare))
        with quiet():
            return wrap(self.tables.architecture, self.adapter_class, model, self.report.model)


class Level(IntEnum):
    """How much of a model a check needs; every level is checked on what is above it, too."""

    #: Every model, also where nothing is run.
    LOOK = 0
    #: Every model that is run, however large.
    CHECKPOINT = 1
    #: One that is run as often as there are hooks.
    RUN = 2
    #: Every tiny model.
    TINY = 3
    #: The first tiny model alone.
    FIRST = 4


@dataclass(frozen=True)
class Check:
    """A check by its name; `needs` says whether tables promise anything that it looks at."""

    name: str
    find: Callable[[ModelUnderTest], Iterator[Finding]]
    level: Level
    needs: Callable[[AdapterTables], bool] = lambda tables: True


def too_far(check: str, hook: Hook, what: str, allowed: float, apart: float, mend: str) -> Finding:
    """The finding that what a hook holds is further from another tensor than allowed."""
    return Finding(check, what, f"<= {allowed:g}", f"{apart:g}", mend, at(hook))


def at(hook: Hook) -> Spot:
    """Where a hook is."""
    return Spot(hook.layer, hook.kind, hook.short)


def difference(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest absolute difference; infinite between shapes that differ or with NaN."""
    if actual.shape != expected.shape:
        return float("inf")
    if torch.equal(actual, expected):
        return 0.0
    apart = (actual.double() - expected.double()).abs().max().item()
    return float("inf") if apart != apart else float(apart)


def relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """The difference by the largest expected value, where that is above 1."""
    finite = expected[expected.isfinite()].abs()
    return difference(actual, expected) / max(1.0, float(finite.max()) if finite.numel() else 1.0)


def edited(activation: Any) -> Any:
    """Another value that the model can use in its place."""
    if activation.is_floating_point() or activation.is_complex():
        return 1.5 * activation + 0.5
    return (activation + 1) % (activation.max() + 1)


@contextmanager
def attributes(owner: Any, **values: object) -> Iterator[None]:
    """Attributes of an object set for a while."""
    before = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings, logged ones too: an edit that is discarded, weights not processed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without gradients and in one thread: for tiny tensors more threads only wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before)

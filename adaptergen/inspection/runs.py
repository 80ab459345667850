"""Forwards of a model in each scenario, and what is seen of them as facts."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from adaptergen.facts import SCENARIOS, CacheFacts, CacheLayer, Call, Functional, Scenario, Trace
from adaptergen.inspection.config_fields import qualified
from adaptergen.inspection.fault_isolation import reason
from adaptergen.inspection.layout import Layout, ModulePath
from adaptergen.inspection.shapes import Run, Sizes
from adaptergen.inspection.watch import Use, recording, watching

#: Sequences that models run on, and tokens in each; few sizes of a tiny model are like these.
BATCH, POS = 5, 13
#: Tokens of padding in the first sequence of a padded batch.
PADDING = 4

#: Names of what models keep between forwards, in their output and their arguments.
CACHES = ("cache", "past_key_values", "cache_params", "state", "mems", "past_buckets_states")


def run_without_cache(model: Any) -> None:
    """A forward without a cache; raises what it raises."""
    forward(model, tokens(model), use_cache=False)


def run_with_cache(model: Any) -> None:
    """A prompt and a token after it, as far as the model keeps a cache; raises what it raises."""
    ids = tokens(model)
    cache = cache_of(forward(model, ids, use_cache=True))
    if cache:
        forward(model, ids[:, -1:], use_cache=True, **cache)


def observe_scenarios(
    layout: Layout, sizes: Sizes, brief: bool = False
) -> tuple[dict[Scenario, Trace], tuple[Functional, ...], tuple[str, ...]]:
    """Run every scenario once: its `traces`, `functional` and `unused`, as in `Branch`.

    One that raises has the error in its trace, and stops no other.

    If `brief`, what a module takes and returns is that of the first scenario that calls it.
    """
    model = layout.model
    ids = tokens(model)
    whole, step = Run(sizes, len(ids), POS), Run(sizes, len(ids), 1, POS)
    first = layout.paths(first_only=True)
    known: dict[ModulePath, Call] = {}
    cache: dict[str, Any] = {}
    traces: dict[Scenario, Trace] = {}
    uses: dict[Scenario, list[Use]] = {}
    touched: set[int] = set()
    with watching(model) as seen:
        for scenario in SCENARIOS:
            run = step if scenario == "decode" else whole
            seen.clear()
            try:
                with recording(first, run, known) as calls:
                    output = _run(model, scenario, ids, cache)
            except Exception as error:  # code of transformers may raise anything
                traces[scenario] = Trace(error=reason(error))
                continue
            if scenario == "prefill":
                cache = cache_of(output)
            known |= calls if brief else {}
            uses[scenario] = seen.functional()
            touched |= seen.touched()
            traces[scenario] = Trace(
                returns=run.describe(output),
                outside=tuple(_outside(layout, calls)),
                inside={
                    kind.name: tuple(c for path, c in calls.items() if path.kind == kind.name)
                    for kind in layout.kinds
                },
            )
    return traces, _functional(layout, uses), _unused(layout, touched)


def observe_cache(layout: Layout, sizes: Sizes) -> CacheFacts:
    """The cache that is left after two greedy tokens."""
    model = layout.model
    ids = tokens(model)
    generate = getattr(model, "generate", None)
    if generate is None or not hasattr(model, "prepare_inputs_for_generation"):
        return CacheFacts(error="the class has no generation")
    try:
        with torch.no_grad():
            output = generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=2, min_new_tokens=2,
                do_sample=False, use_cache=True, return_dict_in_generate=True, pad_token_id=0,
            )  # fmt: skip
    except Exception as error:  # code of transformers may raise anything
        return CacheFacts(error=reason(error))
    cache = next(iter(cache_of(output).values()), None)
    if cache is None:
        return CacheFacts()
    run = Run(sizes, len(ids), 1, POS)
    layers = {}
    for kind in layout.kinds:
        for index in kind.layers:
            cls, states = cached_states(cache, index)
            shapes = {n: run.inside(kind.name).shape(states[n]) for n in sorted(states)}
            layer = CacheLayer(kind=kind.name, cls=cls, states=shapes)
            layers[layer.model_dump_json()] = layer
    return CacheFacts(
        cls=qualified(type(cache)), layers=tuple(layers[text] for text in sorted(layers))
    )


def imported_as(file: str) -> str:
    """The path of a file below the folder of packages that it was imported from."""
    folders = [entry for entry in sys.path if entry and file.startswith(entry.rstrip("/\\") + "/")]
    longest = max(folders, key=len, default="")
    return Path(file).relative_to(longest).as_posix() if longest else Path(file).name


def tokens(model: Any, batch: int = BATCH, pos: int = POS) -> torch.Tensor:
    """Tokens, none of them special: [batch, pos], or [batch * codebooks, pos] for audio."""
    rows = batch * int(getattr(model, "num_codebooks", 1))
    # The vocabulary of a model that is given may be smaller than that of a tiny model.
    size = getattr(model.config, "vocab_size", None)
    most = min(80, size - 5) if isinstance(size, int) and size > 5 else 80
    return (torch.arange(rows * pos) * 7 % most + 5).reshape(rows, pos)


def forward(model: Any, ids: torch.Tensor, with_grad: bool = False, **arguments: Any) -> Any:
    """The output for token ids, with those arguments that the model takes."""
    taken = inspect.signature(type(model).forward).parameters
    free = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    chosen = {
        name: value
        for name, value in arguments.items()
        if name in taken or (free and name != "use_cache")
    }
    if "decoder_input_ids" in taken and model.config.is_encoder_decoder:
        # Some make it of the other text themselves, and some want it.
        chosen.setdefault("decoder_input_ids", ids)
    with torch.set_grad_enabled(with_grad):
        return model(input_ids=ids, **chosen)


def _run(model: Any, scenario: Scenario, ids: torch.Tensor, cache: Mapping[str, Any]) -> Any:
    if scenario == "no_cache":
        return forward(model, ids, use_cache=False)
    if scenario == "decode":
        if not cache:
            raise LookupError("the forward returns no cache")
        return forward(model, ids[:, -1:], use_cache=True, **cache)
    if scenario == "padded":
        mask = torch.ones_like(ids)
        mask[0, :PADDING] = 0
        return forward(model, ids, use_cache=True, attention_mask=mask)
    return forward(model, ids, use_cache=True)


def cache_of(output: Any) -> dict[str, Any]:
    """The cache in an output, as the argument that takes it; empty without one."""
    found = {name: getattr(output, name, None) for name in CACHES}
    return next(({name: value} for name, value in found.items() if value is not None), {})


def _outside(layout: Layout, calls: Mapping[ModulePath, Call]) -> Iterator[Call]:
    """The calls outside the layers, where the layers as a whole are one call."""
    layers = False
    for path, call in calls.items():
        if not path.kind:
            yield call
        elif not (path.path or layers):
            layers = True
            yield call.model_copy(update={"path": f"{layout.path}.*"})


def _functional(layout: Layout, uses: Mapping[Scenario, list[Use]]) -> tuple[Functional, ...]:
    """What is used without a call of its module, by kind of layer."""
    paths = {id(module): path for module, path in layout.paths().items()}
    found: dict[tuple[str, str, str], tuple[Use, set[Scenario]]] = {}
    for scenario, used in uses.items():
        for use in used:
            place = paths.get(use.module)
            if place is not None:
                name = f"{place.path}.{use.parameter}" if place.path else use.parameter
                _, scenarios = found.setdefault((place.kind, name, use.function), (use, set()))
                scenarios.add(scenario)
    return tuple(
        Functional(
            kind=kind,
            parameter=name,
            module=name.rpartition(".")[0],
            function=function,
            how=use.how,
            scenarios=tuple(s for s in SCENARIOS if s in scenarios),
            file=imported_as(use.file),
            line=use.line,
        )
        for (kind, name, function), (use, scenarios) in sorted(found.items(), key=lambda i: i[0])
    )


def _unused(layout: Layout, touched: set[int]) -> tuple[str, ...]:
    """Modules with parameters of their own that no scenario calls and nothing uses."""
    paths = layout.paths().items()
    used = {path for module, path in paths if id(module) in touched}
    owning = {p for module, p in paths if any(x is not None for x in module._parameters.values())}
    return tuple(sorted(f"{path.kind}:{path.path}" for path in owning - used))


def cached_states(cache: Any, index: int) -> tuple[str, dict[str, torch.Tensor]]:
    """The class of the cache's layer, empty if it has none, and its tensors by name."""
    held = getattr(cache, "layers", None)
    if isinstance(held, list):
        if index >= len(held):
            return "", {}
        return qualified(type(held[index])), dict(_tensors(vars(held[index])))
    if isinstance(cache, (list, tuple)):
        item = cache[index] if index < len(cache) else ()
        parts = item if isinstance(item, (list, tuple)) else (item,)
        return "", dict(_tensors({str(i): part for i, part in enumerate(parts)}))
    states: dict[str, torch.Tensor] = {}
    for name, value in vars(cache).items():
        if isinstance(value, (list, tuple, Mapping)):
            try:
                states.update(_tensors({name: value[index]}))
            except (KeyError, IndexError):
                continue
        elif isinstance(value, torch.Tensor) and value.dim() > 2 and index < len(value):
            states[name] = value[index]
    return "", states


def _tensors(held: Mapping[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in held.items():
        if isinstance(value, torch.Tensor) and value.dim() > 1:
            yield name, value
        elif isinstance(value, (list, tuple, Mapping)):
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            yield from _tensors({f"{name}.{key}": item for key, item in items})

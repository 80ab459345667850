"""The dimensions on `cfg`: what was carried over from the HF config, and what is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adaptergen.spec.arithmetic import Expression
from adaptergen.verify.findings import Finding, Sheet, Spot
from adaptergen.verify.subject import Subject
from adaptergen.verify.target import Target


def check_dimensions(
    target: Target, cfg: Any, hf_config: Any, kinds: list[str], sheet: Sheet
) -> None:
    """Compare each field of `cfg` with the HF config; derived ones with the spec's arithmetic."""
    for name, loc, expected, told in _expected(target, hf_config, kinds):
        measured = getattr(cfg, name, None)
        if not isinstance(expected, list):
            sheet.dimensions[name] = {"expected": expected, "measured": measured}
        sheet.count("dimensions")
        if measured != expected:
            what, mend = f"cfg.{name} is not {told}", "mend this line, or the adapter"
            values = (_short(expected), _short(measured))
            spot = Spot(file=target.source.path, line=target.line(*loc))
            sheet.findings.append(Finding("dimensions", what, *values, mend, spot))


def check_copies(subject: Subject) -> None:
    """Components of layers hold copies of `cfg`, which say the same."""
    cfg, target = subject.bridge.cfg, subject.target
    for name, loc, _, _ in _expected(target, subject.hf_config, list(subject.kinds)):
        expected = getattr(cfg, name, None)
        copies = ((layer, getattr(copy, name, None)) for layer, copy in _copies(subject))
        layer, measured = next((pair for pair in copies if pair[1] != expected), (0, expected))
        if measured != expected:
            what = f"cfg.{name} is another in the copies of cfg that components of a layer hold"
            mend = "mend `setup_hook_compatibility` of the adapter"
            spot = Spot(layer=layer, file=target.source.path, line=target.line(*loc))
            values = (_short(expected), _short(measured))
            subject.find(Finding("dimensions", what, *values, mend, spot))


def _copies(subject: Subject) -> Iterator[tuple[int, Any]]:
    """Layer and config of every component that has one of TL's."""
    for layer, block in enumerate(subject.bridge.blocks):
        for part in block.modules():
            config = getattr(part, "config", None)
            if isinstance(config, type(subject.bridge.cfg)):
                yield layer, config


def check_early_dimensions(
    target: Target, cfg: Any, hf_config: Any, kinds: list[str], sheet: Sheet
) -> None:
    """The same for an adapter that is not bound to a model yet, where TL passes all fields on."""
    told = target.plan.spec.blocks.kind
    for name in (*target.plan.passthrough, *([told.listed_in] if told else [])):
        setattr(cfg, name, getattr(hf_config, name))
    adapter = target.adapter(cfg)
    check_dimensions(target, adapter.cfg, hf_config, kinds, sheet)


def _expected(
    target: Target, hf_config: Any, kinds: list[str]
) -> Iterator[tuple[str, tuple[str, ...], Any, str]]:
    """Name, place in the spec, value, and where the value comes from."""
    spec = target.plan.spec
    if spec.blocks.kind:
        listed_in = spec.blocks.kind.listed_in
        yield listed_in, ("blocks", "kind"), kinds, "the kinds of HF's layers"
    values: dict[str, Any] = {}
    for name in spec.config.from_hf:
        values[name] = getattr(hf_config, name, None)
        yield name, ("config", "from_hf"), values[name], f"HF's {name}"
    for name, expression in spec.config.derived.items():
        values[name] = _value(expression, values)
        yield name, ("config", "derived", name), values[name], str(expression)


def _value(expression: Expression, values: dict[str, Any]) -> int | None:
    known = {name: value for name, value in values.items() if value is not None}
    return expression.value(known) if set(expression.names) <= set(known) else None


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."

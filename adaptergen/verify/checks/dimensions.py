"""The dimensions on `cfg`: what was carried over from the HF config, and what is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adaptergen.spec.arithmetic import Expression
from adaptergen.verify.findings import Finding, Sheet, Spot
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

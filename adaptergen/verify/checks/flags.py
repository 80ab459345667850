"""What the flags of the spec say of a model, held against its modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adaptergen.problems import listing
from adaptergen.verify.findings import Finding, Spot
from adaptergen.verify.subject import Subject

_POSITIONS = "positional_embedding_type"


def check_flags(subject: Subject) -> None:
    """The final norm is of the kind that flags name, and positions enter as they say."""
    cfg, flags, source = subject.bridge.cfg, subject.plan.spec.config.flags, subject.target.source
    for name, allowed, what in _expected(subject):
        measured = getattr(cfg, name, None)
        subject.sheet.count("flags")
        if measured not in allowed:
            mend = "mend this flag" if name in flags else f"add `{name}` to `flags`"
            line = subject.target.line("config", "flags", name)
            expected = listing([str(value) for value in allowed], "or")
            at = Spot(file=source.path, line=line)
            told = f"cfg.{name} is not what the model has: {what}"
            subject.find(Finding("flags", told, expected, str(measured), mend, at))


def _expected(subject: Subject) -> Iterator[tuple[str, tuple[Any, ...], str]]:
    """Name of a field of cfg, what it may be, and why."""
    flags, bridge = subject.plan.spec.config.flags, subject.bridge
    norm = getattr(bridge, "ln_final", None)
    if norm is None:
        return
    cls = type(norm.original_component).__name__
    has_rms = "RMSNorm" in cls
    for name in ("uses_rms_norm", "final_rms"):
        if name in flags:
            yield name, (has_rms,), f"its final norm is a {cls}"
    if "normalization_type" in flags:
        allowed = ("RMS", "RMSPre") if has_rms else ("LN", "LNPre")
        yield "normalization_type", allowed, f"its final norm is a {cls}"
    # Without a flag too, where TransformerLens has a default that may not be so.
    if {"uses_rms_norm", "final_rms"} <= flags.keys():
        if hasattr(bridge, "rotary_emb"):
            yield _POSITIONS, ("rotary",), "the spec has a component rotary_emb"
        elif hasattr(bridge, "pos_embed"):
            yield _POSITIONS, ("standard",), "the spec has a component pos_embed"
        elif bridge.cfg.positional_embedding_type in ("rotary", "standard"):
            why = "the spec has neither a component rotary_emb nor pos_embed"
            yield _POSITIONS, ("none", "alibi"), why

"""Whether HF knows the fields that the tiny model of a spec is made with."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from inspect import getsource
from typing import Any

from adaptergen.inspection.fields import declared
from adaptergen.problems import quote, suggestion
from adaptergen.verify.findings import Finding, Sheet, Spot
from adaptergen.verify.models import hf_class
from adaptergen.verify.target import Target


def check_tiny_fields(target: Target, sheet: Sheet) -> None:
    """Look each field up: a config keeps what its class does not know, and nothing reads it."""
    config_class = hf_class(target).config_class
    known = field_names(config_class)
    text = "\n".join(_sources(target, config_class))
    tiny, told = target.plan.spec.tiny, set()
    fields: list[tuple[str, tuple[str, ...]]] = [
        (name, ("tiny", "config", name)) for name in tiny.config
    ]
    for branch, changes in tiny.branches.items():
        fields += [(name, ("tiny", "branches", branch, name)) for name in changes]
    for name, loc in fields:
        sheet.count("fields")
        # HF reads some that no class declares, such as those of older checkpoints.
        if name in known or name in told or _is_read(name, text):
            continue
        told.add(name)
        what = f"{quote(config_class.__name__)} has no field {quote(name)}"
        at = Spot(file=target.source.path, line=target.line(*loc))
        mend = suggestion(name, known) or "look the field up in transformers"
        sheet.findings.append(Finding("tiny config", what, "a field", "nothing", mend, at))


def field_names(config_class: Any) -> set[str]:
    """What a config class takes by name."""
    from transformers import PreTrainedConfig

    common = {name for name in vars(PreTrainedConfig()) if not name.startswith("_")}
    return {*declared(config_class), *getattr(config_class, "attribute_map", {}), *common}


def _sources(target: Target, config_class: Any) -> Iterator[str]:
    """The text of modules that may read a field."""
    classes = {*hf_class(target).__mro__, *config_class.__mro__}
    for module in {cls.__module__ for cls in classes if cls.__module__.startswith("transformers")}:
        try:
            yield getsource(sys.modules[module])
        except (KeyError, OSError):
            continue


def _is_read(name: str, text: str) -> bool:
    """Whether it stands there as an attribute or in quotes."""
    return re.search(rf"[.\"']{re.escape(name)}\b", text) is not None

"""All checks of models, by name, in the order in which they are reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import behaviours
from .checks_hooks import (
    check_call_tokens,
    check_decode,
    check_edits,
    check_fired,
    check_isolation,
    check_offered,
    check_on_request,
    check_slices,
    check_training,
)
from .checks_logits import (
    check_components,
    check_generation,
    check_hf_itself,
    check_offloaded,
    check_parity,
    check_processing,
)
from .checks_model import (
    check_copies,
    check_dimensions,
    check_flags,
    check_kinds,
    check_round_trip,
    check_weight_shapes,
)
from .findings import Finding
from .models import Check, Level, ModelUnderTest
from .tables import AdapterTables


def _has_fields(tables: AdapterTables) -> bool:
    return bool(tables.carried or tables.derived or tables.listed_in)


def _has_kinds(tables: AdapterTables) -> bool:
    return bool(tables.kinds)


def _generates(tables: AdapterTables) -> bool:
    return tables.generates


def _can(ability: str) -> Callable[[AdapterTables], bool]:
    return lambda tables: ability not in tables.lacks


CHECKS = (
    Check("kinds", check_kinds, Level.TINY, _has_kinds),
    # What follows is held against what HF does, so HF's own runs come first.
    Check("hf itself", check_hf_itself, Level.TINY, _generates),
    Check("dimensions", check_dimensions, Level.LOOK, _has_fields),
    Check("copied dimensions", check_copies, Level.TINY, _has_fields),
    Check("flags", check_flags, Level.LOOK),
    Check("weights", check_weight_shapes, Level.LOOK),
    Check("offered hooks", check_offered, Level.LOOK),
    Check("parity", check_parity, Level.CHECKPOINT),
    Check("fired hooks", check_fired, Level.CHECKPOINT),
    Check("generation", check_generation, Level.CHECKPOINT, _generates),
    Check("decode", check_decode, Level.RUN, _generates),
    Check("edits", check_edits, Level.RUN),
    *(check for behaviour in behaviours.ALL for check in behaviour.CHECKS),
    Check("slices", check_slices, Level.TINY, _can("pos_slice")),
    Check("tokens of a call", check_call_tokens, Level.FIRST, _generates),
    Check("hooks on request", check_on_request, Level.FIRST),
    Check("training", check_training, Level.FIRST),
    Check("isolation", check_isolation, Level.FIRST),
    Check("round trip", check_round_trip, Level.FIRST, _can("load_state_dict")),
    Check("components alone", check_components, Level.FIRST, _has_kinds),
    Check("processed weights", check_processing, Level.FIRST),
    Check("offloaded weights", check_offloaded, Level.FIRST, _can("offload")),
)


def checks_of(
    tables: AdapterTables, level: Level
) -> dict[str, Callable[[ModelUnderTest], Iterator[Finding]]]:
    """The checks of a model that have something to look at, by their names."""
    return {
        check.name: check.find for check in CHECKS if check.level <= level and check.needs(tables)
    }


def checks_of_branch(
    tables: AdapterTables, branch: str
) -> dict[str, Callable[[ModelUnderTest], Iterator[Finding]]]:
    """The checks of a tiny model."""
    return checks_of(tables, Level.FIRST if branch == "default" else Level.TINY)

"""`adaptergen verify`: from arguments to a table, JSON and an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from adaptergen.contract import ModelReport
from adaptergen.generate import plan, project_path
from adaptergen.problems import InputError, every
from adaptergen.verify.environment import HEAVY, configs, peak_memory, require, unverified
from adaptergen.verify.report import Report, SpecResult, table, verify_record

if TYPE_CHECKING:
    from adaptergen.verify.target import Target


def run(args: argparse.Namespace) -> int:
    """Verify each spec, and report; 0 as promised, 1 findings.

    Raises `Failed` for problems of specs, `InputError` for other input, and `ModuleNotFoundError`
    for a heavy package that is missing.
    """
    report = _verify(args)
    if args.json:
        verify_record(report).write(args.json)
    print(table(report), file=sys.stderr if args.json == "-" else sys.stdout)
    return report.exit_code


def _verify(args: argparse.Namespace) -> Report:
    paths = list(dict.fromkeys(args.specs))
    # Before anything heavy: a mistake in a spec is reported at once.
    plans = every(plan, paths)
    require()
    pairs = zip(paths, plans, strict=True)
    found = [line for path, made in pairs for line in unverified(made, project_path(path))]
    warnings = list(dict.fromkeys(found))
    for line in warnings:
        print(f"warning: {line}", file=sys.stderr)
    results = tuple(_result(path, args) for path in paths)
    return Report(args.tier, results, tuple(warnings), peak_memory())


def _result(path: Path, args: argparse.Namespace) -> SpecResult:
    from adaptergen.verify.target import load_target

    try:
        target = load_target(path)
    except ImportError as error:
        message = f"the adapter of {path.as_posix()} cannot be imported: {error}"
        versions = f"it is made for the {', '.join(HEAVY.values())} in verified_with"
        raise InputError(message, f"check the versions: {versions}") from error
    spec = target.plan.spec
    # Imported before any time is taken.
    if not hasattr(import_module("transformers"), spec.architecture):
        message = f"this transformers has no {spec.architecture}"
        raise InputError(message, f"install transformers {spec.verified_with.transformers[-1]}")
    reports = _reports(target, args)
    return SpecResult(spec.module, project_path(path), spec.architecture, tuple(reports))


def _reports(target: Target, args: argparse.Namespace) -> Sequence[ModelReport]:
    from adaptergen.verify import tiers
    from adaptergen.verify.checkpoint import Placement, checkpoint

    if args.tier == "tiny":
        return tiers.tiny(target)
    if args.tier == "checkpoint":
        return checkpoint(
            target,
            Placement(
                args.checkpoint, args.device, args.dtype, args.device_map,
                dict(args.max_memory), args.offload_folder, args.trust_remote_code,
            ),
        )  # fmt: skip
    known = configs(target.plan.spec.architecture, args.config)
    return tiers.width(target, known) if args.tier == "width" else tiers.full(target, known)

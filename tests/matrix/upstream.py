"""Runs upstream's own tests of Nemotron-H with our adapter in place of theirs.

    python tests/matrix/upstream.py

Fetches the source distribution of TransformerLens into `.matrix`, puts the generated file into a
tree of it, runs the tests as upstream does, and writes `docs/upstream_tests.md`. Exit code 1: a
test fails for a reason that is not written down here.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from environments import ADAPTER, GENERATED, PROJECT, SOURCE, overlay, python, tree

PAGE = PROJECT / "docs" / "upstream_tests.md"
RELEASE = "5.23.0"
TESTS = (
    "tests/unit/model_bridge/supported_architectures/test_nemotron_h_adapter.py",
    "tests/integration/model_bridge/test_nemotron_h_tiny.py",
)
WORDS = ("passed", "failed", "skipped")
# The whole name of a test -> why it fails with our adapter.
REASONS = {
    r"test_(in_proj|conv1d|inner_norm|out_proj)_optional": (
        "asks that the submodule be optional, as it must be where every layer gets the same "
        "bridge; ours is bound only on layers that have it, and is required there"
    ),
    r"test_every_block_wires_ssm2_mixer_passthrough": (
        "asks for the Mamba-2 bridge on layers of every kind; ours binds attention, experts and "
        "MLPs with bridges of their own, so that their hooks exist"
    ),
    r"test_(mamba_intermediate_size|conv_dim)_(propagated|formula)": (
        "its cfg has the four numbers but not the kinds of the layers; ours takes them from cfg "
        "when all five are there, and otherwise from the wrapped model, which this test lacks"
    ),
    r"test_weight_processing_conversions_empty": (
        "asks for an empty dict; ours leaves the None of the base class, which TransformerLens "
        "reads as no conversions"
    ),
    r"test_layers_block_type_defaults_to_empty": (
        "asks for an empty list where cfg does not carry the kinds; ours sets none rather than a "
        "wrong one, until a model is wrapped"
    ),
}
# Why a test fails with the adapter of TransformerLens.
THEIR_REASON = "its hooks of the convolution do not fire with this release of transformers"


def outcomes(folder: Path) -> dict[str, str]:
    """Each test -> passed, failed or skipped."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        result = python(
            *("-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider"),
            *("--jaxtyping-packages=transformer_lens,beartype.beartype", "-m", "not slow"),
            *("--junitxml", report, *TESTS),
            before=(overlay(RELEASE),),
            cwd=folder,
        )
        if not report.is_file():
            raise SystemExit(result.stdout + result.stderr)
        made = {}
        for case in ElementTree.parse(report).iter("testcase"):
            tags = {child.tag for child in case}
            name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
            failed = tags & {"failure", "error"}
            made[name] = "failed" if failed else "skipped" if "skipped" in tags else "passed"
    return made


def reason(name: str) -> str | None:
    """Why a test fails with our adapter, if that is known."""
    function = name.rpartition("::")[2]
    found = (why for pattern, why in REASONS.items() if re.fullmatch(pattern, function))
    return next(found, None)


def page(ours: dict[str, str], theirs: dict[str, str]) -> str:
    counts = "\n".join(
        f"| {title} | " + " | ".join(str(list(made.values()).count(word)) for word in WORDS) + " |"
        for title, made in (("generated", ours), ("TransformerLens", theirs))
    )
    mended = [name for name in theirs if theirs[name] == "failed" and ours[name] == "passed"]
    failed = [name for name in ours if ours[name] == "failed"]
    return f"""\
# Upstream's tests of Nemotron-H with our adapter

Written by `python tests/matrix/upstream.py`: the unit test and the tiny test of {SOURCE},
under jaxtyping and beartype as upstream runs them, with transformers {RELEASE}. The generated file
lies in a tree of TransformerLens in place of the one there; nothing else is changed.

| Adapter | Passed | Failed | Skipped |
| --- | --- | --- | --- |
{counts}

## Tests that the generated adapter fails

| Test | Reason |
| --- | --- |
{table(failed, lambda name: reason(name) or "**no reason is known**")}

## Tests that only the adapter of TransformerLens fails

| Test | Reason |
| --- | --- |
{table(mended, lambda name: THEIR_REASON)}
"""


def table(names: list[str], why: Callable[[str], str]) -> str:
    return "\n".join(f"| `{name}` | {why(name)} |" for name in names)


def main() -> int:
    theirs = outcomes(tree("theirs"))
    ours = outcomes(tree("ours", GENERATED / ADAPTER))
    PAGE.write_text(page(ours, theirs), encoding="utf-8")
    unknown = [name for name in ours if ours[name] == "failed" and reason(name) is None]
    for name in unknown:
        print(f"no reason is known: {name}")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs upstream's own tests of an architecture with our adapter in place of theirs.

    python tests/matrix/upstream.py

Fetches the source distribution of TransformerLens into `.matrix`, runs its tests as upstream does,
and writes `docs/upstream_tests.md`. Other adapters of TransformerLens import from its own, so the
files there stay: the generated conftest, as a plugin, puts our module in their place for the run.
Exit code 1: a test fails for a reason that is not written down here.
"""

from __future__ import annotations

import functools
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from environments import PROJECT, SOURCE, measured, overlay, python, upstream

PAGE = PROJECT / "docs" / "upstream_tests.md"
RELEASE = "5.23.0"
UNIT = "tests/unit/model_bridge/supported_architectures"
INTEGRATION = "tests/integration/model_bridge"
TESTS = {
    "nemotron_h": (
        f"{UNIT}/test_nemotron_h_adapter.py",
        f"{INTEGRATION}/test_nemotron_h_tiny.py",
    ),
    "deepseek_v2": (
        f"{UNIT}/test_deepseek_v2_adapter.py",
        f"{INTEGRATION}/test_deepseek_v2_adapter.py",
    ),
    "deepseek_v3": (
        f"{UNIT}/test_deepseek_v3_adapter.py",
        f"{INTEGRATION}/test_deepseek_adapter.py",
    ),
}
TITLES = {"nemotron_h": "Nemotron-H", "deepseek_v2": "DeepSeek-V2", "deepseek_v3": "DeepSeek-V3"}
WORDS = ("passed", "failed", "skipped")
# The whole name of a test, without its parameters -> why it fails with our adapter.
REASONS = {
    r"test_weight_processing_conversions_(are_)?empty": (
        "asks for an empty dict; ours leaves the None of the base class, which TransformerLens "
        "reads as no conversions"
    ),
    r"test_(in_proj|conv1d|inner_norm|out_proj)_optional": (
        "asks that the submodule be optional, as it must be where every layer gets the same "
        "bridge; ours is bound only on layers that have it, and is required there"
    ),
    "test_every_block_wires_ssm2_mixer_passthrough": (
        "asks for the Mamba-2 bridge on layers of every kind; ours binds attention, experts and "
        "MLPs with bridges of their own, so that their hooks exist"
    ),
    r"test_(mamba_intermediate_size|conv_dim)_(propagated|formula)": (
        "its cfg has the four numbers but not the kinds of the layers; ours takes them from cfg "
        "when all five are there, and otherwise from the wrapped model, which this test lacks"
    ),
    "test_layers_block_type_defaults_to_empty": (
        "asks for an empty list where cfg does not carry the kinds; ours sets none rather than a "
        "wrong one, until a model is wrapped"
    ),
    "test_top_level_bridge_types": (
        "asks for the bridge of cosines and sines around the rotary embedding, whose hooks cannot "
        "fire here; ours hooks the complex rotation"
    ),
    "test_block_bridge_types": (
        "asks for one mixture bridge on layers of every kind; on the template ours has the union "
        "of what dense and sparse layers bind"
    ),
    "test_q_a_layernorm_is_plain_component": (
        "asks for a plain component around the norm of compressed queries; ours is the norm's "
        "bridge, so that scale and normalized value have hooks"
    ),
    "test_q_path_submodules_are_optional": (
        "asks that every submodule of the query path be optional; ours binds those that the "
        "config says are there, and requires them"
    ),
    "test_moe_submodule_keys": "asks for the exact set without the experts, which ours hooks too",
    "test_gate_is_optional_plain_component": (
        "asks for an optional plain component; ours is the router's bridge, with its logits, "
        "weights and indices, on sparse layers only"
    ),
    "test_shared_experts_is_optional": (
        "asks that they be optional; ours binds them on sparse layers, and requires them there"
    ),
    "test_sparse_layer_compatibility_hooks_remain_block_boundaries": (
        "asks for hook_pre and hook_post of a mixture, which would be its input and output; ours "
        "does not offer names of neurons for them"
    ),
}
# Why a test fails with the adapter of TransformerLens.
THEIR_REASON = "its hooks of the convolution do not fire with this release of transformers"


def outcomes(module: str, *, ours: bool) -> dict[str, str]:
    """Each test -> passed, failed or skipped."""
    with tempfile.TemporaryDirectory() as scratch:
        report, plugins = Path(scratch) / "report.xml", Path(scratch) / module
        generated = PROJECT / "generated" / module
        shutil.copytree(generated / "transformer_lens", plugins / "transformer_lens")
        shutil.copytree(generated.with_name("_runtime"), plugins.with_name("_runtime"))
        shutil.copy(generated / "conftest.py", plugins / "our_adapter.py")
        shutil.copy(generated / "register.py", plugins)
        shutil.copy(Path(__file__).parent / "stand_in_tokenizer.py", plugins)
        result = python(
            *("-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider"),
            *("--jaxtyping-packages=transformer_lens,beartype.beartype", "-m", "not slow"),
            *("-p", "stand_in_tokenizer", *(("-p", "our_adapter") if ours else ())),
            *("--junitxml", report, *TESTS[module]),
            before=(overlay(RELEASE), plugins),
            cwd=upstream(),
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
    function = re.sub(r"\[.*", "", name.rpartition("::")[2])
    found = (why for pattern, why in REASONS.items() if re.fullmatch(pattern, function))
    return next(found, None)


def section(module: str, ours: dict[str, str], theirs: dict[str, str]) -> str:
    """What came out of the tests of one architecture."""
    counts = (
        (title, *(str(list(made.values()).count(word)) for word in WORDS))
        for title, made in (("generated", ours), ("TransformerLens", theirs))
    )
    failed = (
        (f"`{name}`", reason(name) or "**no reason is known**")
        for name, outcome in ours.items()
        if outcome == "failed"
    )
    mended = [
        (f"`{name}`", THEIR_REASON)
        for name, outcome in theirs.items()
        if outcome == "failed" and ours[name] == "passed"
    ]
    only = "Test that only the adapter of TransformerLens fails"
    return "\n\n".join([
        f"## {TITLES[module]}",
        table(("Adapter", *map(str.capitalize, WORDS)), counts),
        table(("Test that the generated adapter fails", "Reason"), failed),
        *([table((only, "Reason"), mended)] if mended else []),
    ])  # fmt: skip


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> int:
    head = f"""\
# Upstream's tests with our adapters

Written by `python tests/matrix/upstream.py`: the unit and integration tests of {SOURCE},
under jaxtyping and beartype as upstream runs them, with transformers {RELEASE}. The generated
module stands in place of the one there; where a test takes the tokenizer of `gpt2` from the Hub, it
gets a small one instead.
"""
    sections, unknown = [head], []
    for module in TESTS:
        files = (f"generated/{module}/**/*", "generated/_runtime/**/*", "tests/matrix/stand*.py")
        ours, theirs = (
            measured(
                f"upstream-{module}-{'ours' if own else 'theirs'}",
                files,
                functools.partial(outcomes, module, ours=own),
            )
            for own in (True, False)
        )
        sections.append(section(module, ours, theirs) + "\n")
        unknown += [n for n, outcome in ours.items() if outcome == "failed" and not reason(n)]
    PAGE.write_text("\n".join(sections), encoding="utf-8")
    for name in unknown:
        print(f"no reason is known: {name}")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())

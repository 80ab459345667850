"""The emitted tests notice the mistakes that authors make: a sample; `make mutants` runs all."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from mutation import Mutant, mutants
from mutation_run import ADAPTER, GENERATED
from mutation_survivors import listed

SAMPLE = 16
MODULES = sorted(path.parent.name for path in GENERATED.glob("*/register.py"))

SMALL = '''\
"""About it."""

FORMER = {"mamba": "linear_attention"}


class Mixer(MLPBridge):
    """A class."""

    @decorator
    def forward(self, *args: int) -> int:
        with context(self):
            if args and len(args) == 2:
                return args[1:][0] * 2
        for name in args:
            self.hook_in(f"{name}")


def build(cfg: Any) -> Any:
    cfg.flag = True
    return Bridge(name="model.layers", kind=_LayerKind("mixer", _moe))
'''


def changes(operator: str) -> list[tuple[str, str]]:
    return [(one.before, one.after) for one in mutants(SMALL) if one.operator == operator]


@pytest.mark.parametrize(
    "operator, change",
    [
        ("entry dropped", ('"mamba": "linear_attention"', "")),
        ("string", ('"linear_attention"', "'linear_attentionx'")),
        ("decorator dropped", ("@decorator", "")),
        ("context dropped", ("with context(self)", "if True")),
        ("condition", ("args and len(args) == 2", "False")),
        ("logic", ("and", "or")),
        ("comparison", ("==", "!=")),
        ("arithmetic", ("*", "+")),
        ("slice", ("1", "")),
        ("constant", ("2", "3")),
        ("loop", ("args", "()")),
        ("hook", ("hook_in", "hook_out")),
        ("statement dropped", ("cfg.flag = True", "pass")),
        ("constant", ("True", "False")),
        ("slot", ('"mixer"', "'attn'")),
        ("argument dropped", ('name="model.layers",', "")),
        ("HF path", ('"model.layers"', "'model'")),
    ],
)
def test_operator(operator: str, change: tuple[str, str]) -> None:
    assert change in changes(operator)


def test_annotations_and_docstrings_are_left_alone() -> None:
    for one in mutants(SMALL):
        assert '"""About it."""' in one.source
        assert "-> int:" in one.source


@cache
def of_the_adapter(module: str) -> list[Mutant]:
    return mutants((GENERATED / module / ADAPTER / f"{module}.py").read_text("utf-8"))


@pytest.mark.parametrize("module", MODULES)
def test_mutants_of_an_adapter_are_all_different(module: str) -> None:
    found = of_the_adapter(module)
    assert len(found) > 100  # Helium, whose layers are all alike, has the fewest
    assert len({one.identity for one in found}) == len(found)
    assert len({one.source for one in found}) == len(found)


@pytest.mark.parametrize("module", MODULES)
def test_listed_survivors_are_mutants_and_have_a_reason(module: str) -> None:
    known = {one.identity for one in of_the_adapter(module)}
    for identity, reason in listed(module).items():
        assert identity in known, f"no such mutant any more: {identity}"
        assert reason.endswith(".")


@pytest.mark.heavy
@pytest.mark.slow
def test_a_sample_is_killed() -> None:
    command = [sys.executable, str(Path(__file__).with_name("mutation_run.py"))]
    done = subprocess.run(
        [*command, "--sample", str(SAMPLE)], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr

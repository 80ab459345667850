"""The committed locks: drift between any two releases is what was looked up and written down."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import pairwise, permutations
from pathlib import Path

import pytest

from adaptergen.cli.drift import between_entries
from adaptergen.lock.store import lock_path, read_lock
from adaptergen.records import DriftedSpec
from adaptergen.resources import specs

PAGE = Path(__file__).parents[2] / "docs" / "drift.md"
SPECS = sorted(specs().glob("*.yaml"))
RELEASES = ("5.12.1", "5.13.0", "5.17.0", "5.20.2", "5.23.0", "5.24.0")
PAIRS = list(pairwise(RELEASES))
_ROW = re.compile(r"^\| (\w+) \| (breaking|silent|benign) \| ([\w-]+) \| (.*?) ?\| .+ \|$", re.M)


@cache
def between(spec: Path, old: str, new: str) -> DriftedSpec:
    return between_entries(spec, old, new)


def written(old: str, new: str) -> list[tuple[str, ...]]:
    """The rows of the page for two releases."""
    section = PAGE.read_text("utf-8").split(f"## {old} to {new}\n")[1].split("\n## ")[0]
    return sorted(_ROW.findall(section))


def found(old: str, new: str) -> list[tuple[str, ...]]:
    """What the tool finds between two releases, as rows of the page."""
    return sorted(
        (spec.stem, f.severity, f.code, " ".join(f"`{path}`" for path in f.paths if path))
        for spec in SPECS
        for f in between(spec, old, new).findings
    )


@pytest.mark.parametrize("pair", PAIRS, ids=" to ".join)
def test_findings_are_those_of_the_page(pair: tuple[str, str]) -> None:
    assert found(*pair) == written(*pair)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_every_release_that_the_spec_is_verified_with_is_locked(spec: Path) -> None:
    from adaptergen.generate import plan

    proved = plan(spec).spec.verified_with
    locked = [release.split("/") for release in read_lock(lock_path(spec), spec.name).releases]
    assert [release for release, _ in locked] == list(proved.transformers) == list(RELEASES)
    assert {tl for _, tl in locked} == set(proved.transformer_lens)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_between_any_two_each_finding_has_what_it_needs(spec: Path) -> None:
    for old, new in permutations(RELEASES, 2):
        for finding in between(spec, old, new).findings:
            assert finding.kinds and finding.what
            if finding.severity != "benign":
                assert finding.file and finding.line and finding.fix, finding
            if finding.kinds != ("model",):
                assert finding.layers, finding


#: What a change is called that is undone.
UNDONE = {
    "functional": "called",
    "not-called": "called",
    "hook-silent": "hook-fires",
    "hook-editable": "hook-read-only",
    "hook-decode-silent": "hook-decode-fires",
}


def changes(rows: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Each row by its paths, one by one, in whichever direction; a kind has two names."""
    return {
        (spec, severity, UNDONE.get(code, code), path)
        for spec, severity, code, where in rows
        for path in ([""] if code == "kind-renamed" else where.split() or [""])
    }


@pytest.mark.parametrize("pair", list(permutations(RELEASES, 2)), ids=" to ".join)
def test_between_any_two_is_found_what_the_page_has_of_the_steps(pair: tuple[str, str]) -> None:
    first, last = sorted(map(RELEASES.index, pair))
    on_the_way = [row for step in PAIRS[first:last] for row in written(*step)]
    assert changes(found(*pair)) == changes(on_the_way)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_a_release_and_itself(spec: Path) -> None:
    assert not between(spec, "5.17.0", "5.17.0").findings


def test_renamed_kinds_and_the_router_of_nemotron_h() -> None:
    found = between(specs() / "nemotron_h.yaml", "5.12.1", "5.13.0").findings
    renamed = {f.kinds[0]: f.what for f in found if f.code == "kind-renamed"}
    assert set(renamed) == {"linear_attention", "full_attention"}
    assert "from `mamba` to `linear_attention`" in renamed["linear_attention"]
    assert "from `attention` to `full_attention`" in renamed["full_attention"]
    (router,) = (f for f in found if f.code == "returns")
    assert router.hf.endswith("NemotronHTopkRouter") and router.kinds == ("moe",)


def test_convolution_of_nemotron_h() -> None:
    found = between(specs() / "nemotron_h.yaml", "5.13.0", "5.17.0").findings
    (conv,) = (f for f in found if f.code == "functional")
    assert conv.paths == ("mixer.conv1d",) and conv.layers == (0, 4)
    assert conv.hf.endswith("NemotronHMamba2Mixer.forward")
    assert conv.file.endswith("specs/shapes/mamba2_mixer.yaml")
    assert conv.fix.startswith("nothing to do: taps of the component around this one")


def test_locks_are_small_enough_to_read() -> None:
    for spec in SPECS:
        text = spec.with_suffix("").with_suffix(".lock.json").read_text("utf-8")
        assert len(text.splitlines()) < 700 and len(text) < 50_000
        assert max(map(len, text.splitlines())) < 400
        assert not re.search(r"0x[0-9a-f]|site-packages|[\" (]/\w", text)

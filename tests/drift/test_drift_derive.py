"""Edits of a spec: laid out as what they stand beside, and nothing else changes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adaptergen.drift.edits import Edit, derived_edits, diff, edited, verified_edit
from adaptergen.generate import plan as plan_of
from adaptergen.problems import Failed, SourceLocation

sys.path.insert(0, str(Path(__file__).parent))
from hybrid_support import HYBRID

SPEC = (HYBRID / "specs" / "drift_hybrid.yaml").read_text("utf-8")
PROVED = "verified_with: {transformer_lens: [4.3.0], transformers: [5.23.0]}\n"
BLOCK = "verified_with:\n  transformer_lens: [4.3.0]\n  transformers:"
KIND = """\
    linear_attention:
      slot: mixer
      shape: conv_mixer
      path: mixer
"""


@pytest.fixture
def path(spec: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The spec of the hybrid with its shapes, in the working directory."""
    shutil.copytree(spec.parent, tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    return Path("specs") / spec.name


def edits_for(path: Path) -> list[Edit]:
    """Those for a release that is verified, and for a kind that has another name in it."""
    plan = plan_of(path)
    proved = verified_edit(plan, "5.24.0")
    layers = SimpleNamespace(layers=(0, 3))
    old: Any = SimpleNamespace(kinds={"linear_attention": layers})
    new: Any = SimpleNamespace(kinds={"convolution": layers})
    return [*derived_edits(plan, old, new, ()), *([proved] if proved else [])]


def edited_file(path: Path, text: str) -> bytes:
    """What a file of this text is with the edits."""
    path.write_bytes(text.encode())
    return edited(edits_for(path))[path].after


FORMERLY = "    linear_attention:\n      formerly: [convolution]\n" + KIND.partition("\n")[2]
ONE_MORE = PROVED.replace("[5.23.0]", "[5.23.0, 5.24.0]")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('["5.20.2", "5.23.0"]', '["5.20.2", "5.23.0", "5.24.0"]'),
        ("['5.23.0' ]  # and on", "['5.23.0', '5.24.0' ]  # and on"),
        ("[5.20.2,\n    5.23.0]", "[5.20.2,\n    5.23.0, 5.24.0]"),
        (
            "[\n    5.20.2,\n    5.23.0  # the newest\n  ]",
            "[\n    5.20.2,\n    5.23.0,  # the newest\n    5.24.0\n  ]",
        ),
        (
            "[\n    5.20.2,\n    5.23.0,\n  ]",
            "[\n    5.20.2,\n    5.23.0,\n    5.24.0,\n  ]",
        ),
        (
            "\n    - 5.20.2\n    # the newest\n    - 5.23.0  # by hand",
            "\n    - 5.20.2\n    # the newest\n    - 5.23.0  # by hand\n    - 5.24.0",
        ),
        ("\n  -   '5.23.0'", "\n  -   '5.23.0'\n  -   '5.24.0'"),
    ],
)
def test_one_more_release(before: str, after: str, path: Path) -> None:
    text = SPEC.replace(PROVED, f"{BLOCK} {before}\n")
    wanted = SPEC.replace(PROVED, f"{BLOCK} {after}\n").replace(KIND, FORMERLY)
    assert edited_file(path, text).decode() == wanted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[5.20.2, 5.23.0]", "[5.24.0]"),
        ("[\n    5.20.2,\n    '5.23.0',\n  ]", "[\n    5.24.0,\n  ]"),
        ("\n    - 5.20.2\n    - 5.23.0  # by hand", "\n    - 5.24.0  # by hand"),
    ],
)
def test_only_the_newest_release_has_another_path(before: str, after: str, path: Path) -> None:
    text = SPEC.replace(PROVED, f"{BLOCK} {before}\n")
    path.write_text(text, encoding="utf-8")
    plan = plan_of(path)
    other = Edit(SourceLocation(str(path)), "", "", ("components", "unembed", "path"), "embed_out")
    edit = verified_edit(plan, "5.24.0", [other])
    assert edit is not None
    assert edited([edit])[path].after.decode() == text.replace(before, after)


@pytest.mark.parametrize("version", ["5.23.0", "5.24.0.dev0"])
def test_no_more_releases(version: str, path: Path) -> None:
    plan = plan_of(path)
    assert verified_edit(plan, version) is None


FLOW = "    linear_attention: {slot: mixer, shape: conv_mixer, path: mixer}\n"
COMMENT = "      # where it is\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (KIND, FORMERLY),
        (FLOW, FLOW.replace("slot", "formerly: [convolution], slot")),
        (
            FLOW.replace("slot", "\n      slot"),
            FLOW.replace("slot", "\n      formerly: [convolution], slot"),
        ),
        (
            FLOW.replace("shape", "formerly: [conv], shape"),
            FLOW.replace("shape", "formerly: [conv, convolution], shape"),
        ),
        (
            f"{KIND}      formerly:\n        # of old\n        - conv\n",
            f"{KIND}      formerly:\n        # of old\n        - conv\n        - convolution\n",
        ),
        (f"{KIND}      formerly: []\n", f"{KIND}      formerly: [convolution]\n"),
        (KIND.replace(" " * 6, " " * 8), FORMERLY.replace(" " * 6, " " * 8)),
        (
            KIND.replace(":\n", f":  # a mixer\n{COMMENT}", 1),
            FORMERLY.replace(":\n", ":  # a mixer\n", 1).replace("]\n", f"]\n{COMMENT}"),
        ),
    ],
)
def test_a_kind_has_another_name(before: str, after: str, path: Path) -> None:
    text = SPEC.replace(KIND, before)
    wanted = SPEC.replace(KIND, after).replace(PROVED, ONE_MORE)
    assert edited_file(path, text).decode() == wanted


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_and_a_mark_of_byte_order_stay(end: str, path: Path) -> None:
    block = f"{BLOCK}\n    - 5.23.0\n"
    text = "\ufeff" + SPEC.replace(PROVED, block)
    wanted = text.replace("- 5.23.0\n", "- 5.23.0\n    - 5.24.0\n").replace(KIND, FORMERLY)
    made = edited_file(path, text.replace("\n", end))
    assert made == wanted.replace("\n", end).encode()


def test_a_file_without_an_end(path: Path) -> None:
    made = edited_file(path, f"{SPEC.replace(PROVED, '')}{BLOCK}\n  - 5.23.0")
    assert made.decode().endswith("  transformers:\n  - 5.23.0\n  - 5.24.0")
    assert "+  - 5.24.0\n\\ No newline" in diff(edited(edits_for(path)))


@pytest.mark.parametrize(
    ("old", "new", "where", "value"),
    [
        (
            PROVED,
            f"{BLOCK}\n    - >-\n      5.23.0\n",
            "specs/drift_hybrid.yaml:11:3",
            "transformers: [5.23.0, 5.24.0]",
        ),
        (
            PROVED,
            f"{BLOCK}\n    -\n      5.23.0\n",
            "specs/drift_hybrid.yaml:11:3",
            "transformers: [5.23.0, 5.24.0]",
        ),
        (
            KIND,
            KIND.replace("linear_attention:\n      slot", "? linear_attention\n    : slot"),
            "specs/drift_hybrid.yaml:33:7",
            "formerly: [convolution]",
        ),
    ],
)
def test_what_cannot_be_edited_is_left_to_people(
    old: str, new: str, where: str, value: str, path: Path
) -> None:
    text = SPEC.replace(old, new)
    assert text != SPEC
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Failed) as caught:
        edited(edits_for(path))
    (problem,) = caught.value.problems
    assert str(caught.value).startswith(f"{where}: error[update-by-hand]: "), caught.value
    assert f"write `{value}` here by hand" in problem.hint

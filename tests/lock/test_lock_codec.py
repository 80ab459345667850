"""Entries of several releases in one tree, and each of them out of it again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from adaptergen.lock.store import merge, pick

_LEAVES = st.sampled_from(["", "x", "y", True, 1, 0.5, [], ["x"]])
_KEYS = st.sampled_from(["a", "b", ""])
_TREES = st.dictionaries(
    _KEYS, _LEAVES | st.dictionaries(_KEYS, _LEAVES | st.dictionaries(_KEYS, _LEAVES))
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_TREES, min_size=1, max_size=4))
def test_every_release_comes_back(trees: list[dict[str, object]]) -> None:
    named = {f"5.{number}.0/4.3.0": tree for number, tree in enumerate(trees)}
    merged = merge(named)
    for name, tree in named.items():
        assert pick(merged, list(named), name) == tree


def test_what_never_changed_stands_once() -> None:
    tree = {"norm": {"cls": "Norm", "called": ["prefill"]}}
    assert merge({"1.0.0": tree, "1.1.0": tree, "1.2.0": tree}) == tree


def test_what_changed_stands_under_the_releases_from_which_on_it_holds() -> None:
    merged = merge(
        {
            "1.0.0": {"conv": {"called": ["prefill"], "by": "fn"}},
            "1.1.0": {"conv": {"called": ["prefill"]}},
            "1.2.0": {"conv": {"called": []}},
        }
    )
    called = {"@1.0.0": ["prefill"], "@1.2.0": []}
    assert merged == {"conv": {"called": called, "by": {"@1.0.0": "fn", "@1.1.0": None}}}

"""Did you mean: the known name closest to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name most like ``name``, or None when nothing is much like it.

    Case is ignored, and a prefix counts (``Attention`` finds ``AttentionBridge``).
    """
    by_folded: dict[str, str] = {}
    for known in sorted(names):
        by_folded.setdefault(known.casefold(), known)
    folded = name.casefold()
    close = get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    if not close and len(folded) > 2:
        longer = [known for known in by_folded if known.startswith(folded)]
        close = sorted(longer, key=lambda known: (len(known), known))[:1]
    return by_folded[close[0]] if close else None

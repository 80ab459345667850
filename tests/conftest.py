"""What all tests share: those marked `heavy` are skipped where something they need is missing."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from importlib.util import find_spec

import pytest

# No test may find what another, or the user, has made before.
os.environ["ADAPTERGEN_CACHE"] = "off"
# Nor leave a key with the user.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="adaptergen-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

# Tests run side by side; threads of tiny tensors only wait, and sum in another order. Said before
# torch is imported.
os.environ["OMP_NUM_THREADS"] = "1"

HEAVY = ("torch", "transformers", "transformer_lens")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say why a heavy test does not run."""
    missing = [name for name in HEAVY if find_spec(name) is None]
    if missing:
        reason = f"needs {', '.join(missing)}: pip install 'adaptergen[verify]'"
        for item in items:
            if item.get_closest_marker("heavy"):
                item.add_marker(pytest.mark.skip(reason=reason))

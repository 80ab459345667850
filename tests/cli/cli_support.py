"""What the tests of commands know of a build."""

from __future__ import annotations

from adaptergen import runtime

#: What a build writes beside the folders of adapters.
SHARED = {f"_runtime/{path}" for path in (*runtime.wanted().files, "manifest.json")}

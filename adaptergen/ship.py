"""What is written once beside all adapters: the package that their tests rest on."""

from __future__ import annotations

from adaptergen import __version__
from adaptergen.output.wanted import Wanted
from adaptergen.resources import contract

#: The name of the package among the tests of adapters.
CONTRACT = "adapter_contract"

_HEAD = b"# A copy of adaptergen/contract, which `adaptergen build` writes anew.\n"


def contract_files() -> dict[str, bytes]:
    """Path below the folder of tests -> content."""
    sources = sorted(contract().glob("*.py"))
    return {f"{CONTRACT}/{path.name}": _HEAD + path.read_bytes() for path in sources}


def shipped() -> list[Wanted]:
    """The folders that a build writes beside those of adapters."""
    meta = {"adaptergen": __version__}
    return [Wanted("_runtime", "adaptergen/contract", contract_files(), meta)]

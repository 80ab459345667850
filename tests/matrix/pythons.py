"""Runs what `make demo` promises, and the emitted tests of every family, on each of some Pythons.

    python tests/matrix/pythons.py VERSION...

Each has an environment of its own below `.matrix`, made on first use with the versions of
`constraints.txt`. Exit code 1: something failed on one of them.
"""

from __future__ import annotations

import os
import subprocess
import sys

from environments import PROJECT, environment_of


def main() -> int:
    specs = [str(path.relative_to(PROJECT)) for path in sorted(PROJECT.glob("specs/*.yaml"))]
    families = sorted(str(path.parent) for path in PROJECT.glob("generated/*/manifest.json"))
    emitted = ("-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider")
    code = 0
    for version in sys.argv[1:]:
        python = environment_of(version, "pytest", f"{PROJECT}[verify]")
        for command in (
            ("-m", "adaptergen", "build", "--check", *specs),
            ("-m", "adaptergen", "verify", *specs),
            # What is generated replaces a module of TransformerLens: a process for each.
            *((*emitted, family) for family in families),
        ):
            env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                [python, *command], cwd=PROJECT, env=env, capture_output=True, text=True
            )
            told = [line for line in (done.stdout + done.stderr).splitlines() if line]
            shown = " ".join(command).replace(f"{PROJECT}/", "")
            print(f"Python {version}: {done.returncode}: {shown}: {told[-1]}", flush=True)
            if done.returncode:
                print("\n".join(told), file=sys.stderr, flush=True)
                code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())

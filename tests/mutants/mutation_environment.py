"""How everything heavy is imported for mutants: said before the first import of torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

sys.dont_write_bytecode = True
os.environ.update(
    OMP_NUM_THREADS="1",
    PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    HF_HUB_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false",
    ADAPTERGEN_CACHE="off",
)

"""From a target on the command line to its facts, in a process with a limit."""

from __future__ import annotations

from adaptergen.facts import Facts
from adaptergen.inspection.failures import named
from adaptergen.inspection.limit import Job, limited
from adaptergen.inspection.target import load_class, read_target


def inspect(text: str, branches: bool, trust_remote_code: bool, seconds: float) -> Facts:
    """The facts of a class, a spec or a folder.

    Raises `Failed`, and `ModuleNotFoundError` where torch or transformers are missing.
    """
    target = read_target(text, trust_remote_code)
    # Imported before the fork, so that what is missing is told as such.
    from adaptergen.inspection.observe import of_class

    # As text: the folder's own classes are not known here.
    def observed() -> str:
        import torch
        import transformers

        torch.set_num_threads(1)
        transformers.logging.set_verbosity_error()
        return of_class(load_class(target), target.base, branches).to_json()

    return Facts.from_json(limited(Job(named(target.architecture), observed), seconds))

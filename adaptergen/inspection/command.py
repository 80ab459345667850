"""From a target on the command line to its facts, in a process with a limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from adaptergen.facts import Facts
from adaptergen.inspection.failures import named
from adaptergen.inspection.limit import Job, limited
from adaptergen.inspection.target import load_class, read_target
from adaptergen.problems import Failed, Problem, SourceLocation

#: Failures that values of a config.json may be the reason of.
_OF_VALUES = frozenset({"hf-config", "hf-forward"})


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
        model_class = load_class(target)
        try:
            return of_class(model_class, target.base, branches).to_json()
        except Failed as error:
            file = target.file
            raise Failed(_in_file(p, file) if file else p for p in error.problems) from error

    return Facts.from_json(limited(Job(named(target.architecture), observed), seconds))


def _in_file(problem: Problem, file: Path) -> Problem:
    if problem.code not in _OF_VALUES:
        return problem
    hint = f"check the values in {named(file.name)}, or observe another release of transformers"
    return replace(problem, hint=hint, location=SourceLocation(file.as_posix()))

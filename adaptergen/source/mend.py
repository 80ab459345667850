"""A file with mistakes, and a model of the rest of it, so that the rest can be judged in one go.

What is wrong is left out if the file can do without it, or else has a stand-in, which means
nothing. The source of the result knows where: whoever asks for what is not there, or looks into
what is broken, asks it first (`Source.known`, `Source.whole`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from adaptergen.problems import MAX_PROBLEMS, Loc
from adaptergen.source.schema import can_lack, follow, stand_in
from adaptergen.source.source import Source
from adaptergen.source.validate import attempt, problems_of

Model = TypeVar("Model", bound=BaseModel)

#: What is not whole after so many is past mending.
MAX_ROUNDS = 20


@dataclass(frozen=True)
class Mended(Generic[Model]):
    """A model of what is whole, or None if too little is; all problems are in the source."""

    model: Model | None
    source: Source


def mend(source: Source, model: type[Model]) -> Mended[Model]:
    """A model of what is whole in a source that was read leniently."""
    try:
        return Mended(attempt(source.data, model), source)
    except ValidationError as error:
        problems = (*source.problems, *problems_of(source, model, error))
        work = _Work(copy.deepcopy(source.data), set(source.broken), set(source.open))
        made = work.model(model, error)
        broken, lacking = frozenset(work.broken), frozenset(work.open)
        return Mended(made, replace(source, problems=problems, broken=broken, open=lacking))


@dataclass
class _Work:
    data: Any
    broken: set[Loc]
    open: set[Loc]

    def model(self, model: type[Model], error: ValidationError) -> Model | None:
        tried: set[Loc] = set()
        for _ in range(MAX_ROUNDS):
            done: set[Loc] = set()
            if error.error_count() > MAX_PROBLEMS:
                return None
            found = [self._culprit(model, detail) for detail in error.errors(include_url=False)]
            for loc, superfluous in sorted(found, key=lambda pair: (len(pair[0]), not pair[1])):
                if any(loc[:depth] in done for depth in range(len(loc) + 1)):
                    continue
                # What a stand-in has not mended is mended around it.
                while loc in tried:
                    loc, superfluous = loc[:-1], False
                if not loc:
                    return None
                tried.add(loc)
                done.add(loc)
                self._mend(model, loc, superfluous)
            try:
                return attempt(self.data, model)
            except ValidationError as another:
                error = another
        return None

    def _culprit(self, model: type[BaseModel], detail: Any) -> tuple[Loc, bool]:
        """What an error is about, and whether it is a key that should not be there."""
        kind, loc = detail["type"], detail["loc"]
        path = follow(model, self.data, loc).path
        if kind == "missing":
            return (*path, loc[-1]), False
        return path, kind == "extra_forbidden" or loc[-1:] == ("[key]",)

    def _mend(self, model: type[BaseModel], loc: Loc, superfluous: bool) -> None:
        around = follow(model, self.data, loc[:-1]).value
        if superfluous:
            self.open.add(loc[:-1])
        else:
            self.broken.add(loc)
        if superfluous or can_lack(model, self.data, loc):
            around.pop(loc[-1], None)
        else:
            around[loc[-1]] = stand_in(model, self.data, loc)

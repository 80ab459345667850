"""What all facts have in common: frozen, and nothing in them that was not declared."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

#: A value as JSON holds it; what JSON cannot hold is its `repr`.
Json = Any


class Fact(BaseModel):
    """A frozen record; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

"""What was measured, and what of it is not as promised."""

from __future__ import annotations

from dataclasses import dataclass, field

#: The kind of a finding that is about no layer.
MODEL = "model"


@dataclass(frozen=True)
class Spot:
    """Where something is: in the model, and in the file that promises it.

    `layer` counts from 0, `kind` is the kind of that layer, `hook` a name within it, `weight` the
    whole name of one. The promise is made at `line` of `file`; None where nobody says which file
    that is.
    """

    layer: int | None = None
    kind: str | None = None
    hook: str | None = None
    file: str | None = None
    line: int | None = None
    weight: str | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that is not as promised, and the edit that may mend it.

    `about` names the entry of the tables that promises it, such as `("cfg", "conv_dim")`, where
    that is no hook.
    """

    check: str
    what: str
    expected: str
    measured: str
    mend: str
    at: Spot = Spot()
    about: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = "" if self.at.layer is None else f"layer {self.at.layer} ({self.at.kind}): "
        return (
            f"{self.check}: {where}{self.what}\n"
            f"  expected {self.expected}; measured {self.measured}\n"
            f"  hint: {self.mend}"
        )


@dataclass
class HookCounts:
    """Names of the hooks of one kind of layer, each once however many layers have it."""

    declared: set[str] = field(default_factory=set)
    fired: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    undeclared: set[str] = field(default_factory=set)


@dataclass
class ModelReport:
    """What was measured of one model.

    `reduced` says what was made smaller than the configuration says, `placement` how many modules
    lie where, `prompt` what was continued, `measured` what was looked at and how often. `parity`
    holds the largest absolute differences from the logits of HF.
    """

    model: str
    layers: int = 0
    parameters: int = 0
    dtype: str = "float32"
    prompt: str = "random token ids"
    reduced: dict[str, str] = field(default_factory=dict)
    placement: dict[str, int] = field(default_factory=dict)
    parity: dict[str, float] = field(default_factory=dict)
    generation: dict[str, bool] = field(default_factory=dict)
    dimensions: dict[str, dict[str, object]] = field(default_factory=dict)
    hooks: dict[str, HookCounts] = field(default_factory=dict)
    measured: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    def of_kind(self, kind: str) -> HookCounts:
        """The hooks of one kind of layer."""
        return self.hooks.setdefault(kind, HookCounts())

    def count(self, check: str, number: int = 1) -> None:
        """Note that something was looked at."""
        self.measured[check] = self.measured.get(check, 0) + number

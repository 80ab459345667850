"""Who uses a parameter while the module that it belongs to is not called.

Seen in two ways, and neither goes by names. Reading `module.weight` passes through
`Module.__getattr__`, which is watched: it tells the function that reads, also where what it passes
the weight to is a kernel that torch knows nothing of. And each operation of torch tells its
arguments: that finds weights that are held in a local, a list or an object that is no module.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal

import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from adaptergen.inspection.names import function_name

How = Literal["read", "operation", "method"]

#: Attributes of a tensor that are a use of what it holds; others only tell about it.
_USED = frozenset({"T", "H", "mT", "mH", "data", "real", "imag"})
#: Functions that only tell about a tensor.
_TELLING = frozenset(
    {"size", "dim", "numel", "stride", "is_floating_point", "is_complex", "is_contiguous",
     "data_ptr", "element_size", "storage_offset", "untyped_storage", "__len__", "__hash__",
     "__format__", "__repr__", "get_device", "is_nonzero"}
)  # fmt: skip
#: Functions of Python that are frames of their own inside another.
_INNER = frozenset({"<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>", "<lambda>"})


@dataclass(frozen=True)
class Use:
    """A use of a parameter by a function: where, and in which way."""

    module: int
    parameter: str
    function: str
    how: How
    file: str
    line: int


@dataclass
class Watch:
    """What was seen in one run; modules are told by `id`."""

    called: set[int] = field(default_factory=set)
    uses: list[Use] = field(default_factory=list)
    told: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    """How often a function only asked a parameter for its type, its shape and the like."""

    def clear(self) -> None:
        """Begin another run."""
        self.called.clear()
        self.uses.clear()
        self.told.clear()

    def functional(self) -> list[Use]:
        """Uses of what belongs to modules that were not called; each function once, sorted."""
        reads = Counter((u.module, u.parameter, u.function) for u in self.uses if _is_read(u))
        operated = {(u.module, u.parameter, u.function) for u in self.uses if not _is_read(u)}
        found: dict[tuple[int, str, str], Use] = {}
        for use in self.uses:
            key = (use.module, use.parameter, use.function)
            asked_only = key not in operated and reads[key] <= self.told[key]
            if use.module not in self.called and not asked_only:
                found.setdefault(key, use)
        # A read says more than the operation on what was read.
        read = {key[:2] for key, use in found.items() if _is_read(use)}
        return [u for k, u in found.items() if _is_read(u) or k[:2] not in read]

    @property
    def touched(self) -> set[int]:
        """Modules that were called, or whose parameters were used."""
        return self.called | {use.module for use in self.uses}


@contextmanager
def watching(model: Any) -> Iterator[Watch]:
    """Watch all parameters and buffers of a model until the end of the block."""
    seen = Watch()
    modules = {id(module): module for module in model.modules()}
    handle = register_module_forward_pre_hook(lambda module, _: seen.called.add(id(module)))
    original = torch.nn.Module.__getattr__

    def getattr_(self: Any, name: str) -> Any:
        value = original(self, name)
        # What is called already needs no frame looked at: its uses do not count.
        if isinstance(value, torch.Tensor) and id(self) in modules and id(self) not in seen.called:
            frame = _outer(sys._getframe(1))
            if frame is not None:
                seen.uses.append(_use(id(self), name, frame, _of(frame) is self, "read"))
        return value

    torch.nn.Module.__getattr__ = getattr_
    try:
        with _Operations(seen, modules).noted():
            yield seen
    finally:
        torch.nn.Module.__getattr__ = original
        handle.remove()


class _Operations:
    """Notes each operation on a watched tensor, with the function outside torch that asks."""

    def __init__(self, seen: Watch, modules: Mapping[int, Any]) -> None:
        self.seen, self.modules = seen, modules
        self.owners: dict[int, list[tuple[int, str]]] = {}
        self.tensors: dict[int, Any] = {}
        for key, module in modules.items():
            for name, tensor in (*module._parameters.items(), *module._buffers.items()):
                if tensor is not None:
                    self.owners.setdefault(id(tensor), []).append((key, name))
                    self.tensors[id(tensor)] = tensor

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Give the tensors a class that tells, so that operations on others take no time."""
        # Tensors of other classes have ways of their own to be operated on.
        telling = {
            cls: type(cls.__name__, (cls,), {"__torch_function__": self._operated})
            for cls in (torch.Tensor, torch.nn.Parameter)
        }
        plain = [(tensor, type(tensor)) for tensor in self.tensors.values()]
        for tensor, cls in plain:
            tensor.__class__ = telling.get(cls, cls)
        try:
            yield
        finally:
            for tensor, cls in plain:
                tensor.__class__ = cls

    def _operated(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for value in (*args, *kwargs.values()):
            for one in value if type(value) in (list, tuple) else (value,):
                owners = self.owners.get(id(one))
                if owners:
                    self._note(func, owners, sys._getframe(1))
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    def _note(self, func: Any, owners: list[tuple[int, str]], at: FrameType) -> None:
        if self.seen.called.issuperset(module for module, _ in owners):
            return
        objects = [self.modules[module] for module, _ in owners]
        frame = _outer(at)
        while frame is not None and _in_torch(frame):
            if any(_of(frame) is one for one in objects):
                break
            frame = _outer(frame.f_back)
        if frame is None:
            return
        for module, name in owners:
            if _only_tells(func):
                self.seen.told[module, name, function_name(frame)] += 1
            elif _of(frame) is self.modules[module]:
                self.seen.uses.append(_use(module, name, frame, True, "operation"))
            elif not any(_of(frame) is one for one in objects):
                self.seen.uses.append(_use(module, name, frame, False, "operation"))


def _use(module: int, name: str, frame: FrameType, own: bool, how: How) -> Use:
    code = frame.f_code
    how = "method" if own else how
    return Use(module, name, function_name(frame), how, code.co_filename, frame.f_lineno)


def _is_read(use: Use) -> bool:
    return use.how != "operation"


def _only_tells(func: Any) -> bool:
    name = getattr(func, "__name__", "")
    if name == "__get__":
        return getattr(getattr(func, "__self__", None), "__name__", "") not in _USED
    return name in _TELLING


def _outer(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_code.co_name in _INNER:
        frame = frame.f_back
    return frame


def _of(frame: FrameType) -> Any:
    """The object whose method a frame runs; None for a function without arguments."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _in_torch(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] == "torch" or name == __name__

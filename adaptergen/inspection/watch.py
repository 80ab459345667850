"""Watch a forward: the calls of modules, and parameters that are used without a call.

A parameter that a function uses while its module is not called is seen in two ways, and neither
goes by names. Reading `module.weight` passes through `Module.__getattr__`, which is watched: the
frame shows the function that reads, also where it passes the weight to a kernel that torch knows
nothing of. And each operation of torch on a watched tensor is intercepted: that finds weights that
are held in a local, a list or an object that is no module.
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import FrameType, MappingProxyType
from typing import Any, Literal

import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from adaptergen.facts import Call, Value
from adaptergen.inspection.layout import ModulePath
from adaptergen.inspection.shapes import Run

How = Literal["read", "operation", "method"]

#: Attributes of a tensor that are a use of what it holds; others are metadata.
_USED = frozenset({"T", "H", "mT", "mH", "data", "real", "imag"})
#: Functions that only ask for metadata of a tensor.
_METADATA = frozenset(
    {"size", "dim", "numel", "stride", "is_floating_point", "is_complex", "is_contiguous",
     "data_ptr", "element_size", "storage_offset", "untyped_storage", "__len__", "__hash__",
     "__format__", "__repr__", "get_device", "is_nonzero"}
)  # fmt: skip
#: Functions of Python that are frames of their own inside another.
_INNER = frozenset({"<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>", "<lambda>"})


@contextmanager
def recording(
    paths: Mapping[Any, ModulePath],
    run: Run,
    known: Mapping[ModulePath, Call] = MappingProxyType({}),
) -> Iterator[dict[ModulePath, Call]]:
    """Record the first call of each module; `known` calls are not described anew.

    At the end of the block the calls are in the order in which they began.
    """
    calls: dict[ModulePath, Call] = {}
    runs = {path.kind: run.inside(path.kind) for path in paths.values()}
    takes: dict[ModulePath, dict[str, Value]] = {}

    def before(module: Any, args: Any, kwargs: Any) -> None:
        path = paths[module]
        if path in takes:
            return
        passed = {} if path in known else _bound(module, args, kwargs)
        describe = runs[path.kind].describe
        takes[path] = {name: describe(v) for name, v in passed.items() if v is not None}

    def after(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        path = paths[module]
        if path in known:
            calls[path] = known[path]
        elif path not in calls:
            returns = runs[path.kind].returned_by(module).describe(output)
            calls[path] = Call(path=path.path, takes=takes[path], returns=returns)

    handles = []
    for module in paths:
        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after, with_kwargs=True))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
        for path in takes:
            if path in calls:
                calls[path] = calls.pop(path)


@dataclass(frozen=True)
class Use:
    """A use of a parameter by a function. `module` is the `id` of the module it belongs to."""

    module: int
    parameter: str
    function: str
    how: How
    file: str
    line: int

    @property
    def key(self) -> tuple[int, str, str]:
        """Parameter and function."""
        return self.module, self.parameter, self.function


class Uses:
    """Which modules a run called, and which parameters it used; modules are identified by `id`."""

    def __init__(self, model: Any) -> None:
        self._modules: set[int] = set()
        self._owners: dict[int, list[tuple[int, str]]] = {}
        self.tensors: dict[int, Any] = {}
        for module in model.modules():
            self._modules.add(id(module))
            for name, tensor in (*module._parameters.items(), *module._buffers.items()):
                if tensor is not None:
                    self._owners.setdefault(id(tensor), []).append((id(module), name))
                    self.tensors[id(tensor)] = tensor
        self.clear()

    def clear(self) -> None:
        """Begin another run."""
        self.called: set[int] = set()
        self._uses: list[Use] = []
        # How often a function only asked a parameter for its type, its shape and the like.
        self._metadata: Counter[tuple[int, str, str]] = Counter()

    def functional(self) -> list[Use]:
        """Uses of parameters of modules that were not called; each function once, in order."""
        reads = Counter(use.key for use in self._uses if use.how != "operation")
        operated = {use.key for use in self._uses if use.how == "operation"}
        found: dict[tuple[int, str, str], Use] = {}
        for use in self._uses:
            only_metadata = use.key not in operated and reads[use.key] <= self._metadata[use.key]
            if use.module not in self.called and not only_metadata:
                found.setdefault(use.key, use)
        # A read says more than the operation on what was read.
        read = {key[:2] for key, use in found.items() if use.how != "operation"}
        return [u for key, u in found.items() if u.how != "operation" or key[:2] not in read]

    def touched(self) -> set[int]:
        """Modules that were called, or whose parameters were used."""
        return self.called | {use.module for use in self._uses}

    def on_read(self, module: Any, name: str, at: FrameType) -> None:
        """Note that the function at a frame reads a tensor of a module."""
        # What is called already needs no frame looked at: its uses do not count.
        if id(module) in self._modules and id(module) not in self.called:
            frame = _outer(at)
            if frame is not None:
                self._add(id(module), name, frame, "read")

    def on_operation(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note an operation of torch on a watched tensor; a `__torch_function__`."""
        kwargs = kwargs or {}
        for value in (*args, *kwargs.values()):
            for one in value if type(value) in (list, tuple) else (value,):
                owners = self._owners.get(id(one))
                if owners:
                    self._on_operand(func, owners, sys._getframe(1))
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    def _on_operand(self, func: Any, owners: list[tuple[int, str]], at: FrameType) -> None:
        modules = {module for module, _ in owners}
        if modules <= self.called:
            return
        # The function outside torch that asks for the operation, or a method of an owner.
        frame = _outer(at)
        while frame is not None and _in_torch(frame) and id(_self_of(frame)) not in modules:
            frame = _outer(frame.f_back)
        if frame is None:
            return
        user = id(_self_of(frame))
        for module, name in owners:
            if _only_metadata(func):
                self._metadata[module, name, _function_name(frame)] += 1
            elif user == module or user not in modules:
                self._add(module, name, frame, "operation")

    def _add(self, module: int, name: str, frame: FrameType, how: How) -> None:
        if id(_self_of(frame)) == module:
            how = "method"
        file = frame.f_code.co_filename
        self._uses.append(Use(module, name, _function_name(frame), how, file, frame.f_lineno))


@contextmanager
def watching(model: Any) -> Iterator[Uses]:
    """Watch all parameters and buffers of a model in the block."""
    uses = Uses(model)
    handle = register_module_forward_pre_hook(lambda module, _: uses.called.add(id(module)))
    original = torch.nn.Module.__getattr__

    def getattr_(module: Any, name: str) -> Any:
        value = original(module, name)
        if isinstance(value, torch.Tensor):
            uses.on_read(module, name, sys._getframe(1))
        return value

    # Giving the tensors another class costs operations on other tensors no time. Tensors of other
    # classes have ways of their own to be operated on.
    watched = {
        cls: type(cls.__name__, (cls,), {"__torch_function__": uses.on_operation})
        for cls in (torch.Tensor, torch.nn.Parameter)
    }
    classes = [(tensor, type(tensor)) for tensor in uses.tensors.values()]
    torch.nn.Module.__getattr__ = getattr_
    for tensor, cls in classes:
        tensor.__class__ = watched.get(cls, cls)
    try:
        yield uses
    finally:
        for tensor, cls in classes:
            tensor.__class__ = cls
        torch.nn.Module.__getattr__ = original
        handle.remove()


def _bound(module: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments by the names that `forward` gives them, in its order."""
    positional, rest, named = _parameters(module.__class__)
    more = {f"{rest}{index}": value for index, value in enumerate(args[len(positional) :])}
    given = {**dict(zip(positional, args, strict=False)), **more, **kwargs}
    order = dict.fromkeys((*positional, *more, *named, *kwargs))
    return {name: given[name] for name in order if name in given}


@cache
def _parameters(cls: Any) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Names of what a `forward` takes: by position, what begins those of the rest, by name only."""
    try:
        _, *parameters = inspect.signature(cls.forward).parameters.values()
    except (TypeError, ValueError):  # it is not written in Python
        return (), "", ()
    rest = [f"{p.name}." for p in parameters if p.kind is p.VAR_POSITIONAL]
    return (
        tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)),
        "".join(rest),
        tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY),
    )


def _only_metadata(func: Any) -> bool:
    name = getattr(func, "__name__", "")
    if name == "__get__":
        return getattr(getattr(func, "__self__", None), "__name__", "") not in _USED
    return name in _METADATA


def _outer(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_code.co_name in _INNER:
        frame = frame.f_back
    return frame


def _in_torch(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] == "torch" or name == __name__


def _function_name(frame: FrameType) -> str:
    """The qualified name of the function that a frame runs."""
    # Transformers needs a Python that has `co_qualname`.
    name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
    return f"{frame.f_globals.get('__name__', '')}.{name}".replace("<locals>.", "")


def _self_of(frame: FrameType) -> Any:
    """The first argument of the function that a frame runs; None if it takes none."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None

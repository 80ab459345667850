"""One call of a component with taps: copies of the bridge and of what it wraps, with hooks in it."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode
from transformers.activations import ACT2FN

from transformer_lens.hook_points import HookPoint

if TYPE_CHECKING:
    from transformer_lens.model_bridge.generalized_components.taps import Tap, TapsMixin

#: Functions of torch that a tap can name.
TORCH_FUNCTIONS = {
    "softmax": (torch.nn.functional.softmax, torch.softmax, torch.Tensor.softmax),
    "matmul": (
        torch.matmul,
        torch.Tensor.matmul,
        torch.Tensor.__matmul__,
        torch.Tensor.__rmatmul__,
    ),
    "bmm": (torch.bmm, torch.Tensor.bmm),
    "baddbmm": (torch.baddbmm, torch.Tensor.baddbmm),
    "einsum": (torch.einsum,),
}

#: The parameters of functions of torch that have no signature.
_UNSIGNED = {"baddbmm": ("input", "batch1", "batch2")}

#: The module of torch's activations.
ACTIVATIONS = torch.nn.Softmax.__module__

#: Takes the place of a hook that a tap fires. TransformerLens asks for a `HookPoint` there.
_SILENT = HookPoint()

#: Functions of torch that return the same weight in another form.
_VIEWS = frozenset(
    [
        "__get__",
        "__getitem__",
        "contiguous",
        "detach",
        "expand",
        "flatten",
        "double",
        "float",
        "half",
        "bfloat16",
        "permute",
        "reshape",
        "squeeze",
        "t",
        "to",
        "transpose",
        "type",
        "type_as",
        "unsqueeze",
        "view",
    ]
)

#: Functions of torch that add their first argument to a product of the others.
_ADDING = frozenset(["addmm", "addmv", "addbmm", "baddbmm"])


def hooks_of(module: torch.nn.Module) -> tuple[Any, ...]:
    """What torch keeps of the hooks of a module, also of those that HookPoint does not count."""
    return (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )


def is_hooked(module: torch.nn.Module) -> bool:
    """Whether anything is attached to a module."""
    return bool(
        # A compiled forward takes no notice of what comes later to torch's tables, but of lists,
        # and only where it is asked for each by its name.
        getattr(module, "fwd_hooks", None)
        or getattr(module, "bwd_hooks", None)
        or module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


class TappedCall:
    """One call of a component: copies of the bridge and of the wrapped module, with hooks in it.

    Args:
        component: The component that is called.
        args: Its arguments; the first tensor is ``[batch, pos, ...]``.
        kwargs: Its keyword arguments.
    """

    def __init__(
        self, component: TapsMixin, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self.component = component
        self.original: Any = component.original_component
        self.module: Any = shallow_copy(self.original)
        self.bridge = shallow_copy(component)
        tensors = (x for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor))
        self.seq_len = next(tensors).shape[1]
        self.used = [entry for entry in component._tapped() if is_hooked(entry[2])]
        self.by_name: dict[str, list[Any]] = {}
        for entry in self.used:
            for name in entry[1].names:
                self.by_name.setdefault(name, []).append(entry)
        self.counts: dict[str, int] = {}
        #: Whether `steps` is called where functions of torch with taps are.
        self.has_steps = False
        self.cls = _class_of(self.original)
        self.namespace: Mapping[str, Any] = _innermost(self.cls.forward).__globals__
        self._mute()
        self._bind()

    def _mute(self) -> None:
        """Let the taps alone fire their hooks, also those that the component would fire itself."""
        bridge_modules = {**self.bridge._modules, "_original_component": self.module}
        vars(self.bridge)["_modules"] = bridge_modules
        children: dict[str, Any] = {}
        for name, _, _ in self.used:
            key, _, hook = name.rpartition(".")
            modules = self._child(key, children)._modules if key else bridge_modules
            modules[hook] = _SILENT
        for path in dict.fromkeys(tap.weight for _, tap, _ in self.used if tap.weight):
            self._watch(path, children)
        replaced = {str(child.name): child for child in children.values()}
        self.module._modules = {**self.module._modules, **replaced}

    def _child(self, key: str, children: dict[str, Any]) -> Any:
        """The copy of a component below this one, made at first."""
        if key not in children:
            child = children[key] = shallow_copy(below(self.component, key))
            child._modules = dict(child._modules)
        return children[key]

    def _watch(self, path: str, children: dict[str, Any]) -> None:
        """Put a weight in its place that sees the operations which receive it."""
        key, _, name = path.rpartition(".")
        owner = self.module
        if key:
            modules = self._child(key, children)._modules
            original = modules["_original_component"]
            owner = modules["_original_component"] = shallow_copy(original)
            if vars(owner).pop("_hf_hook", None):
                # Accelerate would load the weight anew; it is loaded already.
                vars(owner)["forward"] = types.MethodType(type(original).forward, owner)
        weight = owner._parameters[name]
        if type(weight) not in (torch.nn.Parameter, torch.Tensor):
            raise RuntimeError(
                f"{self.component.name}: hooks on the operation with {path} need a plain tensor, "
                f"and the weight is a {type(weight).__name__}"
            )
        watched = _WatchedWeight.of(weight, self, path)
        vars(owner)["_parameters"] = {**owner._parameters, name: watched}

    def _bind(self) -> None:
        """Give the copy of the module what it is to find before what the original finds."""
        own: dict[str, Any] = dict(self.component._replaced_submodules())
        if self.component.fused_in_training:
            own["training"] = False
        names: dict[str, Any] = {}
        methods: list[str] = []
        for name in self.by_name:
            if isinstance(self.module._modules.get(name), torch.nn.Module):
                child = own[name] = shallow_copy(self.module._modules[name])
                # Not by `setattr`, which a bridge passes on to what it wraps.
                vars(child)["forward"] = functools.partial(self.call, name, child.forward)
            elif name in _own_methods(self.cls):
                methods.append(name)
            elif self.namespace.get(name) is not None:
                names[name] = functools.partial(self.call, name, None)
        names |= self.component._further_functions(self, names)
        own |= _rebound_methods(self.original, self.module, names)
        for name in methods:
            method = own.get(name) or types.MethodType(getattr(self.cls, name), self.module)
            own[name] = functools.partial(self.call, name, method)
        if "_old_forward" in vars(self.original):
            # Accelerate keeps the forward that it wraps in an attribute.
            own["_old_forward"] = own.get(
                "forward", types.MethodType(self.cls.forward, self.module)
            )
            own["forward"] = functools.partial(self.original.forward.func, self.module)
        vars(self.module).update(own)

    def function(self, name: str) -> Any:
        """A function of Hugging Face that the wrapped module calls by its name; None if it does not."""
        used = _users(self.cls, frozenset([name]))
        return self.namespace.get(name) if used else None

    def mode(self) -> Any:
        """What sees functions of torch in this thread, while this call needs it."""
        return ExitStack() if self.has_steps else self._torch_functions()

    def steps(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Call the one function of Hugging Face that calls all functions of torch with taps."""
        with self._torch_functions():
            return function(*args, **kwargs)

    def _torch_functions(self) -> Any:
        functions: dict[Any, list[Any]] = {}
        for entry in self.used:
            for function in TORCH_FUNCTIONS.get(entry[1].torch, ()):
                functions.setdefault(function, []).append(entry)
        return _Mode(self, functions) if functions else ExitStack()

    def call(self, name: str, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a function by its name at Hugging Face, between the hooks on it."""
        # Read anew: the function may be replaced at any time.
        function = function or self.namespace[name]
        return self.run(name, function, self.by_name[name], list(args), kwargs)

    def run(
        self, name: str, function: Any, entries: list[Any], args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        """Call a function between hooks."""
        count = self.counts[name] = self.counts.get(name, -1) + 1
        entries = [entry for entry in entries if entry[1].call in (None, count)]
        first = next((x for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor)), None)
        activate: Any = None
        for _, tap, hook in entries:
            if tap.argument is not None:
                if tap.argument < len(args):
                    args[tap.argument] = self._fire(tap, hook, args[tap.argument], first)
                else:
                    key = _parameters(function)[tap.argument]
                    if key in kwargs:
                        kwargs[key] = self._fire(tap, hook, kwargs[key], first)
            elif tap.activation:
                activate = activate or self._take_activation(tap.activation, function, args, kwargs)
        result = function(*args, **kwargs)
        for _, tap, hook in entries:
            if tap.argument is None:
                if tap.part is None:
                    result = self._fire(tap, hook, result, first)
                else:
                    parts = list(result)
                    parts[tap.part] = self._fire(tap, hook, parts[tap.part], first)
                    result = tuple(parts)
        return activate(result) if activate else result

    def run_with_weight(
        self, path: str, function: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        """Call an operation with the weight at a path between the hooks on it."""
        count = self.counts[path] = self.counts.get(path, -1) + 1
        entries = [e for e in self.used if e[1].weight == path and e[1].call in (None, count)]
        for _, tap, hook in entries:
            if tap.argument is not None:
                given: Any = {**dict(enumerate(args)), **kwargs}
                if function.__name__ in _ADDING:
                    given = {key: x for key, x in given.items() if key not in (0, "input")}
                key, operand = next(
                    (key, x)
                    for key, x in given.items()
                    if isinstance(x, torch.Tensor) and not isinstance(x, _WatchedWeight)
                )
                held: Any = kwargs if key in kwargs else args
                held[key] = self._fire(tap, hook, operand)
        result = function(*args, **kwargs)
        for _, tap, hook in entries:
            if tap.argument is None:
                result = self._fire(tap, hook, result)
        return result

    def _take_activation(
        self, attribute: str, function: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        """Ask a function for no activation; return the one that it was asked for, if any."""
        if kwargs.get("activation") is not None:
            kwargs["activation"] = None
        else:
            parameters = _parameters(function)
            at = parameters.index("activation") if "activation" in parameters else len(args)
            if at >= len(args) or args[at] is None:
                return None
            args[at] = None
        activation = getattr(self.original, attribute)
        return ACT2FN[activation] if isinstance(activation, str) else activation

    def _fire(self, tap: Tap, hook: HookPoint, tensor: Any, first: Any = None) -> Any:
        """Hook a tensor as the tap says that its hook holds it.

        Tokens of the call are the last of those in the first tensor that the function takes.
        """
        if tap.heads_first:
            return hook(tensor.transpose(1, 2)).transpose(1, 2)
        if tap.flatten is not None:
            return hook(tensor.flatten(tap.flatten, -2)).reshape(tensor.shape)
        axis = tap.tokens
        if axis is None:
            return hook(tensor)
        if tensor.ndim == axis:  # a decode step without the axis of positions
            return hook(tensor.unsqueeze(axis)).squeeze(axis)
        length = tensor.shape[axis]
        if length == self.seq_len or first is None:
            return hook(tensor)
        end = first.shape[axis]
        start = end - self.seq_len
        tokens = tensor.narrow(axis, start, self.seq_len)
        hooked = hook(tokens)
        if hooked is tokens:
            return tensor
        before = tensor.narrow(axis, 0, start)
        after = tensor.narrow(axis, end, length - end)
        return torch.cat([before, hooked, after], dim=axis)


class _Mode(TorchFunctionMode):
    """Hooks functions of torch that the wrapped module calls."""

    def __init__(self, call: TappedCall, functions: Mapping[Any, list[Any]]) -> None:
        super().__init__()
        self.call, self.functions = call, functions

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Called by torch in place of each function."""
        entries = self.functions.get(func)
        if entries and _running_module() is self.call.module:
            return self.call.run(entries[0][1].torch, func, entries, list(args), kwargs or {})
        return func(*args, **(kwargs or {}))


class _WatchedWeight(torch.Tensor):
    """A weight, or another form of it, that hooks the operation which receives it."""

    call: TappedCall
    path: str

    @classmethod
    def of(cls, weight: torch.Tensor, call: TappedCall, path: str) -> _WatchedWeight:
        """The weight at a path, watched during one call."""
        watched = weight.as_subclass(cls)
        watched.call, watched.path = call, path
        return watched

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Called by torch in place of each function that gets such a tensor."""
        kwargs = kwargs or {}
        given = [x for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor)]
        weight = next((x for x in given if isinstance(x, cls)), None)
        with torch._C.DisableTorchFunctionSubclass():
            if weight is None:  # within a list
                return func(*args, **kwargs)
            if func.__name__ in _VIEWS:
                result = func(*args, **kwargs)
                if isinstance(result, torch.Tensor) and not isinstance(result, cls):
                    return cls.of(result, weight.call, weight.path)
                return result
            if all(isinstance(x, cls) for x in given):
                return func(*args, **kwargs)  # looks at the weight
            return weight.call.run_with_weight(weight.path, func, list(args), kwargs)


def has_function(module: Any, name: str) -> bool:
    """Whether a module of Hugging Face can call a function, method or submodule of a name."""
    cls = _class_of(module)
    if name in module._modules or name in _own_methods(cls):
        return True
    return _innermost(cls.forward).__globals__.get(name) is not None


def shallow_copy(module: Any) -> Any:
    """A copy of a module, or of a config, with attributes of its own that hold the same."""
    cls = _class_of(module)
    copied = cls.__new__(cls)
    vars(copied).update(vars(module))
    return copied


def _class_of(module: Any) -> Any:
    return type(module)


def below(component: torch.nn.Module, path: str) -> Any:
    """What a component has at a dotted path of keys; None if this layer has not."""
    found: Any = component
    for part in path.split("."):
        found = found._modules.get(part) if found is not None else None
    return found


def _running_module() -> Any:
    """The module whose method, or function that takes it first, is the innermost that runs.

    A softmax that is a module, and other activations of torch, are functions of those who call.
    """
    frame: Any = sys._getframe(2)
    while True:  # The component that is called is found at last.
        code = frame.f_code
        if code.co_argcount:
            first = frame.f_locals.get(code.co_varnames[0])
            if isinstance(first, torch.nn.Module) and type(first).__module__ != ACTIVATIONS:
                return first
        frame = frame.f_back


def _rebound_methods(original: Any, module: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    """Methods of the wrapped module that use some of these functions, bound to its copy."""
    users = _users(_class_of(original), frozenset(names))
    return {name: types.MethodType(_rebind(method, names), module) for name, method in users}


def _users(cls: type, names: frozenset[str]) -> tuple[tuple[str, Any], ...]:
    """The methods of a class of Hugging Face that use some of these functions, by their names."""
    # Read anew: a method may be replaced at any time.
    methods = ((name, inspect.getattr_static(cls, name)) for name in _own_methods(cls))
    return tuple(
        (name, method)
        for name, method in methods
        if not names.isdisjoint(_innermost(method).__code__.co_names)
    )


@functools.cache
def _own_methods(cls: type) -> tuple[str, ...]:
    """Names of the methods that a class of Hugging Face does not have from torch."""
    bases = cls.__mro__[: cls.__mro__.index(torch.nn.Module)]
    names = dict.fromkeys(name for base in bases for name in vars(base))
    return tuple(n for n in names if inspect.isfunction(inspect.getattr_static(cls, n)))


def _inner(function: Any) -> Any:
    """The function that a decorator wraps; None if it is no decorator's."""
    wrapped = getattr(function, "__wrapped__", None)
    if wrapped is not None:
        return wrapped
    # Decorators without `functools.wraps`, which some releases have, keep it in their closure.
    if "<locals>" not in function.__qualname__:
        return None
    cells = function.__closure__ or ()
    held = (cell.cell_contents for cell in cells)
    return next((each for each in held if inspect.isfunction(each)), None)


def _parameters(function: Any) -> Sequence[str]:
    """The names of the parameters of a function."""
    if not inspect.isfunction(function):
        known = _UNSIGNED.get(getattr(function, "__name__", ""))
        return known or list(inspect.signature(function).parameters)
    # The same at a fraction of the time; what a function keeps besides comes after its parameters.
    names: tuple[str, ...] = _innermost(function).__code__.co_varnames
    return names


def _innermost(function: Any) -> Any:
    inner = _inner(function)
    return function if inner is None else _innermost(inner)


def _rebind(function: Any, names: Mapping[str, Any]) -> Any:
    """Copy a function so that, under any decorators, it finds ``names`` before its globals."""
    inner = _inner(function)
    namespace, closure = function.__globals__, function.__closure__
    if inner is None:
        namespace = {**namespace, **names}
    else:
        cell = types.CellType(_rebind(inner, names))
        closure = tuple(cell if old.cell_contents is inner else old for old in closure)
    clone = types.FunctionType(
        function.__code__, namespace, function.__name__, function.__defaults__, closure
    )
    clone.__kwdefaults__ = function.__kwdefaults__
    return clone

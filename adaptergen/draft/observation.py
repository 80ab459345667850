"""One forward of a model, watched: what modules took and returned, and what attention multiplied.

The rules are over structure: no class, family or module path is named.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from adaptergen.inspection.runs import forward
from adaptergen.runtime.tapped_call import ACTIVATIONS, TORCH_FUNCTIONS

_SOFTMAX = frozenset(TORCH_FUNCTIONS["softmax"])
_PRODUCTS = {
    function: name
    for name, functions in TORCH_FUNCTIONS.items()
    if name != "softmax"
    for function in functions
}
#: Functions of torch whose result is the same tensor in another form.
_FORMS = frozenset(
    {"dropout", "to", "type_as", "type", "view", "reshape", "transpose", "permute", "contiguous",
     "float", "__getitem__", "unsqueeze", "squeeze", "mul", "__mul__", "masked_fill", "flatten",
     "expand", "clone", "where", "nan_to_num"}
)  # fmt: skip
#: Modules in a list, at most, that are parts by themselves.
_SHORT_LIST = 2
#: How Hugging Face calls its function that computes attention step by step.
EAGER = "eager_attention_forward"


@dataclass(frozen=True)
class Operand:
    """An argument of a product: which function of torch, which of its calls, which argument."""

    function: str
    call: int
    argument: int
    tensor: torch.Tensor


@dataclass
class Attention:
    """What attention computes in one module: the softmax and the products around it."""

    softmax_call: int
    scores: torch.Tensor
    pattern: torch.Tensor
    queries: Operand | None = None
    keys: Operand | None = None
    values: Operand | None = None
    calls: int = 1
    """How often the module calls a softmax."""
    eager: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
    """Queries, keys and values that Hugging Face's function for attention by steps was handed."""


@dataclass
class Called:
    """The first call of a module: what it took and returned, the first tensor of each."""

    path: str
    module: Any
    order: int
    took: torch.Tensor | None
    gave: torch.Tensor | None = None
    tensors: tuple[torch.Tensor, ...] = ()
    """All tensors that it returned."""
    gave_one: bool = False
    """Whether it returned a tensor by itself, and nothing around it."""
    named: str = ""
    """The name of the argument that was taken by name."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    overwrites_input: bool = False
    """Whether it writes into the tensor that it took."""
    is_overwritten: bool = False
    """Whether the tensor that it returned is written into afterwards."""

    @property
    def is_alone(self) -> bool:
        """Whether it took one thing and nothing else."""
        return len(self.args) == 1 and not self.kwargs

    def again(self, took: torch.Tensor) -> torch.Tensor | None:
        """What it returns for another first tensor, all else alike; raises what it raises."""
        args, kwargs = list(self.args), dict(self.kwargs)
        if self.named:
            kwargs[self.named] = took
        else:
            at = next(i for i, one in enumerate(args) if first_tensor(one) is not None)
            args[at] = took
        with torch.no_grad():
            return first_tensor(self.module(*args, **kwargs))


@dataclass
class Observation:
    """A forward: the calls of modules by their paths, and the attention in them."""

    model: Any
    calls: dict[str, Called] = field(default_factory=dict)
    attention: dict[str, Attention] = field(default_factory=dict)
    roles: dict[str, Any] = field(default_factory=dict)
    """Roles that were found so far, by the paths of modules."""

    def below(self, path: str) -> Iterator[Called]:
        """The modules below a path that were called, in the order of their calls."""
        prefix = f"{path}." if path else ""
        return (
            call
            for call in self.calls.values()
            if path != call.path and call.path.startswith(prefix)
        )

    def nearest(self, path: str) -> list[Called]:
        """Of the modules below a path that were called those without a called one between.

        Long lists of one class, such as experts, are left out: the config says how long they are.
        """
        found: list[Called] = []
        around = self.model.get_submodule(path)
        alike = len({type(one) for one in around.children()}) == 1
        if isinstance(around, torch.nn.ModuleList) and len(around) > _SHORT_LIST and alike:
            return found
        for name, module in around.named_children():
            child = f"{path}.{name}" if path else name
            if child in self.calls:
                found.append(self.calls[child])
            elif any(True for _ in module.children()):
                found += self.nearest(child)
        return sorted(found, key=lambda call: call.order)


def observe(model: Any, ids: torch.Tensor) -> Observation:
    """Run a model and see what its modules do; the model is not changed."""
    # Some models exchange modules when they are called for the first time.
    forward(model, ids, use_cache=False)
    seen = Observation(model)
    watch = _Watch(seen)
    with watch.hooked(), watch:
        forward(model, ids, use_cache=False)
    for path, given in watch.given.items():
        seen.calls[path].is_overwritten = _is_written(given)
    return seen


def first_tensor(value: Any) -> torch.Tensor | None:
    """The first tensor in what a module takes or returns."""
    return next(tensors(value), None)


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """All tensors in what a module takes or returns, caches aside."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors(item)


class _Watch(TorchFunctionMode):  # type: ignore[misc]  # torch has no types here
    def __init__(self, seen: Observation) -> None:
        super().__init__()
        self.seen = seen
        self.paths = {id(module): path for path, module in seen.model.named_modules()}
        named = seen.model.named_modules()
        self.activations = {path for path, one in named if type(one).__module__ == ACTIVATIONS}
        self.running: list[str] = []
        #: Tensors at the ends of modules, with how often torch had written to them.
        self.taken: dict[str, tuple[torch.Tensor, int]] = {}
        self.given: dict[str, tuple[torch.Tensor, int]] = {}
        self.counts: dict[tuple[str, str], int] = {}
        self.products: dict[str, list[tuple[torch.Tensor, list[Operand]]]] = {}
        self.softmaxes: dict[str, int] = {}
        self.patterns: dict[int, Attention] = {}
        self.kept: list[Any] = []

    @contextmanager
    def hooked(self) -> Iterator[None]:
        handles = []
        for module in self.seen.model.modules():
            handles.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
            handles.append(module.register_forward_hook(self._leave, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: Any, args: Any, kwargs: Any) -> None:
        path = self.paths[id(module)]
        self.running.append(path)
        if path in self.seen.calls:
            return
        took, named = first_tensor(args), ""
        if took is None:
            name = "hidden_states" if "hidden_states" in kwargs else ""
            name = name or next((n for n, v in kwargs.items() if isinstance(v, torch.Tensor)), "")
            took, named = kwargs.get(name), name
        self.seen.calls[path] = Called(
            path,
            module,
            len(self.seen.calls),
            _kept(took),
            named=named,
            args=tuple(_copied(one) for one in args),
            kwargs={name: _copied(one) for name, one in kwargs.items()},
        )
        if took is not None:
            self.taken[path] = took, took._version

    def _leave(self, module: Any, args: Any, output: Any) -> None:
        path = self.running.pop()
        call = self.seen.calls[path]
        if call.gave is None:
            call.tensors = tuple(_kept(one) for one in tensors(output))
            gave = first_tensor(output)
            call.gave, call.gave_one = _kept(gave), isinstance(output, torch.Tensor)
            if gave is not None:
                self.given[path] = gave, gave._version
            # What is written into later, the module does not do.
            call.overwrites_input = _is_written(self.taken.pop(path, None))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Called by torch in place of each function."""
        result = func(*args, **(kwargs or {}))
        # A softmax that is a module is a function of the module that calls it.
        path = next((one for one in self.running[::-1] if one not in self.activations), None)
        if path is not None:
            self._saw(path, func, args, kwargs or {}, result)
        return result

    def _saw(self, path: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        if func in _PRODUCTS:
            self._product(path, _PRODUCTS[func], args, kwargs, result)
        elif func in _SOFTMAX:
            self._softmax(path, args[0] if args else kwargs["input"], result)
        elif getattr(func, "__name__", "") in _FORMS:
            for one in (*args, *kwargs.values()):
                known = self.patterns.get(id(one)) if isinstance(one, torch.Tensor) else None
                if known and isinstance(result, torch.Tensor):
                    self.patterns[id(result)] = known
                    self.kept.append(result)

    def _product(self, path: str, name: str, args: Any, kwargs: Any, result: Any) -> None:
        call = self.counts[path, name] = self.counts.get((path, name), -1) + 1
        given: dict[int, Any] = dict(enumerate(args))
        if name == "baddbmm":
            given |= {i: kwargs[n] for i, n in ((1, "batch1"), (2, "batch2")) if n in kwargs}
            given.pop(0, None)
        operands = [
            Operand(name, call, i, one) for i, one in given.items() if isinstance(one, torch.Tensor)
        ]
        if len(operands) != 2:
            return
        self.kept.append((result, operands))
        self.products.setdefault(path, []).append((result, operands))
        for one, other in (operands, operands[::-1]):
            known = self.patterns.get(id(one.tensor))
            if known is not None and known.values is None:
                known.values = _cloned(other)

    def _softmax(self, path: str, scores: torch.Tensor, result: torch.Tensor) -> None:
        call = self.softmaxes[path] = self.softmaxes.get(path, -1) + 1
        if path in self.seen.attention:
            self.seen.attention[path].calls += 1
            return
        products = self.products.get(path, [])
        fitting = [p for p in products if p[0].numel() == scores.numel()] or products[-1:]
        if scores.dim() < 3 or not fitting:
            return
        first, second = fitting[-1][1]
        found = Attention(
            call, scores.clone(), result.clone(), _cloned(first), _cloned(second), eager=_handed()
        )
        self.seen.attention[path] = found
        self.patterns[id(result)] = found
        self.kept.append(result)


def _handed() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
    """What the function for attention by steps was handed, if it runs."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != EAGER:
        frame = frame.f_back
    if frame is None:
        return None
    _, query, key, value = (frame.f_locals[name] for name in frame.f_code.co_varnames[:4])
    return query.clone(), key.clone(), value.clone()


def _is_written(held: tuple[torch.Tensor, int] | None) -> bool:
    return held is not None and held[0]._version > held[1]


def _cloned(operand: Operand) -> Operand:
    return Operand(operand.function, operand.call, operand.argument, operand.tensor.clone())


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value


def _kept(tensor: Any) -> Any:
    """A copy: Hugging Face may write into a tensor later."""
    return tensor.clone() if isinstance(tensor, torch.Tensor) else None

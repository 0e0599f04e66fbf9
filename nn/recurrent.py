"""Recurrent layers: a state that is carried through a sequence step by step.

A kind of cell is what one step computes: `_step` takes the projected input W_ih x + b, a state and
the recurrent weights, and gives the next state, a tuple whose first tensor is the output. `_Cell`
and `_Layers` make of it one step as a module, and layers of it over sequences, whose inputs are
projected in one product for all steps.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

from autodiff import Tensor, cat, empty, stack, zeros
from nn import functional as F
from nn import init
from nn.functional.dropout import check_probability
from nn.module import Module
from nn.parameter import Parameter

State = tuple[Tensor, ...]


class _Recurrent(Module):
    """Weights of cells: (gates · hidden_size, input_size), (gates · hidden_size, hidden_size)."""

    _gates = 1
    _states = 1
    input_size: int
    hidden_size: int
    bias: bool

    def _step(self, projected: Tensor, state: State, weight_hh: Tensor) -> State:
        raise NotImplementedError

    def _make_weights(self, suffix: str, input_size: int, device: Any, dtype: Any) -> None:
        rows = self._gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, self.hidden_size),
        }
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        for name, shape in shapes.items():
            setattr(self, name + suffix, Parameter(empty(shape, device=device, dtype=dtype)))

    def _weights(self, suffix: str) -> tuple[Tensor, Tensor, Tensor | None]:
        """Weights of inputs and of states, and the sum of the biases."""
        get = lambda name: getattr(self, name + suffix)
        bias = get("bias_ih") + get("bias_hh") if self.bias else None
        return get("weight_ih"), get("weight_hh"), bias

    def reset_parameters(self) -> None:
        """Draw all weights and biases anew, uniform in ±1/sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _initial(self, hx: Any, shape: tuple[int, ...], input: Tensor) -> State:
        """The states given, checked, or zeros."""
        if hx is None:
            return (zeros(shape, dtype=input.dtype),) * self._states
        state = (hx,) if self._states == 1 else tuple(hx)
        for s in state:
            if tuple(s.shape) != shape:
                raise RuntimeError(
                    f"{type(self).__name__} needs a state of shape {shape} for input of shape "
                    f"{tuple(input.shape)}, got {tuple(s.shape)}"
                )
        return state

    def _result(self, state: State) -> Any:
        return state[0] if self._states == 1 else state

    def _check_input(self, input: Tensor, *ranks: int) -> None:
        name = type(self).__name__
        if input.ndim not in ranks:
            raise ValueError(
                f"{name} needs input of {ranks[0]} or {ranks[1]} axes, got shape "
                f"{tuple(input.shape)}"
            )
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"{name} expects the last axis to be input_size={self.input_size}, got x of shape "
                f"{tuple(input.shape)}"
            )


class _Cell(_Recurrent):
    """One step as a module."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self._make_weights("", input_size, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        self._check_input(input, 1, 2)
        shape = (*input.shape[:-1], self.hidden_size)
        state = self._initial(hx, shape, input)
        w_ih, w_hh, bias = self._weights("")
        return self._result(self._step(F.linear(input, w_ih, bias), state, w_hh))

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class _Layers(_Recurrent):
    """Layers of cells over sequences, in one direction or both."""

    weight_ih_l0: Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        for name, value in {"hidden_size": hidden_size, "num_layers": num_layers}.items():
            if value <= 0:
                raise ValueError(f"{name} must be positive, got {value}")
        check_probability(dropout)
        if dropout and num_layers == 1:
            warnings.warn("dropout acts between layers, and there is one layer only", stacklevel=3)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional = dropout, bidirectional
        for layer in range(num_layers):
            size = input_size if layer == 0 else hidden_size * len(self._directions)
            for direction in self._directions:
                self._make_weights(f"_l{layer}{direction}", size, device, dtype)
        self.reset_parameters()

    @property
    def _directions(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Any]:
        self._check_input(input, 2, 3)
        weight = self.weight_ih_l0
        if input.dtype != weight.dtype:
            raise ValueError(
                f"{type(self).__name__} has weights of {weight.dtype}, got x of {input.dtype}; "
                "convert one with .to(dtype)"
            )
        time = 1 if self.batch_first and input.ndim == 3 else 0
        batch = input.shape[1 - time : 2 - time] if input.ndim == 3 else ()
        count = self.num_layers * len(self._directions)
        first = self._initial(hx, (count, *batch, self.hidden_size), input)

        sequence = input.transpose(0, 1) if time else input
        last: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in self._directions:
                state = tuple(s[len(last)] for s in first)
                w_ih, w_hh, bias = self._weights(f"_l{layer}{direction}")
                steps = F.linear(sequence, w_ih, bias).unbind()
                states = self._run(steps[::-1] if direction else steps, state, w_hh)
                last.append(states[-1])
                outputs.append([s[0] for s in (states[::-1] if direction else states)])
            merged = [cat(both, -1) for both in zip(*outputs)] if len(outputs) > 1 else outputs[0]
            top = layer == self.num_layers - 1
            sequence = stack(merged, time if top else 0)
            if self.dropout and not top:
                sequence = F.dropout(sequence, self.dropout, self.training)
        return sequence, self._result(tuple(stack(s) for s in zip(*last)))

    def _run(self, steps: Sequence[Tensor], state: State, weight_hh: Tensor) -> list[State]:
        """The states after each step."""
        states = []
        for projected in steps:
            state = self._step(projected, state, weight_hh)
            states.append(state)
        return states

    def flatten_parameters(self) -> None:
        """Nothing: weights need no particular place in memory."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if self.bias else [])]
        return [
            [getattr(self, f"{name}_l{layer}{direction}") for name in names]
            for layer in range(self.num_layers)
            for direction in self._directions
        ]

    def extra_repr(self) -> str:
        defaults = {
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        settings = [
            f"{name}={getattr(self, name)}"
            for name, default in defaults.items()
            if getattr(self, name) != default
        ]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *settings])


class _Elman(_Recurrent):
    """h' = act(W_ih x + b_ih + W_hh h + b_hh). Source: Elman 1990, "Finding structure in time"."""

    nonlinearity: str

    def _set_nonlinearity(self, nonlinearity: str) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self.nonlinearity = nonlinearity

    def _step(self, projected: Tensor, state: State, weight_hh: Tensor) -> State:
        z = F.linear(state[0], weight_hh, projected)
        return (z.tanh() if self.nonlinearity == "tanh" else z.relu(),)


class RNNCell(_Elman, _Cell):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu for tanh.

    weight_ih (hidden_size, input_size), weight_hh (hidden_size, hidden_size), bias_ih and bias_hh
    (hidden_size,), all uniform in ±1/sqrt(hidden_size) at first.
    Shapes: input (N, input_size) or (input_size,); hx, zeros if None, and the result
    (N, hidden_size) or (hidden_size,).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self._set_nonlinearity(nonlinearity)
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def extra_repr(self) -> str:
        shown = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + shown


class RNN(_Elman, _Layers):
    """Layers of h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), or relu for tanh.

    Weights as RNNCell's, with a suffix for layer and direction: weight_ih_l0, bias_hh_l1_reverse.
    dropout: that of the outputs of all layers but the last, in training.
    Shapes: input (L, N, input_size), or (N, L, input_size) with `batch_first`, or unbatched
    (L, input_size); hx, zeros if None, (layers · directions, N, hidden_size)
    -> output (L, N, directions · hidden_size), and the last states, of the shape of hx.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self._set_nonlinearity(nonlinearity)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )

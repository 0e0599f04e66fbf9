"""Recurrent layers: a state that is carried through a sequence step by step.

A kind of cell is what one step computes: `_step` takes the projected input W_ih x + b, a state and
the weights it needs besides, and gives the next state, a tuple whose first tensor is the output;
`_walk` takes all steps, in one operation where there is one. `_Cell` and `_Layers` make of it one
step as a module, and layers of it over sequences, whose inputs are projected in one product.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

from autodiff import Tensor, cat, empty, kernels, stack, zeros
from nn import functional as F
from nn import init
from nn.functional.dropout import check_probability
from nn.module import Module
from nn.parameter import Parameter
from nn.utils.rnn import PackedSequence

State = tuple[Tensor, ...]


class _Recurrent(Module):
    """Weights of cells: (gates · hidden_size, input_size), (gates · hidden_size, output size)."""

    _gates = 1
    input_size: int
    hidden_size: int
    bias: bool
    proj_size = 0

    @property
    def _sizes(self) -> tuple[int, ...]:
        """Of each tensor of a state; the first one is the output."""
        return (self.hidden_size,)

    def _step(self, projected: Tensor, state: State, weights: State) -> State:
        raise NotImplementedError

    def _walk(self, steps: Tensor, state: State, weights: State) -> tuple[Tensor, State]:
        """The outputs of all steps, and the last state."""
        outputs = []
        for projected in steps.unbind():
            state = self._step(projected, state, weights)
            outputs.append(state[0])
        return stack(outputs), state

    def _make_weights(self, suffix: str, input_size: int, device: Any, dtype: Any) -> None:
        rows = self._gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, self._sizes[0]),
        }
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        for name, shape in shapes.items():
            setattr(self, name + suffix, Parameter(empty(shape, device=device, dtype=dtype)))

    def _weights(self, suffix: str) -> tuple[Tensor, Tensor | None, State]:
        """Weights and bias that project inputs, and the weights that a step needs."""
        get = lambda name: getattr(self, name + suffix)
        bias = get("bias_ih") + get("bias_hh") if self.bias else None
        return get("weight_ih"), bias, (get("weight_hh"),)

    def reset_parameters(self) -> None:
        """Draw all weights and biases anew, uniform in ±1/sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _initial(self, hx: Any, shape: tuple[int, ...], input: Tensor) -> State:
        """The states given, checked, or zeros; `shape` is theirs less the last axis."""
        shapes = [(*shape, size) for size in self._sizes]
        if hx is None:
            return tuple([zeros(shape, dtype=input.dtype) for shape in shapes])
        state = (hx,) if len(shapes) == 1 else tuple(hx)
        if len(state) != len(shapes):
            raise RuntimeError(
                f"{type(self).__name__} needs a state of {len(shapes)} tensors, got {len(state)}"
            )
        for s, wanted in zip(state, shapes):
            if tuple(s.shape) != wanted:
                raise RuntimeError(
                    f"{type(self).__name__} needs a state of shape {wanted} for input of shape "
                    f"{tuple(input.shape)}, got {tuple(s.shape)}"
                )
        return state

    def _result(self, state: State) -> Any:
        return state[0] if len(state) == 1 else state

    def _check_input(self, input: Tensor, *ranks: int) -> None:
        name = type(self).__name__
        if input.ndim not in ranks:
            raise ValueError(
                f"{name} needs input of {' or '.join(map(str, ranks))} axes, got shape "
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
        state = self._initial(hx, tuple(input.shape[:-1]), input)
        weight, bias, weights = self._weights("")
        return self._result(self._step(F.linear(input, weight, bias), state, weights))

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
            size = input_size if layer == 0 else self._sizes[0] * len(self._directions)
            for direction in self._directions:
                self._make_weights(f"_l{layer}{direction}", size, device, dtype)
        self.reset_parameters()

    @property
    def _directions(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        self._check_input(input, 2, 3)
        self._check_dtype(input)
        batched = input.ndim == 3
        time = 1 if self.batch_first and batched else 0
        if not input.shape[time]:
            raise RuntimeError(
                f"{type(self).__name__} needs a sequence of one step or more, got input of shape "
                f"{tuple(input.shape)}"
            )
        first = self._first(hx, tuple(input.shape[1 - time : 2 - time]) if batched else (), input)
        if not batched:
            first = tuple([s.unsqueeze(1) for s in first])
            output, last = self._run(input.unsqueeze(1), None, first)
            return output.squeeze(1), self._result(tuple([s.squeeze(1) for s in last]))
        output, last = self._run(input.transpose(0, 1) if time else input, None, first)
        return output.transpose(0, 1) if time else output, self._result(last)

    def _forward_packed(self, input: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        self._check_input(input.data, 2)
        self._check_dtype(input.data)
        running = input.batch_sizes.tolist()
        first = self._first(hx, (running[0],), input.data)
        if hx is not None and input.sorted_indices is not None:
            first = tuple([s.index_select(1, input.sorted_indices) for s in first])
        output, last = self._run(input.data, running, first)
        if input.unsorted_indices is not None:
            last = tuple([s.index_select(1, input.unsorted_indices) for s in last])
        return input._replace(data=output), self._result(last)

    def _check_dtype(self, input: Tensor) -> None:
        weight = self.weight_ih_l0
        if input.dtype != weight.dtype:
            raise ValueError(
                f"{type(self).__name__} has weights of {weight.dtype}, got x of {input.dtype}; "
                "convert one with .to(dtype)"
            )

    def _first(self, hx: Any, batch: tuple[int, ...], input: Tensor) -> State:
        count = self.num_layers * len(self._directions)
        return self._initial(hx, (count, *batch), input)

    def _run(
        self, sequence: Tensor, running: list[int] | None, first: State
    ) -> tuple[Tensor, State]:
        """The top layer's outputs, and the last states of all layers.

        sequence: the inputs (L, N, input_size), packed if `running` says how many sequences have
        each step; first: the states (layers · directions, ...).
        """
        last: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                sequence = F.dropout(sequence, self.dropout, self.training)
            outputs = []
            for direction in self._directions:
                state = tuple([s[len(last)] for s in first])
                weight, bias, weights = self._weights(f"_l{layer}{direction}")
                projected = F.linear(sequence, weight, bias)
                if running is None:
                    steps = projected.flip(0) if direction else projected
                    states, final = self._walk(steps, state, weights)
                    outputs.append(states.flip(0) if direction else states)
                else:
                    parts = projected.split(running)
                    parts, final = self._walk_packed(_turned(parts, direction), state, weights)
                    outputs.append(cat(_turned(parts, direction)))
                last.append(final)
            sequence = cat(outputs, -1) if len(outputs) > 1 else outputs[0]
        return sequence, tuple([stack(s) for s in zip(*last)])

    def _walk_packed(
        self, steps: Sequence[Tensor], first: State, weights: State
    ) -> tuple[Sequence[Tensor], State]:
        """The same for steps of falling (or, backwards, rising) numbers of sequences."""
        outputs, ended = [], []
        state = tuple([s[: len(steps[0])] for s in first])
        for projected in steps:
            size, before = len(projected), len(state[0])
            if size < before:
                ended.append([s[size:] for s in state])
                state = tuple([s[:size] for s in state])
            elif size > before:
                state = tuple([cat([s, f[before:size]]) for s, f in zip(state, first)])
            state = self._step(projected, state, weights)
            outputs.append(state[0])
        return outputs, tuple([cat(parts) for parts in zip(state, *ended[::-1])])

    def flatten_parameters(self) -> None:
        """Nothing: weights need no particular place in memory."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if self.bias else [])]
        names += ["weight_hr"] * bool(self.proj_size)
        return [
            [getattr(self, f"{name}_l{layer}{direction}") for name in names]
            for layer in range(self.num_layers)
            for direction in self._directions
        ]

    def extra_repr(self) -> str:
        defaults = {
            "proj_size": 0,
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


def _turned(steps: Sequence[Tensor], direction: str) -> Sequence[Tensor]:
    return steps[::-1] if direction else steps


class _Elman(_Recurrent):
    """h' = act(W_ih x + b_ih + W_hh h + b_hh). Source: Elman 1990, "Finding structure in time"."""

    nonlinearity: str

    def _set_nonlinearity(self, nonlinearity: str) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self.nonlinearity = nonlinearity

    def _step(self, projected: Tensor, state: State, weights: State) -> State:
        z = F.linear(state[0], weights[0], projected)
        return (z.tanh() if self.nonlinearity == "tanh" else z.relu(),)

    def _walk(self, steps: Tensor, state: State, weights: State) -> tuple[Tensor, State]:
        states = kernels.elman(steps, state[0], weights[0], self.nonlinearity == "relu")
        return states, (states[-1],)


class _LongShortTerm(_Recurrent):
    """Gates let go of, take in and show a memory c.

    (i, f, g, o) = W_ih x + b_ih + W_hh h + b_hh
    c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h' = sigmoid(o) * tanh(c'), and W_hr of that with a projection

    Source: Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; the gate f: Gers et al.
    2000; projections: Sak et al. 2014, arXiv:1402.1128.
    """

    _gates = 4

    @property
    def _sizes(self) -> tuple[int, ...]:
        return self.proj_size or self.hidden_size, self.hidden_size

    def _weights(self, suffix: str) -> tuple[Tensor, Tensor | None, State]:
        weight, bias, weights = super()._weights(suffix)
        if self.proj_size:
            weights = *weights, getattr(self, f"weight_hr{suffix}")
        return weight, bias, weights

    def _step(self, projected: Tensor, state: State, weights: State) -> State:
        h, c = state
        i, f, g, o = F.linear(h, weights[0], projected).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (F.linear(h, weights[1]) if len(weights) > 1 else h), c

    def _walk(self, steps: Tensor, state: State, weights: State) -> tuple[Tensor, State]:
        if self.proj_size:
            return super()._walk(steps, state, weights)
        h, c = kernels.lstm(steps, *state, *weights)
        return h, (h[-1], c[-1])


class _Gated(_Recurrent):
    """Gates mix the state with a new one.

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
    h' = (1 - z) * n + z * h

    Source: Cho et al. 2014, arXiv:1406.1078; r applied after the product as in cuDNN.
    """

    _gates = 3

    def _weights(self, suffix: str) -> tuple[Tensor, Tensor | None, State]:
        get = lambda name: getattr(self, name + suffix)
        weights = (get("weight_hh"), get("bias_hh")) if self.bias else (get("weight_hh"),)
        return get("weight_ih"), get("bias_ih") if self.bias else None, weights

    def _step(self, projected: Tensor, state: State, weights: State) -> State:
        h = state[0]
        size = h.shape[-1]
        recurrent = F.linear(h, *weights)
        gates = projected[..., : 2 * size] + recurrent[..., : 2 * size]
        r, z = gates.sigmoid().chunk(2, -1)
        n = (projected[..., 2 * size :] + r * recurrent[..., 2 * size :]).tanh()
        return (n + z * (h - n),)


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


class LSTMCell(_LongShortTerm, _Cell):
    """One step of a long short-term memory.

    (i, f, g, o) = W_ih x + b_ih + W_hh h + b_hh, c' = sigmoid(f) * c + sigmoid(i) * tanh(g),
    h' = sigmoid(o) * tanh(c').
    weight_ih (4 · hidden_size, input_size), weight_hh (4 · hidden_size, hidden_size), bias_ih and
    bias_hh (4 · hidden_size,), all uniform in ±1/sqrt(hidden_size) at first.
    Shapes: input (N, input_size) or (input_size,); hx, zeros if None, and the result: a pair
    (h, c) of (N, hidden_size) or (hidden_size,).
    Source: Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735.
    """


class LSTM(_LongShortTerm, _Layers):
    """Layers of long short-term memories; see LSTMCell for a step.

    Weights as LSTMCell's, with a suffix for layer and direction: weight_ih_l0, bias_hh_l1_reverse.
    proj_size: project each h to that size, by weight_hr (proj_size, hidden_size).
    dropout: that of the outputs of all layers but the last, in training.
    Shapes: input (L, N, input_size), or (N, L, input_size) with `batch_first`, or unbatched
    (L, input_size), or a PackedSequence; hx, zeros if None, a pair (h, c) of
    (layers · directions, N, hidden_size), for h the projected size
    -> output (L, N, directions · hidden_size), and the last states, of the shape of hx.
    Source: Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if not 0 <= proj_size < max(hidden_size, 1):
            raise ValueError(
                f"proj_size must be 0 or more and below hidden_size={hidden_size}, got {proj_size}"
            )
        self.proj_size = proj_size
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


class GRUCell(_Gated, _Cell):
    """One step of a gated recurrent unit.

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z = sigmoid(W_iz x + b_iz + W_hz h + b_hz),
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), h' = (1 - z) * n + z * h.
    weight_ih (3 · hidden_size, input_size), weight_hh (3 · hidden_size, hidden_size), bias_ih and
    bias_hh (3 · hidden_size,), all uniform in ±1/sqrt(hidden_size) at first.
    Shapes: input (N, input_size) or (input_size,); hx, zeros if None, and the result
    (N, hidden_size) or (hidden_size,).
    Source: Cho et al. 2014, arXiv:1406.1078.
    """


class GRU(_Gated, _Layers):
    """Layers of gated recurrent units; see GRUCell for a step.

    Weights as GRUCell's, with a suffix for layer and direction: weight_ih_l0, bias_hh_l1_reverse.
    dropout: that of the outputs of all layers but the last, in training.
    Shapes: input (L, N, input_size), or (N, L, input_size) with `batch_first`, or unbatched
    (L, input_size), or a PackedSequence; hx, zeros if None, (layers · directions, N, hidden_size)
    -> output (L, N, directions · hidden_size), and the last states, of the shape of hx.
    Source: Cho et al. 2014, arXiv:1406.1078.
    """

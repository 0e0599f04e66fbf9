"""Seeded sources of random numbers, and the one used where none is given.

Each wraps a NumPy generator, made when first used: importing numpy.random takes longer than the
rest of this package. NumPy's global state is never touched.
"""

import os
import struct
import threading
from typing import Any

import numpy as np

from autodiff.attributes import device as Device
from autodiff.tensor import Tensor, make, taken

_SEED = 67280421310721  # a generator that was not seeded starts here, as PyTorch's
_STATE = struct.Struct("<16s16sBIQ")  # state and increment of PCG64, half a draw, the seed


class Generator:
    """A source of random numbers: pass it as `generator=` to draw independently of others."""

    def __init__(self, device: Any = "cpu") -> None:
        self.device = Device(device)
        self._numpy: Any = None
        self._seed = _SEED

    @property
    def numpy(self) -> "np.random.Generator":
        """The NumPy generator that draws; seeding keeps the object."""
        if self._numpy is None:
            self._numpy = np.random.Generator(np.random.PCG64(self._seed))
        return self._numpy

    def manual_seed(self, seed: int) -> "Generator":
        """Start the sequence that belongs to this seed; a negative one counts from 2 ** 64."""
        taken("manual_seed()")
        seed = int(seed)
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"a seed must lie in [-2**63, 2**64), got {seed}")
        self._seed = seed % 2**64
        if self._numpy is not None:
            self._numpy.bit_generator.state = np.random.PCG64(self._seed).state
        return self

    def initial_seed(self) -> int:
        """The seed that the sequence started from."""
        return self._seed

    def seed(self) -> int:
        """Start from a seed out of the system's entropy, and return it."""
        return self.manual_seed(int.from_bytes(os.urandom(8), "little")).initial_seed()

    def get_state(self) -> Tensor:
        """The place in the sequence, as bytes."""
        taken("the state of a generator")
        state: Any = self.numpy.bit_generator.state
        place = [n.to_bytes(16, "little") for n in (state["state"]["state"], state["state"]["inc"])]
        packed = _STATE.pack(*place, state["has_uint32"], state["uinteger"], self._seed)
        return make(np.frombuffer(packed, np.uint8).copy())

    def set_state(self, new_state: Tensor) -> "Generator":
        """Go to a place that get_state() gave. Raises: RuntimeError for anything else."""
        taken("set_state()")
        packed = new_state._array.tobytes() if isinstance(new_state, Tensor) else b""
        if len(packed) != _STATE.size:
            raise RuntimeError("set_state needs what get_state() gave")
        state, inc, has_uint32, uinteger, self._seed = _STATE.unpack(packed)
        self.numpy.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {
                "state": int.from_bytes(state, "little"),
                "inc": int.from_bytes(inc, "little"),
            },
            "has_uint32": has_uint32,
            "uinteger": uinteger,
        }
        return self

    def clone_state(self) -> "Generator":
        """Another generator at the same place."""
        return Generator().set_state(self.get_state())

    def __getstate__(self) -> dict:
        return {"state": self.get_state()}

    def __setstate__(self, state: dict) -> None:
        Generator.__init__(self)
        self.set_state(state["state"])


default_generator = Generator()
"""What random functions draw from unless they are given another."""

default_generator.seed()


class _Alone(threading.local):
    """The generator that takes the default one's place in this thread, if any."""

    generator: Generator | None = None


_alone = _Alone()


def draw_alone(seed: int) -> None:
    """Let this thread draw from a generator of its own, where none is given, from now on."""
    _alone.generator = Generator().manual_seed(seed)


def _default() -> Generator:
    return _alone.generator or default_generator


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, and return it."""
    return _default().manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the system's entropy, and return the seed."""
    return _default().seed()


def initial_seed() -> int:
    """The seed that the default generator started from."""
    return _default().initial_seed()


def get_rng_state() -> Tensor:
    """The place of the default generator in its sequence."""
    return _default().get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator where get_rng_state() found it."""
    _default().set_state(new_state)


def numpy_generator(generator: Generator | None) -> "np.random.Generator":
    """The NumPy generator to draw from, the default one for None. Raises: TypeError."""
    if generator is None:
        generator = _default()
    if not isinstance(generator, Generator):
        raise TypeError(f"generator must be a Generator, got {type(generator).__name__}")
    return generator.numpy

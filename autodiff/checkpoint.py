"""Saving and loading: containers of tensors, arrays and plain values, in one file.

A checkpoint is a .npz file, a zip of arrays that np.load reads, with one entry more,
`structure.json`: what was saved, with the arrays under their names. No pickle is written, and none
is read: a file that somebody else made cannot run code.
"""

import importlib
import io
import math
import os
import re
import stat
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from autodiff import dtypes
from autodiff.attributes import Size, device
from autodiff.tensor import Tensor, rebuild, taken

__all__ = ["load", "save"]

STRUCTURE = "structure.json"
VERSION = 1

Place = str | os.PathLike | BinaryIO

CLASSES = {"Tensor": "autodiff.tensor", "Parameter": "nn.parameter", "Buffer": "nn.parameter"}
"""The classes of tensors that a checkpoint knows, and their modules."""

SEQUENCES: dict[str, Callable[[list], Any]] = {"tuple": tuple, "Size": Size}
DICTS: dict[str, Callable[[list], Any]] = {"dict": dict, "OrderedDict": OrderedDict}

FOREIGN = {
    b"\x80": "a pickle, as older versions of torch.save write, which could run any code; convert "
    "it to .npz or .safetensors in the program that wrote it",
    b"\x93NUMPY": "one array, written by np.save; use autodiff.from_numpy(np.load(...))",
    b"\x89HDF": "an HDF5 file; read it with h5py",
    b"\x1f\x8b": "compressed by gzip; decompress it first",
}
"""What a file that is none of ours is, by its first bytes."""


def save(obj: Any, f: Place, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write `obj` to a file: a path, or a binary file open for writing.

    Tensors, Parameters, NumPy's arrays and scalars, numbers, strings, None, dtypes, devices and
    Sizes, in dicts with any keys, lists, tuples and named tuples: the state of modules and
    optimizers, say. Kept are dtype, requires_grad and whether a tensor is a Parameter; not the
    graph and the gradient. Tensors of the same memory come back as one tensor, and views as their
    own elements alone. A path gets the new content all at once: whatever happens, the file is the
    old one or the new one.

    A path ending in .safetensors takes that format, for PyTorch and others, of a dict of tensors
    alone; `metadata` is kept in it, beside a checksum, which the format lacks.

    Raises: TypeError, before anything is written, naming the path to what cannot be saved.
    """
    taken("save()")
    if _name(f).endswith(".safetensors"):
        arrays = _flat(obj)
        metadata = {**(metadata or {}), CHECKSUM: _checksum(arrays)}
        content = _safetensors().numpy.save(arrays, metadata)
        with _writing(f) as file:
            file.write(content)
        return
    if metadata is not None:
        raise ValueError("metadata is kept in files named .safetensors only; put it into the dict")
    encoder = _Encoder()
    try:
        described = encoder.encode(obj, "")
        text = _module("json").dumps({"version": VERSION, "object": described})
    except RecursionError:
        raise ValueError("save: the containers hold themselves, or are nested too deep") from None
    zipfile = _module("zipfile")
    with _writing(f) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(STRUCTURE, text)
        for name, array in encoder.arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                npy.write_array(entry, array, allow_pickle=False)


def load(
    f: Place, map_location: Any = None, *, weights_only: bool = True, mmap: bool | None = None
) -> Any:
    """What `save` wrote to a file; also other .npz files, as a dict, and .safetensors files.

    In these two, arrays of a dtype that Tensors do not hold stay arrays, but bfloat16 is read as
    float32. A named tuple is one of the same name and fields. `map_location` may name the CPU;
    `weights_only` and `mmap` make no difference: no file can run code, and files are read whole.

    Raises: RuntimeError if the file is damaged or of another kind, saying which.
    """
    taken("load()")
    if map_location is not None and not callable(map_location):
        for place in map_location.values() if isinstance(map_location, dict) else [map_location]:
            device(place)
    if hasattr(f, "read"):
        return _loaded(f)  # type: ignore[arg-type]
    with open(f, "rb") as file:
        return _loaded(file)


def _loaded(file: BinaryIO) -> Any:
    start = file.tell()
    head = file.read(9)
    file.seek(start)
    name = _name(file)
    if name.endswith(".safetensors") or head[8:] == b"{":
        return _read_safetensors(file.read(), name)
    if head[:2] != b"PK":
        kinds = [kind for magic, kind in FOREIGN.items() if head.startswith(magic)]
        what = kinds[0] if kinds else "of no kind that load() knows" if head else "empty"
        raise RuntimeError(f"load: {name} is {what}")
    try:
        with _module("zipfile").ZipFile(file) as archive:
            return _read_archive(archive)
    except MemoryError:
        raise
    except _Refused as error:
        raise RuntimeError(f"load: {name} {error}") from None
    except Exception as error:  # whatever zipfile and NumPy say to bytes that are not theirs
        raise RuntimeError(
            f"load: {name} is damaged or was cut off ({error}); use another copy of it"
        ) from error


class _Refused(Exception):
    """A whole file, of a kind that is not read."""


def _read_archive(archive: Any) -> Any:
    names = archive.namelist()
    if STRUCTURE in names:
        structure = _module("json").loads(archive.read(STRUCTURE))
        if structure["version"] > VERSION:
            raise _Refused("was written by a newer version of tapegrad; install that one")
        return _Decoder(archive).decode(structure["object"])
    if any(name.endswith("data.pkl") for name in names):
        raise _Refused(
            "was written by torch.save: it holds a pickle, which could run any code. Convert it "
            "with PyTorch: np.savez(path, **{k: v.numpy() for k, v in torch.load(f).items()})"
        )
    decoder = _Decoder(archive)
    if names and not any(name.endswith(".npy") for name in names):
        raise _Refused("is a zip file without arrays; load() reads what save() and np.savez write")
    return {name.removesuffix(".npy"): decoder.plain(name) for name in names}


# To JSON and back: null, true, numbers, strings and lists are themselves, all else is an object
# whose first key says what it is.


class _Encoder:
    """Describes objects in JSON, and gathers their arrays."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[int, str] = {}

    def encode(self, value: Any, path: str) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
            return value
        if kind is list:
            return self._items(value, path)
        if kind is float:
            return {"float": repr(value)}
        if isinstance(value, Tensor):
            return self._tensor(value, path)
        if kind is np.ndarray or kind is np.memmap:
            return {"array": self._array(value, path)}
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.array(value), path)}
        if kind in (dict, OrderedDict):
            pairs = [
                [self.encode(k, _below(path, k)), self.encode(v, _below(path, k))]
                for k, v in value.items()
            ]
            return {kind.__name__: pairs}
        if kind in (tuple, Size):
            return {kind.__name__: self._items(value, path)}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            items = [self.encode(v, _below(path, k)) for k, v in zip(value._fields, value)]
            return {"namedtuple": kind.__name__, "fields": list(value._fields), "items": items}
        if kind in (dtypes.dtype, device):
            return {kind.__name__: str(getattr(value, "dtype", value))}
        advice = "save its state_dict()" if hasattr(value, "state_dict") else "leave it out"
        raise _refusal(path, value, f"which checkpoints do not hold; {advice}")

    def _items(self, values: Any, path: str) -> list:
        return [self.encode(v, _below(path, i)) for i, v in enumerate(values)]

    def _tensor(self, value: Tensor, path: str) -> dict[str, Any]:
        kind = type(value)
        if CLASSES.get(kind.__name__) != kind.__module__:
            raise _refusal(path, value, "a class of tensors that load() would not know")
        attributes = Tensor.__reduce_ex__(value, 4)[1][-1]
        described: dict[str, Any] = {"tensor": self._array(value._array, path)}
        if kind is not Tensor:
            described["class"] = kind.__name__
        if value.requires_grad:
            described["requires_grad"] = True
        if attributes:
            described["attributes"] = self.encode(attributes, path)
        return described

    def _array(self, array: np.ndarray, path: str) -> str:
        """The name of an array, which it has after the place where it is found first."""
        if array.dtype.hasobject:
            raise _refusal(path, array, "of Python objects, which checkpoints do not hold")
        if id(array) not in self._names:
            name = re.sub(r"[^\w.-]", "_", path)[:100] or "object"
            if name in self.arrays:
                name = f"{name}~{len(self.arrays)}"
            self.arrays[name] = array  # which also keeps its id from being used again
            self._names[id(array)] = name
        return self._names[id(array)]


def _below(path: str, key: Any) -> str:
    key = key if isinstance(key, str) else repr(key)
    return f"{path}.{key}" if path else key


def _refusal(path: str, value: Any, why: str) -> TypeError:
    where = repr(path) if path else "the object"
    return TypeError(f"save: {where} is of type {type(value).__name__}, {why}")


class _Decoder:
    """Makes objects from what the encoder wrote."""

    def __init__(self, archive: Any) -> None:
        self._archive = archive
        self._arrays: dict[str, np.ndarray] = {}
        self._tensors: dict[tuple, Tensor] = {}

    def decode(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.decode(n) for n in node]
        if not isinstance(node, dict):
            return node
        kind, content = next(iter(node.items()))
        if kind == "tensor":
            return self._tensor(content, node)
        if kind in DICTS:
            return DICTS[kind]([(self.decode(k), self.decode(v)) for k, v in content])
        if kind in SEQUENCES:
            return SEQUENCES[kind](self.decode(content))
        if kind == "namedtuple":
            # rename: one that was made so has fields such as _1
            kind_of: Any = namedtuple(content, node["fields"], rename=True)  # type: ignore[misc]
            return kind_of(*self.decode(node["items"]))
        if kind == "dtype":
            return dtypes.of(np.dtype(content))
        if kind == "scalar":
            return self.array(content)[()]
        others: dict[str, Any] = {"array": self.array, "float": float, "device": device}
        return others[kind](content)

    def array(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            content = io.BytesIO(self._archive.read(f"{name}.npy"))  # whole, and its CRC checked
            self._arrays[name] = npy.read_array(content, allow_pickle=False)
        return self._arrays[name]

    def _tensor(self, name: str, node: dict[str, Any]) -> Tensor:
        kind, requires_grad = node.get("class", "Tensor"), node.get("requires_grad", False)
        key = name, kind, requires_grad
        if key not in self._tensors:
            cls = getattr(importlib.import_module(CLASSES[kind]), kind)
            attributes = self.decode(node.get("attributes", {"dict": []}))
            self._tensors[key] = rebuild(cls, self.array(name), requires_grad, None, attributes)
        return self._tensors[key]

    def plain(self, entry: str) -> Any:
        """An entry of another .npz file, as a Tensor if there is one of its dtype; or bytes."""
        if not entry.endswith(".npy"):
            return self._archive.read(entry)
        try:
            array = self.array(entry.removesuffix(".npy"))
        except ValueError as error:
            if "Object arrays" in str(error):
                raise _Refused(f"holds pickled objects, in {entry}; save them otherwise") from None
            raise
        return _as_tensor(array)


def _as_tensor(array: np.ndarray) -> Any:
    try:
        dtypes.of(array.dtype.newbyteorder("="))
    except TypeError:
        return array
    return rebuild(Tensor, array, False, None, {})


def _module(name: str) -> Any:
    """json and zipfile, which would take 10 ms at import."""
    return importlib.import_module(name)


# Files


def _name(f: Any) -> str:
    f = getattr(f, "name", f)
    return os.fsdecode(f) if isinstance(f, (bytes, os.PathLike)) else str(f)


@contextmanager
def _writing(f: Place) -> Iterator[BinaryIO]:
    """The file to write to: for a path a new one beside it, which takes its place at the end."""
    if hasattr(f, "write"):
        yield f  # type: ignore[misc]
        return
    path = os.path.realpath(os.fsdecode(f))  # a link goes on showing the file
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"save: there is no folder {folder!r}")
    old = os.stat(path) if os.path.exists(path) else None
    if old and not os.access(path, os.W_OK):
        raise PermissionError(f"save: {path!r} is write-protected")
    if old and not stat.S_ISREG(old.st_mode):  # a device or a pipe stays one
        yield (buffer := io.BytesIO())  # they cannot seek, as zipfile does
        with open(path, "wb") as file:
            file.write(buffer.getbuffer())
        return
    beside = os.path.join(folder, f".tapegrad-{os.urandom(8).hex()}.tmp")
    try:
        with open(beside, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if old:
            os.chmod(beside, stat.S_IMODE(old.st_mode))
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.remove(beside)
        raise


# Safetensors

STORED = dict(
    zip(
        "BOOL U8 I8 U16 I16 U32 I32 U64 I64 BF16 F16 F32 F64 C64".split(),
        "?   u1 i1  <u2 <i2 <u4 <i4 <u8 <i8 <u2  <f2 <f4 <f8 <c8".split(),
        strict=True,
    )
)
"""NumPy's dtypes for those of the format; bfloat16 is the first half of a float32."""

CHECKSUM = "tapegrad.crc32"
"""The name of the checksum in the metadata."""


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            ".safetensors files need safetensors, which is not installed: "
            "pip install 'tapegrad[safetensors]'"
        ) from error
    return safetensors


def _flat(obj: Any) -> dict[str, np.ndarray]:
    """The arrays of a dict of tensors, in order in memory, as the format has them."""
    if not isinstance(obj, Mapping):
        raise _refusal("", obj, "but a .safetensors file holds a dict of tensors")
    flat = {}
    for key, value in obj.items():
        array = value._array if isinstance(value, Tensor) else value
        if not isinstance(key, str) or type(array) is not np.ndarray:
            why = "but a .safetensors file holds tensors by strings alone; use .npz"
            raise _refusal(_below("", key), value, why)
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise _refusal(_below("", key), value, f"of {array.dtype}, which .safetensors lacks")
        flat[key] = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
    return flat


def _checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """Of names, dtypes, shapes and elements, in whatever order they lie in the file."""
    crc32, total = _module("zlib").crc32, 0
    for name, array in sorted(arrays.items()):
        total = crc32(f"{name} {array.dtype.str} {array.shape} ".encode(), total)
        total = crc32(array.reshape(-1).view(np.uint8), total)
    return f"{total:08x}"


def _read_safetensors(content: bytes, name: str) -> dict[str, Any]:
    library = _safetensors()
    try:
        entries = library.deserialize(content)
    except library.SafetensorError as error:
        raise RuntimeError(
            f"load: {name} is no .safetensors file, damaged, or was cut off ({error})"
        ) from None
    arrays = {}
    for key, entry in entries:
        if entry["dtype"] not in STORED:
            raise RuntimeError(
                f"load: {name} holds {key!r} of {entry['dtype']}, for which NumPy has no dtype; "
                "convert it first"
            )
        array = np.frombuffer(entry["data"], STORED[entry["dtype"]])
        arrays[key] = array.reshape(entry["shape"])
    size = int.from_bytes(content[:8], "little")
    metadata = _module("json").loads(content[8 : 8 + size]).get("__metadata__", {})
    if metadata.get(CHECKSUM) not in (None, _checksum(arrays)):
        raise RuntimeError(
            f"load: {name} is damaged: its elements do not fit the checksum {CHECKSUM!r}, unless "
            "another program changed them and kept it; use another copy, or remove it"
        )
    for key, entry in entries:
        if entry["dtype"] == "BF16":
            arrays[key] = (arrays[key].astype(np.uint32) << 16).view(np.float32)
    return {key: _as_tensor(x if x.flags.writeable else x.copy()) for key, x in arrays.items()}

"""Saving and loading: all comes back, or the error says why, and no file is ever half new."""

import contextlib
import io
import itertools
import os
import pickle
import random
import re
import signal
import stat
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
import nn
import optim
from autodiff import Tensor, load, save, tensor
from autodiff.testing.strategies import LAYOUTS

Point = namedtuple("Point", "x y")


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    save(value, buffer)
    return buffer.getvalue()


def again(value: Any) -> Any:
    return load(io.BytesIO(saved(value)))


def assert_same(found: Any, expected: Any) -> None:
    """Equal in value, type, dtype and all that a checkpoint keeps."""
    assert type(found) is type(expected) or isinstance(expected, Point)
    if isinstance(expected, Tensor):
        assert found.requires_grad == expected.requires_grad
        found, expected = found.detach().numpy(), expected.detach().numpy()
    if isinstance(expected, (np.ndarray, np.generic)):
        np.testing.assert_array_equal(found, expected, strict=True)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        assert list(map(type, found)) == list(map(type, expected))
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)
    else:
        assert found == expected or (found != found and expected != expected)


SHAPED = [(), (0,), (1,), (3,), (0, 2), (2, 3), (2, 1, 4)]
DTYPES = ["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPED, ids=str)
def test_tensors_of_every_dtype_and_shape_come_back(dtype: str, shape: tuple[int, ...]):
    x = autodiff.from_numpy(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype))
    assert_same(again(x), x)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_layout_in_memory_does_not_matter(layout: Callable[[np.ndarray], np.ndarray]):
    array = layout(np.arange(12.0).reshape(3, 4))
    assert_same(again(array), array)
    assert_same(again(autodiff.from_numpy(array)), tensor(array))


def test_special_values_keep_their_bits():
    values = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1.7976931348623157e308]
    found = again({"x": tensor(values, dtype=autodiff.float64), "list": values})
    assert found["x"].numpy().tobytes() == np.array(values).tobytes()
    assert np.array(found["list"]).tobytes() == np.array(values).tobytes()


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -1, 2**100, 0.1, "", "é ≠ \0 \ud800 'quoted'", [], {}, (), [[[]]]),
        {0: "a", "0": "b", True + 1: 3, None: 4, 1.5: 5, (1, ("x", None)): 6},
        OrderedDict([("z", 1), ("a", OrderedDict())]),
        [autodiff.float32, autodiff.bool, autodiff.int64, autodiff.Size([2, 3]), autodiff.Size()],
        [autodiff.device("cpu"), autodiff.device("cpu", 0)],
        [np.float32(0.1), np.int64(3), np.bool_(True), np.float64(2.0), np.str_("text")],
        [np.array("text"), np.array(["a", "bc"]), np.array([1 + 2j]), np.array([], ">i2")],
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        {"tensor": 1, "dict": {"array": "x"}, "structure.json": tensor(1.0)},
        {"a": {"b": tensor(1.0)}, "a.b": tensor(2.0), "a/b": tensor(3.0), "a\\b": tensor(4.0)},
        {"x" * 1000 + str(i): tensor(i) for i in range(3)},
        {"": tensor(1.0), ".": tensor(2.0), "../../x": tensor(3.0), "file": tensor(4.0)},
        {0: tensor(1), "0": tensor(2)},
        Point([1.0, tensor(2.0)], None),
    ],
    ids=lambda v: f"{type(v).__name__} {v!r:.30}",
)
def test_values_and_containers_come_back(value: Any):
    assert_same(again(value), value)


def test_a_named_tuple_has_its_name_and_fields_again():
    found = again(autodiff.sort(tensor([2.0, 1.0])))
    assert type(found).__name__ == "ValuesAndIndices"
    assert found.values.tolist() == [1.0, 2.0]
    assert found.indices.tolist() == [1, 0]


NUMBERS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ARRAYS = st.builds(
    lambda shape, dtype: np.ones(shape, dtype), st.sampled_from(SHAPED), st.sampled_from(DTYPES)
)
VALUES = st.recursive(
    NUMBERS | ARRAYS | ARRAYS.map(autodiff.from_numpy),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_whatever_is_saved_comes_back(value: Any):
    assert_same(again(value), value)


# Tensors: what is kept


def test_requires_grad_and_the_class_are_kept_and_the_graph_is_not():
    w = tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    w.note = {"text": ["a"]}
    found = again({"w": w, "y": w * 2, "p": nn.Parameter(tensor(1.0)), "d": w.detach()})
    assert [x.requires_grad for x in found.values()] == [True, True, True, False]
    assert found["y"].is_leaf
    assert found["w"].grad is None
    assert found["w"].note == {"text": ["a"]}
    assert type(found["p"]) is nn.Parameter
    (found["p"] * 2).backward()
    assert found["p"].grad.item() == 2.0


def test_parameters_and_buffers_keep_what_modules_need():
    frozen = nn.Parameter(tensor([1, 2]), requires_grad=False)
    buffer = nn.Buffer(tensor([1.0]), persistent=False)
    frozen_again, buffer_again = again([frozen, buffer])
    assert type(frozen_again) is nn.Parameter
    assert not frozen_again.requires_grad
    assert type(buffer_again) is nn.Buffer
    assert not buffer_again.persistent


def test_the_same_tensor_comes_back_as_the_same_tensor():
    x = tensor([1.0, 2.0])
    found = again({"a": x, "b": [x], "c": x.detach(), "d": x.numpy(), "other": x.clone()})
    assert found["a"] is found["b"][0] is found["c"]
    assert np.shares_memory(found["a"].numpy(), found["d"])
    assert not np.shares_memory(found["a"].numpy(), found["other"].numpy())


def test_tied_weights_are_saved_once():
    a, b = nn.Linear(30, 30), nn.Linear(30, 30)
    net = nn.Sequential(a, b)
    untied = len(saved(net.state_dict()))
    b.weight = a.weight
    content = saved(net.state_dict())
    assert len(content) < untied - 3000
    state = load(io.BytesIO(content))
    assert state["0.weight"] is state["1.weight"]


def test_a_view_is_saved_as_its_own_elements():
    row = autodiff.zeros(1000, 100)[3]
    assert len(saved(row)) < 2000
    assert_same(again(row), row.clone())
    assert_same(again(tensor(1.0).expand(2, 3)), autodiff.ones(2, 3))
    again(tensor(1.0).expand(2, 3)).add_(1)


def test_what_is_loaded_can_be_written_to():
    for x in (again(tensor([1.0])), again({"x": tensor(1.0).expand(3)})["x"]):
        x += 1
        assert x.tolist() == [2.0] * len(x)


def test_training_goes_on_where_it_was_saved(tmp_path: Path):
    def start():
        autodiff.manual_seed(1)
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        return net, optim.Adam(net.parameters(), lr=0.1)

    def train(net, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            net(autodiff.ones(5, 3)).square().mean().backward()
            optimizer.step()

    net, optimizer = start()
    train(net, optimizer, 3)
    path = tmp_path / "step3.npz"
    save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "step": 3}, path)
    train(net, optimizer, 3)

    other, other_optimizer = start()
    state = load(path)
    other.load_state_dict(state["net"])
    other_optimizer.load_state_dict(state["optimizer"])
    assert state["step"] == 3
    train(other, other_optimizer, 3)
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        assert p.tolist() == q.tolist()


def test_numpy_reads_what_is_saved_and_what_numpy_saves_is_read(tmp_path: Path):
    path = tmp_path / "x.npz"
    save({"fc.weight": autodiff.ones(2, 3), "fc.bias": autodiff.zeros(2)}, path)
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["fc.weight"].tolist() == [[1.0] * 3] * 2
        assert set(arrays.files) == {"fc.weight", "fc.bias", "structure.json"}
    swapped = np.arange(3, dtype=">f4")
    np.savez_compressed(path, a=np.ones((2, 2)), b=np.arange(3), c=swapped, names=np.array(["x"]))
    found = load(path)
    assert [type(x) for x in found.values()] == [Tensor, Tensor, Tensor, np.ndarray]
    assert (found["a"].dtype, found["b"].dtype) == (autodiff.float64, autodiff.int64)
    assert (found["c"] + 1).tolist() == [1.0, 2.0, 3.0]
    np.savez(path)
    assert load(path) == {}


# Refusals


class Whatever:
    pass


class Tagged(Tensor):
    pass


def recursive() -> list:
    value: list = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: {"model": {"layers": [Whatever()]}}, r"'model.layers.0' is of type Whatever"),
        (lambda: {3: {"x": {1, 2}}}, r"'3.x' is of type set"),
        (lambda: {"net": nn.Linear(1, 1)}, r"'net' is of type Linear.*state_dict\(\)"),
        (lambda: Whatever(), r"the object is of type Whatever"),
        (lambda: [len], r"'0' is of type builtin_function"),
        (lambda: {"a": np.array([None])}, r"'a' is of type ndarray, of Python objects"),
        (lambda: {"a": np.ma.masked_array([1.0])}, r"'a' is of type MaskedArray"),
        (lambda: {"a": tensor([1.0]).as_subclass(Tagged)}, r"'a' is of type Tagged"),
        (lambda: {"a": Counter("abc")}, r"'a' is of type Counter"),
        (lambda: {Whatever: 1}, r"Whatever'>. is of type type"),
        (lambda: {"a": 1j}, r"'a' is of type complex"),
        (lambda: {"a": b"bytes"}, r"'a' is of type bytes"),
        (recursive, "hold themselves"),
    ],
)
def test_what_cannot_be_saved_is_named_before_anything_is_written(tmp_path, value, message):
    path = tmp_path / "x.npz"
    path.write_bytes(b"old")
    with pytest.raises((TypeError, ValueError), match=message):
        save(value(), path)
    assert path.read_bytes() == b"old"
    buffer = io.BytesIO()
    with pytest.raises((TypeError, ValueError), match=message):
        save(value(), buffer)
    assert buffer.getvalue() == b""
    assert os.listdir(tmp_path) == ["x.npz"]


def test_load_takes_the_arguments_of_pytorch_that_make_sense():
    content = saved(tensor(1.0))
    for place in (None, "cpu", autodiff.device("cpu"), {"cuda:0": "cpu"}, lambda s, where: s):
        for options in ({}, {"weights_only": False}, {"mmap": True}):
            assert load(io.BytesIO(content), place, **options).item() == 1.0
    for place in ("cuda", {"cpu": "cuda:1"}):
        with pytest.raises(RuntimeError, match="CPU"):
            load(io.BytesIO(content), map_location=place)
    with pytest.raises(ValueError, match="safetensors"):
        save({}, io.BytesIO(), metadata={"a": "b"})


class Bomb:
    def __reduce__(self):
        return os.abort, ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello", "of no kind that load"),
        (pickle.dumps(Bomb()), "is a pickle"),
        (b"\x93NUMPY\x01\x00", "is one array, written by np.save"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"\x1f\x8b\x08", "gzip"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "file.pt"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=f"file.pt.*{message}"):
        load(path)


def zipped(entries: dict[str, Any]) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    buffer.seek(0)
    return buffer


def test_foreign_zip_files_are_named():
    for entries, message in (
        ({"archive/data.pkl": pickle.dumps(Bomb())}, "torch.save"),
        ({"readme.txt": "x"}, "without arrays"),
        ({"structure.json": '{"version": 99, "object": null}'}, "newer version"),
        ({"structure.json": "{"}, "damaged"),
        ({"structure.json": "[]"}, "damaged"),
        ({"structure.json": '{"version": 1, "object": {"tensor": "x"}}'}, "damaged"),
        ({"structure.json": '{"version": 1, "object": {"eval": "x"}}'}, "damaged"),
        ({"structure.json": '{"version": 1, "object": {}}'}, "damaged"),
    ):
        with pytest.raises(RuntimeError, match=message):
            load(zipped(entries))


def test_pickles_inside_of_a_npz_file_are_not_read(tmp_path: Path):
    path = tmp_path / "objects.npz"
    np.savez(path, a=np.array([Bomb()], object))
    with pytest.raises(RuntimeError, match=r"pickled objects, in a\.npy"):
        load(path)


def test_files_of_pytorch_are_named(tmp_path: Path, torch: ModuleType):
    for new in (True, False):
        torch.save({"a": torch.ones(2)}, tmp_path / "x.pt", _use_new_zipfile_serialization=new)
        with pytest.raises(RuntimeError, match=r"pickle, which could run any code|is a pickle"):
            load(tmp_path / "x.pt")


def test_a_file_that_is_not_there_is_python_s_own_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.npz")
    with pytest.raises(FileNotFoundError, match="no folder"):
        save(1, tmp_path / "missing" / "x.npz")


DAMAGED = {"weights": tensor([[1.0, 2.0], [3.0, 4.0]]), "step": 7, "names": ["a", "b"]}


def test_a_file_cut_off_anywhere_is_refused():
    content = saved(DAMAGED)
    for n in range(1, len(content)):
        with pytest.raises(RuntimeError, match=r"damaged|of no kind|safetensors"):
            load(io.BytesIO(content[:n]))


def test_no_changed_byte_changes_what_is_loaded():
    content = saved(DAMAGED)
    for i, bits in itertools.product(range(len(content)), (0x01, 0xFF)):
        changed = bytearray(content)
        changed[i] ^= bits
        with contextlib.suppress(RuntimeError):
            assert_same(load(io.BytesIO(changed)), DAMAGED)


def damages(content: bytes, count: int) -> Iterator[bytes]:
    """Copies of a file with bits flipped, parts lost, zeroed, put in or exchanged."""
    rng = random.Random(0)
    for i in range(count):
        data, at, other = bytearray(content), rng.randrange(len(content)), rng.randrange(10**9)
        length = rng.choice([1, 8, 64, 512])
        match i % 6:
            case 0:
                data[at] ^= 1 << other % 8
            case 1:
                del data[at:]
            case 2:
                data[at : at + length] = bytes(len(data[at : at + length]))
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = rng.randbytes(length)
            case 5:
                other %= len(data)
                data[at : at + 64], data[other : other + 64] = (
                    data[other : other + 64],
                    data[at : at + 64],
                )
        yield bytes(data)


def test_damage_of_any_kind_to_the_state_of_a_training_run_is_an_error_or_harmless():
    net = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 3))
    optimizer = optim.Adam(net.parameters())
    net(autodiff.ones(2, 20)).square().sum().backward()
    optimizer.step()
    value = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "step": 1}
    errors = 0
    for damaged in damages(saved(value), 240):
        try:
            found = load(io.BytesIO(damaged))
        except RuntimeError as error:
            errors += 1
            assert re.search("damaged|of no kind|empty|without arrays|safetensors", str(error))
        else:
            assert_same(found, value)
    assert errors > 180


# Files: the old one or the new one


class Full(io.BytesIO):
    """A disk that is full after `room` bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Any) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_is_an_error_wherever_it_is_full():
    content = saved(DAMAGED)
    for room in range(0, len(content), 7):
        with pytest.raises(OSError, match="No space left"):
            save(DAMAGED, Full(room))


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch):
    path = tmp_path / "x.npz"
    save({"old": 1}, path)
    for target in ("os.fsync", "os.replace", "numpy.lib.format.write_array"):
        with monkeypatch.context() as patched:

            def full(*_: Any, **__: Any) -> None:
                raise OSError(28, "No space left on device")

            patched.setattr(target, full)
            with pytest.raises(OSError, match="No space left"):
                save({"new": tensor(2.0)}, path)
        assert load(path) == {"old": 1}
        assert os.listdir(tmp_path) == ["x.npz"]


def test_an_interrupt_leaves_the_old_file(tmp_path: Path, monkeypatch):
    path = tmp_path / "x.npz"
    save("old", path)

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save("new", path)
    monkeypatch.undo()
    assert load(path) == "old"
    assert os.listdir(tmp_path) == ["x.npz"]


SAVING = """
import sys, autodiff
value = {"n": autodiff.tensor(0), "x": autodiff.zeros(1000, 1000)}
while True:
    value = {"n": value["n"] + 1, "x": value["x"] + 1}
    autodiff.save(value, sys.argv[1])
    print(value["n"].item(), flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
@pytest.mark.parametrize("delay", [0.0, 0.001, 0.004, 0.02])
def test_a_process_killed_while_it_saves_leaves_a_whole_file(
    tmp_path: Path, delay: float, ending: str
):
    if ending == ".safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / f"x{ending}"
    with subprocess.Popen(
        [sys.executable, "-c", SAVING, path], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(3):
            last = int(process.stdout.readline())
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        process.send_signal(signal.SIGKILL)
    value = load(path)
    assert value["n"].item() >= last
    assert value["x"].eq(value["n"]).all()


def test_a_process_killed_in_the_middle_of_writing_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "x.npz"
    save("old", path)
    program = (
        "import os, sys, autodiff, numpy.lib.format as f\n"
        "def write_array(file, *_, **__): file.write(b'half'); file.flush(); os._exit(9)\n"
        "f.write_array = write_array\n"
        "autodiff.save(autodiff.ones(3), sys.argv[1])\n"
    )
    assert subprocess.run([sys.executable, "-c", program, path]).returncode == 9
    assert load(path) == "old"


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_permissions_and_links_stay(tmp_path: Path):
    path, link = tmp_path / "x.npz", tmp_path / "link.npz"
    before = os.umask(0o027)
    try:
        save(1, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    link.symlink_to(path)
    save(2, link)
    assert link.is_symlink()
    assert load(path) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    save(3, Path(os.devnull))
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(IsADirectoryError):
        save(4, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["link.npz", "x.npz"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anything")
def test_a_write_protected_file_stays(tmp_path: Path):
    path = tmp_path / "x.npz"
    save(1, path)
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="write-protected"):
        save(2, path)
    assert load(path) == 1


def test_paths_and_open_files_of_all_kinds_are_taken(tmp_path: Path):
    path = tmp_path / "x.npz"
    for place in (path, str(path), os.fsencode(path)):
        save("value", place)
        assert load(place) == "value"
    with open(path, "w+b") as file:
        save(tensor([1.0]), file)
        file.seek(0)
        assert load(file).tolist() == [1.0]


def test_importing_autodiff_imports_neither_json_nor_zipfile():
    program = (
        "import sys, autodiff; print(*{'json', 'zipfile', 'tempfile', 'nn'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.stdout.split(), run.stderr) == ([], "")


# Safetensors


@pytest.fixture
def safetensors() -> ModuleType:
    return pytest.importorskip("safetensors")


def test_safetensors_files_come_back(tmp_path: Path, safetensors: ModuleType):
    path = tmp_path / "x.safetensors"
    values = {d: autodiff.arange(6).reshape(2, 3).to(getattr(autodiff, d)) for d in DTYPES}
    values |= {"0-d": tensor(1.5), "empty": autodiff.zeros(0, 3), "p": nn.Linear(2, 2).weight}
    save(values, path, metadata={"format": "pt"})
    found = load(path)
    assert_same(
        dict(sorted(found.items())), dict(sorted((k, v.detach()) for k, v in values.items()))
    )
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata().keys() == {"format", "tapegrad.crc32"}
        assert file.metadata()["format"] == "pt"
    found["0-d"] += 1
    with open(path, "rb") as file:
        assert_same(load(io.BytesIO(file.read()))["p"], values["p"].detach())
    save({}, path)
    assert load(path) == {}


def test_strided_arrays_are_stored_right_in_safetensors(tmp_path: Path, safetensors: ModuleType):
    path = tmp_path / "x.safetensors"
    x = autodiff.arange(12.0).reshape(3, 4)
    values = {"T": x.T, "step": x[::2, 1:3], "flipped": x.detach().numpy()[::-1], "row": x[1]}
    values["expanded"] = tensor(3.0).expand(2, 2)
    save(values, path)
    for name, found in load(path).items():
        assert found.tolist() == values[name].tolist()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([tensor(1.0)], "the object is of type list"),
        ({"a": {"b": tensor(1.0)}}, "'a' is of type dict.*npz"),
        ({"a": 1.0}, "'a' is of type float"),
        ({0: tensor(1.0)}, "'0' is of type Tensor.*strings"),
        ({"a": np.array(["x"])}, "'a' is of type ndarray, of <U1"),
    ],
)
def test_what_safetensors_cannot_hold_is_named(tmp_path, safetensors, value, message):
    with pytest.raises(TypeError, match=message):
        save(value, tmp_path / "x.safetensors")
    assert os.listdir(tmp_path) == []


def test_damaged_safetensors_files_are_refused(tmp_path: Path, safetensors: ModuleType):
    path = tmp_path / "x.safetensors"
    save({"a": autodiff.ones(3)}, path)
    content = path.read_bytes()
    for damaged in (b"", content[:4], content[:-1], content[:30], b"x" + content, content + b"x"):
        path.write_bytes(damaged)
        with pytest.raises(RuntimeError, match=r"x\.safetensors is no \.safetensors file"):
            load(path)


def test_no_changed_bit_changes_what_is_loaded_from_safetensors(tmp_path: Path, safetensors):
    path = tmp_path / "x.safetensors"
    value = {"a": autodiff.arange(6.0).reshape(2, 3), "b": tensor([True, False])}
    save(value, path)
    content = path.read_bytes()
    for i, bit in itertools.product(range(len(content)), range(8)):
        changed = bytearray(content)
        changed[i] ^= 1 << bit
        with contextlib.suppress(RuntimeError):
            found = load(io.BytesIO(changed))
            assert_same(dict(sorted(found.items())), value)


def test_a_checksum_that_does_not_fit_is_named_and_one_that_is_not_there_not_missed(
    tmp_path: Path, safetensors
):
    files = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    files.save_file({"a": np.ones(3)}, path, {"tapegrad.crc32": "00000000"})
    with pytest.raises(RuntimeError, match=r"x\.safetensors is damaged.*checksum"):
        load(path)
    files.save_file({"a": np.ones(3)}, path)
    assert load(path)["a"].tolist() == [1.0] * 3


def test_safetensors_go_to_pytorch_and_back(tmp_path: Path, safetensors, torch: ModuleType):
    files = pytest.importorskip("safetensors.torch")
    path = tmp_path / "x.safetensors"
    net, other = nn.Linear(3, 2), torch.nn.Linear(3, 2)
    save(net.state_dict(), path)
    other.load_state_dict(files.load_file(path))
    assert other.weight.tolist() == net.weight.tolist()

    values = torch.tensor([1.0, -2.5, 3.140625, float("inf"), 1e-38])
    files.save_file({**other.state_dict(), "bf16": values.bfloat16(), "h": values.half()}, path)
    found = load(path)
    assert found["bf16"].dtype == autodiff.float32
    assert found["bf16"].tolist() == values.bfloat16().float().tolist()
    assert found["h"].tolist() == values.half().tolist()
    assert found["bias"].tolist() == net.bias.tolist()
    files.save_file({"f8": values.to(torch.float8_e5m2)}, path)
    with pytest.raises(RuntimeError, match="'f8' of F8_E5M2"):
        load(path)


def test_without_safetensors_the_error_names_the_extra(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"pip install 'tapegrad\[safetensors\]'"):
        save({}, tmp_path / "x.safetensors")


# Compiled steps


def test_saving_cannot_be_recorded(tmp_path: Path):
    def step(x):
        save(x, tmp_path / "x.npz")
        return x * 2

    with pytest.raises(Exception, match=r"save\(\) cannot be recorded"):
        autodiff.compile(step, fullgraph=True)(tensor(1.0))

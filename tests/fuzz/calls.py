"""Calls with arguments drawn at random, and what is found out about each.

    python -m tests.fuzz.calls SEED CALLS LOG NAMESPACE...

prints a line of JSON for each finding: a hang, a change of an argument or of a mode, an error that
says nothing. LOG is a file that holds the call that is made, for when it ends the process.

A call that succeeded is repeated with one argument wrong, so that errors are met deep inside too.
The process gets limits of memory and time.
"""

import faulthandler
import gc
import inspect
import json
import os
import re
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np

import autodiff
import nn
import optim
from autodiff import Tensor
from autodiff.tape import modes
from tests.fuzz import values
from tests.fuzz.targets import EXAMPLES, targets

Arguments = list[tuple[str | None, str]]
"""Of each argument the keyword, if any, and the name of its value."""

SECONDS = 5
BYTES = 3 << 30
ROOT = __file__.removesuffix("tests/fuzz/calls.py")
OURS = "autodiff/", "nn/", "optim/"

KINDS: dict[str, values.Made] = {
    "Tensor": values.TENSORS,
    "Iterable": values.TENSOR_LISTS,
    "Sequence": values.SEQUENCES | values.TENSOR_LISTS,
    "tuple": values.SEQUENCES,
    "int": values.INTEGERS,
    "float": values.FLOATS,
    "bool": values.FLAGS,
    "str": values.TEXTS,
    "Callable": values.FUNCTIONS,
    "Module": values.MODULES,
    "dtype": values.OBJECTS,
    "Generator": values.OBJECTS,
    "Optimizer": values.OBJECTS,
}
NAMED: dict[str, values.Made] = {
    **dict.fromkeys(["input", "other", "x", "self", "target", "tensor"], values.TENSORS),
    **dict.fromkeys(["dim", "axis", "n", "k"], values.INTEGERS | values.SEQUENCES),
    **dict.fromkeys(["params", "parameters", "tensors"], values.TENSOR_LISTS),
    **dict.fromkeys(["func", "function", "fn"], values.FUNCTIONS),
}


# Drawing calls


def likely(parameter: inspect.Parameter) -> values.Made:
    """The values that are of the kind a parameter takes."""
    annotation = str(parameter.annotation)
    found: values.Made = {}
    for word, made in KINDS.items():
        if re.search(rf"\b{word}\b", annotation):
            found = found | made
    return found or NAMED.get(parameter.name, values.ALL)


def parameters_of(function: Callable) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def drawn(parameters: list[inspect.Parameter], rng: Random) -> Arguments:
    """Arguments of the right kind mostly."""
    found: Arguments = []
    positional = True
    for parameter in parameters:
        pool = likely(parameter) if rng.random() < 0.9 else values.ALL
        if parameter.kind is parameter.VAR_POSITIONAL:
            found += [(None, rng.choice(list(pool))) for _ in range(rng.randrange(4))]
        elif parameter.kind is parameter.VAR_KEYWORD:
            continue
        elif parameter.default is parameter.empty or rng.random() < 0.25:
            keyword = parameter.kind is parameter.KEYWORD_ONLY or not positional
            found.append((parameter.name if keyword else None, rng.choice(list(pool))))
        else:
            positional = False
    return found


def spoiled(arguments: Arguments, parameters: list[inspect.Parameter], rng: Random) -> Arguments:
    """The arguments with one wrong, or one more, or one less."""
    found = list(arguments)
    choice = rng.random()
    if found and choice < 0.8:
        i = rng.randrange(len(found))
        found[i] = found[i][0], rng.choice(list(values.ALL))
    elif found and choice < 0.85:
        del found[rng.randrange(len(found))]
    elif choice < 0.9 and not any(keyword for keyword, _ in found):
        found.append((None, rng.choice(list(values.ALL))))
    elif parameters:
        name = rng.choice(parameters).name if choice < 0.98 else "nonsense"
        if name not in [keyword for keyword, _ in found]:
            found.append((name, rng.choice(list(values.ALL))))
    return found


# What must not change


def state(value: Any, depth: int = 0) -> Any:
    """All of an argument that a call could change."""
    if depth > 8:
        return "deeper"
    if value is None or isinstance(value, (int, str, float, type)):
        return repr(value)
    if isinstance(value, Tensor):
        array = value._array
        return (
            *(type(value).__name__, id(array), array.shape, array.dtype.str, array.tobytes()),
            *(value.requires_grad, id(value.grad_fn) if value.grad_fn is not None else None),
            *(value._version, state(value.grad, depth + 1)),
        )
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, None if value.dtype.hasobject else value.tobytes()
    if isinstance(value, dict):
        return [(state(k, depth + 1), state(v, depth + 1)) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return [state(v, depth + 1) for v in value]
    if isinstance(value, nn.Module):
        tensors = [*value.named_parameters(), *value.named_buffers()]
        flags = [(name, m.training, sorted(vars(m))) for name, m in value.named_modules()]
        return state(tensors, depth + 1), flags
    if isinstance(value, optim.Optimizer):
        return state(value.param_groups, depth + 1)
    if isinstance(value, optim.lr_scheduler.LRScheduler):
        return state([value.state_dict(), value.optimizer], depth + 1)
    if isinstance(value, nn.utils.rnn.PackedSequence):
        return state(tuple(value), depth + 1)
    if callable(value) and hasattr(value, "__self__"):
        return state(value.__self__, depth + 1)
    return id(value)


def shared_state() -> dict[str, Any]:
    """What belongs to the process or the thread."""
    return {
        "the modes": modes.flags,
        "the default dtype": autodiff.get_default_dtype(),
        "the number of threads": autodiff.get_num_threads(),
        "NumPy's treatment of errors": np.geterr(),
        "NumPy's print options": str(np.get_printoptions()),
        "the filters of warnings": len(warnings.filters),
        "the garbage collector": gc.isenabled(),
        "the limit of recursion": sys.getrecursionlimit(),
        "the folder": sorted(os.listdir()),
    }


def restore() -> None:
    modes.flags = START[0]
    autodiff.set_default_dtype(autodiff.float32)
    autodiff.set_num_threads(START[1])
    autodiff.set_printoptions(profile="default")
    for name in os.listdir():
        os.remove(name)


START = modes.flags, autodiff.get_num_threads()

SETTERS = re.compile(r"\.(set_\w+|save|manual_seed)$")
"""What changes the process if it succeeds."""

WRITING = re.compile(
    r"\.(set_\w+|load_state_dict|\w+_|__i\w+__|__setitem__|backward|asarray|step|checkpoint\w*|functional_call)$"
)
"""What changes its arguments if it succeeds; not all that does so in nn, optim and methods."""

KEPT = re.compile(
    r"LBFGS\.step|lr_scheduler\.\w+LR(\(\)\.step)?$|SWALR$|ParametrizationList$"
    r"|(append|extend|insert|__iadd__|\w+)\(\)$"
)
"""What may leave something behind after an error, as in PyTorch.

A line search whose closure fails; a schedule that cannot begin; a model in whose first layers
running statistics have moved when a later one fails.
"""

SLOW = re.compile(
    r"^nn\.(RNN|LSTM|GRU|Transformer\w*)$|polygamma|tensor_split|spectral_norm|tri[lu]_indices"
)
"""What makes as many layers, orders, parts, iterations or indices as it is asked for."""

HUGE = ("2**31", "2**63", "10**30", "2**5000", "(2**40, 2**40)")


# Judging errors

FROM_INSIDE = re.compile(
    r"has no attribute|^(list|tuple) index out of range|^pop from|^$"
    r"|^maximum recursion|^(too many|not enough) values|^inhomogeneous|^zip\(\) arg"
)
"""What Python says inside of a function that did not look at its argument."""

EXPECTED = (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError)
EXPECTED += (NotImplementedError, MemoryError, OverflowError, ArithmeticError, OSError, BufferError)
UNEXPECTED = (RecursionError, UnboundLocalError, NameError, ZeroDivisionError, UnicodeError)


class TimeLimit(BaseException):
    """The call took too long."""


NATURAL = re.compile(
    r"deepcopy|__array_\w+__|Size\.__|named_modules|(Module\w*|Parameter\w+)\.apply|avg_fn"
)
"""Where Python's own message is the plain one: protocols, and functions of the caller's own."""

UNCHECKED = (
    *("nn/functional/activation.py", "nn/functional/normalization.py", "nn/recurrent.py"),
    *("autodiff/ops/", "nn/convolution.py", "nn/embedding.py", "optim/optimizer.py"),
)
"""Where attributes of what is no tensor are asked for, which Python's AttributeError tells."""


def fault(error: BaseException, call: str) -> str | None:
    """What is wrong with an error, None if nothing is."""
    if isinstance(error, TimeLimit):
        return "hang"
    if "holding itself" in call and isinstance(error, RecursionError):
        return None
    if not isinstance(error, EXPECTED) or isinstance(error, UNEXPECTED):
        return "type of error"
    frames = traceback.extract_tb(error.__traceback__)
    places = [frame.filename.removeprefix(ROOT) for frame in frames]
    if not places[-1].startswith(OURS) or NATURAL.search(call):
        return None
    if any(place.startswith(UNCHECKED) for place in places):
        return None
    return "message" if FROM_INSIDE.search(str(error)) else None


# Calling


def calls_of(
    function: Callable, name: str, arguments: Arguments, rng: Random
) -> Iterator[tuple[str, Callable, list, dict]]:
    """The call, and then calls of what it gave, if that is a function or a module or the like."""
    if _is_factory(function):
        function = function()
    args = [values.ALL[key]() for keyword, key in arguments if keyword is None]
    options = {keyword: values.ALL[key]() for keyword, key in arguments if keyword is not None}
    result = yield name, function, args, options
    for _ in range(2):
        if isinstance(result, (Tensor, type, np.generic)) or result is None:
            return
        if isinstance(result, (optim.Optimizer, optim.lr_scheduler.LRScheduler)):
            yield f"{name}().step", result.step, [], {}
        elif callable(result):
            keys = rng.choices(list(values.TENSORS), k=rng.choice([1, 1, 2, 3]))
            if rng.random() < 0.2:
                keys[0] = rng.choice(list(values.ALL))
            CURRENT.append(f" -> {keys}")
            result = yield f"{name}()", result, [values.ALL[key]() for key in keys], {}
        elif hasattr(result, "__iter__") and not isinstance(result, (str, dict, np.ndarray)):
            yield f"next(iter({name}()))", lambda r=result: next(iter(r), None), [], {}
            return
        else:
            return


CURRENT: list[str] = []


def shown(name: str, arguments: Arguments) -> str:
    return f"{name}({', '.join(f'{k}={v}' if k else v for k, v in arguments)})"


class Run:
    """Calls targets, and gathers findings."""

    def __init__(self, seed: int, out: Any, log: int) -> None:
        self.seed, self.rng = seed, Random(seed)
        self.out, self.log = out, log
        self.counts: Counter = Counter()
        self.seen: set = set()

    def target(self, name: str, function: Callable, calls: int) -> None:
        bound = function() if _is_factory(function) else function
        parameters = parameters_of(bound)
        self.rng = Random(f"{self.seed} {name}")
        good: list[Arguments] = []
        if name in EXAMPLES:
            good.append([_argument(text) for text in EXAMPLES[name].split("; ")])
            self.call(name, function, good[0])
        for _ in range(calls):
            if good and self.rng.random() < 0.6:
                arguments = spoiled(self.rng.choice(good), parameters, self.rng)
            else:
                arguments = drawn(parameters, self.rng)
            if SLOW.search(name):
                arguments = [(k, v) for k, v in arguments if v not in HUGE]
            if name.startswith("Tensor."):
                first = arguments[0][1] if arguments and arguments[0][0] is None else ""
                if first not in values.TENSORS:
                    arguments[:1] = [(None, self.rng.choice(list(values.TENSORS)))]
            if self.call(name, function, arguments) and len(good) < 20:
                good.append(arguments)
        self.counts["targets"] += 1
        self.counts["targets that succeeded"] += bool(good)

    def call(self, name: str, function: Callable, arguments: Arguments) -> bool:
        """Whether the call succeeded."""
        CURRENT[:] = [shown(name, arguments)]
        steps = calls_of(function, name, arguments, self.rng)
        result, first = None, True
        autodiff.manual_seed(0)
        while True:
            try:
                step, callee, args, options = steps.send(result)
            except StopIteration:
                return True
            text = "".join(CURRENT)
            os.pwrite(self.log, text[:4000].ljust(4000).encode("utf-8", "replace"), 0)
            before = state([args, options, callee]), shared_state()
            error = None
            faulthandler.dump_traceback_later(4 * SECONDS, exit=True)
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                result = callee(*args, **options)
            except BaseException as raised:
                error = raised
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                faulthandler.cancel_dump_traceback_later()
            self.counts["calls"] += 1
            if error is not None:
                self.counts["errors"] += 1
                self.counts[type(error).__name__] += 1
                if what := fault(error, text):
                    self.find(what, step, text, _last(error))
            try:
                after = state([args, options, callee]), shared_state()
            except Exception as broken:
                self.find("an argument is broken", step, text, repr(broken))
                return False
            writes = WRITING.search(step) or not step.startswith("autodiff") or "nn." in step
            if before[0] != after[0] and not (writes if error is None else KEPT.search(step)):
                self.find("an argument changed", step, text, repr(error))
            if before[1] != after[1]:
                if error is not None or not SETTERS.search(step):
                    changed = [k for k in before[1] if before[1][k] != after[1][k]]
                    self.find(f"changed: {', '.join(changed)}", step, text, repr(error))
                restore()
            if error is not None:
                return not first
            first = False

    def find(self, what: str, step: str, call: str, said: str) -> None:
        self.counts[what] += 1
        key = what, step, re.sub(r"\d+|'[^']*'", "", said[:120])
        if key not in self.seen:
            self.seen.add(key)
            print(json.dumps([what, step, call, said]), file=self.out, flush=True)


def _argument(text: str) -> tuple[str | None, str]:
    keyword, is_keyword, key = text.partition("=")
    return (keyword, key) if is_keyword and keyword.isidentifier() else (None, text)


def _is_factory(function: Callable) -> bool:
    return getattr(function, "__qualname__", "").endswith("_bound.<locals>.<lambda>")


def _last(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{frame.filename.rpartition('/main/')[2]}:{frame.lineno}"
    return f"{type(error).__name__}: {str(error)[:200]} [{place}]"


def _too_long(*_: Any) -> None:
    raise TimeLimit


def main(seed: int, calls: int, log: str, namespaces: list[str]) -> None:
    """Call every target of the namespaces that many times, in an empty folder."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what `print` writes, which is called too
    faulthandler.enable()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _too_long)
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    with open(log, "wb") as current, tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run = Run(seed, out, current.fileno())
        for namespace in namespaces:
            for name, function in targets(namespace).items():
                run.target(name, function, calls)
        print(json.dumps(["counts", run.counts]), file=out, flush=True)
        os.chdir("/")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])

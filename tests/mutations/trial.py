"""Running tests in forked processes: all of them once, then the telling ones against each fault.

The first run notes which lines of the checked files each test reaches, and which operations it
applies. A fault is then tried on the tests that reach its lines (in the declaration of an
operation: that apply it), those of its own file's tests and the quickest first, until one fails.
Each trial is a fresh import of the packages in a process forked before they were ever imported, so
it starts from nothing but what other packages are; NumPy, PyTorch and pytest are there already.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import pickle
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import hypothesis
import pytest

from tests.mutations.faults import Fault, planted

ROOT = Path(__file__).parent.parent.parent
PROFILE = "mutations"
FIRST = 30
"""How many tests are tried before all others: most faults are caught by then."""
PATIENCE = 45.0
"""The tests of one fault may take so much processor time before it counts as not caught."""
CALLS = 10
"""In so many calls of a function by one test its lines are noted: more take too long."""
HANG = 10.0
"""A test may take so many seconds more than ten times its usual time, of the processor's."""
APPLYING = ("autodiff/tensor.py", "autodiff/primitive.py")
"""Where operations are applied, by functions that call them `primitive` or `self`."""
ASLEEP = 6
"""And so many times that altogether, if it only waits."""

MEMORY = 6 * 2**30
"""Bytes a process may take: a fault may fill what there is."""

GONE = dict.fromkeys((signal.SIGALRM, signal.SIGPROF, signal.SIGKILL), "hang")
"""How a process that gave no answer ended; by any other signal it crashed."""


@dataclass
class Outcome:
    """What came of a fault: caught by `how`, a test's name or another end; "" if it survived.

    seconds: the processor time it took.
    """

    fault: Fault
    how: str = ""
    tried: int = 0
    reached: int = 0
    seconds: float = 0.0


@dataclass
class Baseline:
    """The tests that pass without a fault: how long each takes, and which reach a place.

    broken: those that fail, and files that cannot be imported; they are not used.
    reach: the tests by what they reach: (path, line), or ("", name of an operation).
    """

    broken: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    reach: dict[tuple[str, Any], list[str]] = field(default_factory=lambda: defaultdict(list))

    def tests_for(self, fault: Fault) -> list[str]:
        """The tests that can tell, the most telling first."""
        found = self._on(fault.path, fault.lines) or self._on(fault.path, fault.statement)
        if fault.scope == fault.owner:  # a declaration, which no test runs
            found |= set(self.reach.get(("", fault.owner), ()))
        own = f"test_{Path(fault.path).stem}"
        systematic = ("test_primitives.py", "test_special_values.py", "test_exactness.py")

        def order(test: str) -> tuple:
            file = test.partition("::")[0]
            near = own in file or ("/ops/" in fault.path and file.endswith(systematic))
            return not near, self.seconds[test], test

        return sorted(found or self.seconds, key=order)

    def _on(self, path: str, lines: tuple[int, int]) -> set[str]:
        first, last = lines
        return {t for n in range(first, last + 1) for t in self.reach.get((path, n), ())}


# Without a fault


class _Watch:
    """Notes of each test that passes how long it takes and which lines of some files it reaches."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.files = {str(ROOT / path): path for path in paths}
        self.passed: dict[str, tuple[float, set]] = {}
        self.broken: list[str] = []
        self.lines: set[tuple[CodeType, int]] = set()
        self.applied: set[str] = set()
        self.calls = Counter[CodeType]()
        self.start = 0.0

    def trace(self, frame: FrameType, event: str, argument: Any) -> Callable | None:
        if frame.f_code.co_filename not in self.files:
            return None
        if self.files[frame.f_code.co_filename] in APPLYING:
            for name in ("primitive", "self"):
                known = frame.f_locals.get(name)
                if type(known).__name__ == "Primitive":
                    self.applied.add(getattr(known, "name", ""))  # while it is made, it has none
        self.calls[frame.f_code] += 1
        if self.calls[frame.f_code] > CALLS:
            return None
        self.lines.add((frame.f_code, frame.f_lineno))
        return self.trace_lines

    def trace_lines(self, frame: FrameType, event: str, argument: Any) -> Callable:
        if event == "line":
            self.lines.add((frame.f_code, frame.f_lineno))
        return self.trace_lines

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        self.lines, self.applied, self.calls = set(), set(), Counter()
        self.start = time.perf_counter()
        sys.settrace(self.trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            lines, self.lines = self.lines, set()  # callbacks may run meanwhile, and reach more
            reached = {(self.files[code.co_filename], line) for code, line in lines}
            reached |= {("", name) for name in self.applied}
            self.passed[report.nodeid] = time.perf_counter() - self.start, reached
        elif report.failed:
            self.broken.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken.append(report.nodeid)


def baseline(files: list[str], paths: Iterable[str], jobs: int) -> Baseline:
    """Run these test files once, spread over processes, and watch what they reach of `paths`."""
    found = Baseline()
    for answer in spread(_watched, [(file, list(paths)) for file in files], jobs):
        if answer is None:
            raise RuntimeError("the tests could not be run without a fault")
        passed, broken = answer
        found.broken += broken
        for test, (seconds, lines) in passed.items():
            found.seconds[test] = seconds
            for at in lines:
                found.reach[at].append(test)
    return found


def _watched(task: tuple[str, list[str]]) -> tuple[dict, list[str]] | None:
    file, paths = task
    watch = _Watch(paths)

    def run() -> tuple[dict, list[str]]:
        code = _run([file], watch)
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            watch.broken.append(f"{file} ends with {code!r}")
        return watch.passed, watch.broken

    return _answer(_forked(run))[0]


# With one


class _Chosen:
    """Runs the chosen tests in their order, and stops at the first failure or when time is up."""

    def __init__(self, tests: list[str], seconds: dict[str, float], patience: float) -> None:
        self.rank = {test: i for i, test in enumerate(tests)}
        self.seconds, self.patience = seconds, patience
        self.failed, self.count = "", 0

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.rank]
        items.sort(key=lambda item: self.rank[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        _end_after(HANG + 10 * self.seconds[nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.count += report.when == "call"
        if report.failed:
            self.failed = self.failed or report.nodeid

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        if _spent() > self.patience:
            item.session.shouldstop = "time is up"
            return True
        return (yield)


class _Planted(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one module from a syntax tree, whatever its file holds."""

    def __init__(self, fault: Fault) -> None:
        self.file = ROOT / fault.path
        parts = fault.path.removesuffix(".py").split("/")
        module = ".".join(parts).removesuffix(".__init__")
        super().__init__(module, str(self.file))
        self.fault = fault

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.file, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        tree = planted(self.fault, self.file.read_text())
        return compile(tree, str(self.file), "exec", dont_inherit=True)


def outcomes(faults: list[Fault], known: Baseline, jobs: int) -> Iterator[Outcome]:
    """What comes of each fault, in the order in which that is known."""
    global _known
    _known = known  # for the processes, which are forked now: to send it takes longer
    yield from spread(_tried_on_known, faults, jobs)


def _tried_on_known(fault: Fault) -> Outcome:
    return tried(fault, _known)


def tried(fault: Fault, known: Baseline) -> Outcome:
    """Plant one fault and run the tests that can tell until one fails."""
    tests, start = known.tests_for(fault), _spent()
    outcome = Outcome(fault, reached=len(tests))
    for chosen in filter(None, (tests[:FIRST], tests[FIRST:])):
        left = PATIENCE - (_spent() - start)
        process = _forked(
            lambda chosen=chosen, left=left: _tried(fault, chosen, known.seconds, left)
        )
        answer, status = _answer(process)
        if answer is None:
            ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
            outcome.how = GONE.get(ended, "crash")
        else:
            outcome.how, count = answer
            outcome.tried += count
        if outcome.how:
            break
    outcome.seconds = _spent() - start
    return outcome


def _tried(fault: Fault, tests: list[str], seconds: dict, patience: float) -> tuple[str, int]:
    _end_after(PATIENCE)  # the import may hang too
    sys.meta_path.insert(0, _Planted(fault))
    try:
        import autodiff  # noqa: F401
        import nn  # noqa: F401
        import optim  # noqa: F401
    except Exception:
        return "import", 0
    chosen = _Chosen(tests, seconds, patience)
    code = _run([*sorted({test.partition("::")[0] for test in tests}), "-x"], chosen)
    if code == pytest.ExitCode.INTERRUPTED and not chosen.count:
        return "collection", 0
    if code == pytest.ExitCode.TESTS_FAILED:
        return chosen.failed or "collection", chosen.count
    return "", chosen.count


# Processes


def _spent() -> float:
    """The processor time of this process and of those it has waited for, in seconds."""
    return sum(os.times()[:4])


def _end_after(seconds: float) -> None:
    """End this process when it has taken so much more processor time, or waits for too long."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, ASLEEP * seconds)


def spread(function: Callable, tasks: list, jobs: int) -> Iterator[Any]:
    """function(task) for each task, so many at a time, in the order in which they are done."""
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(function, tasks, chunksize=1)


def warm() -> None:
    """Import what all processes need, and none of what is checked."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    os.environ["HYPOTHESIS_PROFILE"] = PROFILE
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    hypothesis.settings.register_profile(
        PROFILE,
        deadline=None,
        derandomize=True,
        database=None,
        max_examples=50,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    for name in ("numpy", "torch", "scipy", "mpmath"):
        if importlib.util.find_spec(name):
            importlib.import_module(name)
    checked = [m for m in sys.modules if m.partition(".")[0] in ("autodiff", "nn", "optim")]
    assert not checked, f"{checked} must not be imported before the processes are forked"


def _run(arguments: list[str], plugin: Any) -> int:
    """pytest with these arguments; nothing is written and nothing shown."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    options = "-q --tb=no --assert=plain -p no:cacheprovider".split()
    options += ["-W", "ignore::pytest.PytestWarning"]
    return pytest.main([*options, *arguments], plugins=[plugin])


def _forked(function: Callable[[], Any]) -> tuple[int, int]:
    """A process that computes function(): its number, and where its answer can be read."""
    out, into = os.pipe()
    process = os.fork()
    if process:
        os.close(into)
        return process, out
    try:
        os.setpgid(0, 0)
        os.close(out)
        os.chdir(ROOT)
        answer = pickle.dumps(function())
        with os.fdopen(into, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)


def _answer(process: tuple[int, int]) -> tuple[Any, int]:
    """What a process answered, None if nothing, and how it ended; what it left running is ended."""
    number, out = process
    with os.fdopen(out, "rb") as pipe:
        answer = pipe.read()
    status = os.waitpid(number, 0)[1]
    return (pickle.loads(answer) if answer else None), status

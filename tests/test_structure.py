"""What the layout promises, checked on the sources."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import autodiff

ROOT = Path(__file__).parent.parent
PACKAGES = ("autodiff", "nn", "optim")

LAYERS = (
    {"allocator", "lazy", "primitive", "families"},
    {"ops"},
    {"dtypes", "attributes", "errors", "numpy_calls", "versions", "printing", "tape", "grad_modes"},
    {"tensor", "gradients", "function", "diagram", "generator", "indexing", "inplace"},
    {"composed"},
    {"methods"},
    {"batched", "batch_rules", "batching", "data", "jacobians", "stateless", "testing"}
    | {"transforms", "trees"},
    {"compiler"},
    {"checkpoint", "autograd", "cuda", "func", "kernels", "linalg", "special", "utils"},
    {"__init__"},
)
"""The modules of autodiff, lowest first: each imports from its own layer and lower ones."""

LAYER_OF = {module: number for number, layer in enumerate(LAYERS) for module in layer}

PUBLIC_MODULES = LAYERS[-2] | {"testing", "compiler", "lazy"}
"""Modules of autodiff that users, and therefore nn and optim, import from by name."""

DECLARATORS = {"elementwise", "linear", "bilinear", "reduction", "random", "general"}

EXTRAS = {
    "progress": {"tqdm"},
    "plot": {"matplotlib"},
    "safetensors": {"safetensors"},
    "sklearn": {"sklearn"},
    "onnx": {"onnx"},
    "mpi": {"mpi4py"},
    "peers": {"torch", "jax", "autograd"},
    "test": {"pytest", "hypothesis"},
    "dev": {"mpmath"},
}
"""What each extra lets one import."""

EXTRA_OF = {module: extra for extra, modules in EXTRAS.items() for module in modules}

UNANNOTATED = ("autodiff/ops/",)
"""Files whose functions take arrays and Tensors alike, so that an annotation would mislead."""


@dataclass(frozen=True)
class Import:
    """One imported module, and the name taken from it if the statement takes one."""

    module: str
    name: str | None
    line: int
    in_function: bool
    in_try: bool

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Source:
    """A parsed file."""

    path: str

    @property
    def text(self) -> str:
        return (ROOT / self.path).read_text(encoding="utf-8")

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def tree(self) -> ast.Module:
        return parse(self.path)

    @property
    def imports(self) -> list[Import]:
        return list(imports(self.tree))

    def __str__(self) -> str:
        return self.path


@cache
def parse(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def sources(*folders: str) -> list[Source]:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [Source(path.relative_to(ROOT).as_posix()) for path in paths]


def imports(node: ast.AST, in_function: bool = False, in_try: bool = False) -> Iterator[Import]:
    """The imports below a node, except those for the type checker alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, None, child.lineno, in_function, in_try)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, f"line {child.lineno}: imports name their package, not dots"
            for alias in child.names:
                yield Import(str(child.module), alias.name, child.lineno, in_function, in_try)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from imports(ast.Module(child.orelse, []), in_function, in_try)
        else:
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            guarded = isinstance(child, ast.Try)
            yield from imports(child, in_function or function, in_try or guarded)


def own_modules(source: Source) -> dict[str, Import]:
    """Modules of our packages that a file imports; `from a import b` is a.b where that is one."""
    found = {}
    for imported in source.imports:
        if imported.package not in PACKAGES:
            continue
        submodule = f"{imported.module}.{imported.name}"
        whole = imported.name and is_module(submodule)
        found[submodule if whole else imported.module] = imported
    return found


def part(module: str) -> str:
    """The module or subpackage of autodiff that `autodiff.part.x` belongs to."""
    return [*module.split("."), "__init__"][1]


each_source = pytest.mark.parametrize("source", sources(*PACKAGES), ids=str)


@pytest.mark.parametrize("source", sources("autodiff"), ids=str)
def test_imports_point_one_way(source: Source):
    for module, imported in {source.module: None, **own_modules(source)}.items():
        assert part(module) in LAYER_OF, (
            f"{module} is in no layer: add it to LAYERS in tests/test_structure.py"
        )
        line = imported.line if imported else 0
        assert LAYER_OF[part(module)] <= LAYER_OF[part(source.module)], (
            f"{source}:{line}: {part(source.module)} must not import {module}, a layer above it"
        )


def test_no_module_imports_itself_in_a_circle():
    every = sources(*PACKAGES)
    graph = {source.module: set(own_modules(source)) - {source.module} for source in every}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"circle of imports: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("source", sources("nn", "optim"), ids=str)
def test_nn_and_optim_stand_on_the_public_names_of_autodiff_alone(source: Source):
    own = source.path.partition("/")[0]
    allowed = {own, "autodiff", "numpy", *sys.stdlib_module_names, *EXTRA_OF}
    names = exported()
    for imported in source.imports:
        where = f"{source}:{imported.line}"
        assert imported.package in allowed, f"{where}: {own} must not import {imported.module}"
        if imported.module == "autodiff" and imported.name:
            assert imported.name in names | PUBLIC_MODULES, (
                f"{where}: {imported.name} is not exported by autodiff"
            )
        elif imported.module.startswith("autodiff."):
            assert part(imported.module) in PUBLIC_MODULES, (
                f"{where}: {imported.module} is not public: import its names from autodiff"
            )
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "autodiff"
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in aliases:
            assert node.attr in names | PUBLIC_MODULES | {"__file__"}, (
                f"{source}:{node.lineno}: autodiff.{node.attr} is not exported"
            )


def exported() -> set[str]:
    """What `from autodiff import …` is meant for: everything public but its modules."""
    return {
        name
        for name in dir(autodiff)
        if not name.startswith("_") and not isinstance(getattr(autodiff, name), ModuleType)
    }


@pytest.mark.parametrize(
    "source", [s for s in sources(*PACKAGES) if "import deferred\n" in s.text], ids=str
)
def test_deferred_names_are_those_the_type_checker_reads(source: Source):
    program = f"import {source.module} as package; print(*set(dir(package)) - set(vars(package)))"
    deferred = set(fresh(program).split())
    read: set[str] = set()
    for imported in for_the_type_checker(source):
        if imported.package == "autodiff":
            assert LAYER_OF[part(imported.module)] <= LAYER_OF[part(source.module)], (
                f"{source}:{imported.line}: {imported.module} is of a layer above"
            )
        if imported.name == "*":
            tree = parse(f"{imported.module.replace('.', '/')}.py")
            read |= {node.name for node in public_definitions(tree)}
        else:
            read.add(str(imported.name))
    missing = {name for name in deferred - read if not is_module(f"{source.module}.{name}")}
    assert missing <= {"nn", "optim"}, f"{source}: the type checker does not see {missing}"
    assert read <= deferred, f"{source}: {read - deferred} are not deferred"


def for_the_type_checker(source: Source) -> Iterator[Import]:
    for node in source.tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports(ast.Module(node.body, []))


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@each_source
def test_imports_inside_functions_are_of_optional_extras(source: Source):
    for imported in source.imports:
        where = f"{source}:{imported.line}"
        if imported.package in EXTRA_OF:
            assert imported.in_function or imported.in_try, (
                f"{where}: import {imported.package} in the function that needs it"
            )
            assert f"tapegrad[{EXTRA_OF[imported.package]}]" in source.text, (
                f"{where}: the ImportError for {imported.package} should tell to install "
                f"tapegrad[{EXTRA_OF[imported.package]}]"
            )
        else:
            assert not imported.in_function, f"{where}: import {imported.module} at the top"


def test_extras_are_those_the_import_errors_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["optional-dependencies"]) == set(EXTRAS)
    for source in sources(*PACKAGES, "benchmarks"):
        for extra in re.findall(r"tapegrad\[([\w-]+)\]", source.text):
            assert extra in EXTRAS, f"{source} names an extra that does not exist: {extra}"


@each_source
def test_derivatives_stand_in_ops_alone(source: Source):
    if source.path.startswith(("autodiff/ops/", "autodiff/families.py")):
        return
    for imported in source.imports:
        assert (imported.module, imported.name) not in {
            ("autodiff.families", name) for name in DECLARATORS
        }, f"{source}:{imported.line}: declare operations in autodiff/ops"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            function = ast.unparse(node.func).removeprefix("primitive.")
            assert function not in {"Primitive", "_declare"}, (
                f"{source}:{node.lineno}: declare operations in autodiff/ops"
            )
        if isinstance(node, ast.FunctionDef) and not source.path.startswith("autodiff/"):
            assert node.name != "backward", (
                f"{source}:{node.lineno}: compose operations instead of writing a backward pass"
            )


@each_source
def test_public_functions_and_classes_are_documented_and_annotated(source: Source):
    if any(name.startswith("_") for name in source.module.split(".")):
        return
    for node in public_definitions(source.tree):
        assert ast.get_docstring(node), f"{source}:{node.lineno}: {node.name} has no docstring"
        functions = public_definitions(node) if isinstance(node, ast.ClassDef) else [node]
        for function in functions:
            if isinstance(function, ast.FunctionDef) and not source.path.startswith(UNANNOTATED):
                missing = unannotated(function)
                assert not missing, (
                    f"{source}:{function.lineno}: {function.name} lacks annotations of "
                    f"{', '.join(missing)}"
                )


def public_definitions(node: ast.AST) -> list[ast.FunctionDef | ast.ClassDef]:
    """The functions and classes in a body that have public names, and __init__."""
    return [
        child
        for child in ast.iter_child_nodes(node)
        if isinstance(child, ast.FunctionDef | ast.ClassDef)
        and (child.name == "__init__" or not child.name.startswith("_"))
    ]


def unannotated(function: ast.FunctionDef) -> list[str]:
    """The parameters without annotations, and "the result"."""
    given = function.args
    parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    missing = [p.arg for p in parameters if p and not p.annotation]
    if missing[:1] in (["self"], ["cls"]):
        del missing[0]
    if function.returns is None:
        missing.append("the result")
    return missing


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed(package: str):
    assert (ROOT / package / "py.typed").exists()


def test_test_folders_are_packages():
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


def test_top_level_holds_what_was_agreed():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {path.partition("/")[0] for path in listed.stdout.splitlines()}
    agreed = {"pyproject.toml", "README.md", "LICENSE", *PACKAGES, "tests", "benchmarks"}
    assert {name for name in top - agreed if not name.startswith(".")} == set()


def test_importing_the_packages_imports_numpy_and_the_standard_library_alone():
    program = (
        "import sys, numpy; before = set(sys.modules); import autodiff, nn, optim; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    assert set(fresh(program).split()) - {*PACKAGES, "numpy", *sys.stdlib_module_names} == set()


def fresh(program: str) -> str:
    """What a program prints in a process of its own."""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert not run.returncode, run.stderr
    return run.stdout

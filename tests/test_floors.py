"""The architecture: nothing imports upward, and the package alone is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pytbl"

FLOORS = [
    {"_core", "errors"},
    {"composition", "exchange", "grid", "periodic", "wisdom"},
    {"flow", "forcing", "initial", "diagnostics", "filters", "subgrid", "closures", "metrics"}
    | {"apriori", "aposteriori", "statistics"},
    {"schemes", "signals", "sources", "solver"},
    {
        "schedule",
        "hdf5",
        "record_file",
        "records",
        "output",
        "checkpoint",
        "dataset",
        "dataset_file",
        "stored",
        "text_files",
        "toml_file",
        "samples",
        "matlab",
        "playback",
        "runs",
        "progress",
    },
    {"nn", "analysis"},
    {"case", "report", "compare", "cli", "les", "plots", "analyze"}
    | {"compared", "compared_closures", "tables", "study"},
]
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}


def home(path):
    """The module or sub-package of the package that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path):
    """Modules and sub-packages that a file needs when it runs, types and its own apart."""
    level = len(path.relative_to(PACKAGE).parts)
    tree = ast.parse(path.read_text())
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == level and node not in typing_only:
            yield from [node.module.split(".")[0]] if node.module else [a.name for a in node.names]


MODULES = [path for path in PACKAGE.rglob("*.py") if not home(path).startswith("__")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_upward(path):
    assert home(path) in FLOOR, "a new module needs a floor"
    for name in imports(path):
        assert FLOOR.get(name, 0) <= FLOOR[home(path)], f"{path} imports {name}"


def test_only_one_floor_knows_torch():
    users = {home(path) for path in MODULES if "import torch" in path.read_text()}
    assert users == {"nn"}


@pytest.mark.parametrize("module", ["pytbl", "pytbl.cli"])
def test_importing_it_loads_nothing_heavy(module):
    heavy = "torch", "h5py", "mpi4py", "matplotlib", "scipy", "pydantic"
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_only_the_files_floor_knows_hdf5():
    users = {home(path) for path in MODULES if "import h5py" in path.read_text()}
    files = {"hdf5", "record_file", "records", "checkpoint", "dataset", "dataset_file", "samples"}
    assert users <= files | {"matlab", "runs", "stored", "initial", "report", "cli"}

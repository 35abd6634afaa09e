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
    {"flow", "forcing", "initial", "diagnostics", "filters", "subgrid", "closures", "metrics"},
    {"schemes", "signals", "sources", "solver"},
    {
        "schedule",
        "hdf5",
        "records",
        "output",
        "checkpoint",
        "dataset",
        "samples",
        "matlab",
        "playback",
        "runs",
    },
    {"case", "progress", "report", "compare", "cli", "les"},
]
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}


def imports(path):
    """Modules of the package that a module needs when it runs, types apart."""
    tree = ast.parse(path.read_text())
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node not in typing_only:
            yield from [node.module] if node.module else [a.name for a in node.names]


MODULES = [path for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_nothing_imports_upward(path):
    assert path.stem in FLOOR, "a new module needs a floor"
    for name in imports(path):
        assert FLOOR.get(name, 0) <= FLOOR[path.stem], f"{path.stem} imports {name}"


def test_importing_the_package_loads_nothing_heavy():
    heavy = "torch", "h5py", "mpi4py", "matplotlib", "scipy", "pydantic"
    code = f"import sys, pytbl; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_only_the_files_floor_knows_hdf5():
    users = {path.stem for path in MODULES if "import h5py" in path.read_text()}
    assert users <= {"hdf5", "output", "checkpoint", "initial", "report", "cli"}

"""Small studies: the example's files, with flows that take a moment."""

import re
import shutil
from pathlib import Path

CASES = Path(__file__).parents[1] / "examples" / "cases" / "transfer"


def small(folder: Path) -> Path:
    """The study's file of a copy of the example's, with small flows, networks and sweeps."""
    copy = folder / "cases"
    shutil.copytree(CASES, copy)
    forced = {"nx": 48, "ny": 48, "reynolds": 60, "until": 60, "every": 0.5, "start": 4}
    decaying = {"nx": 48, "ny": 48, "reynolds": 100, "until": 1.6, "every": 0.1, "start": 0.2}
    for path in copy.glob("*.toml"):
        if "[dataset]" in path.read_text():
            changes = (decaying if path.stem == "decaying" else forced) | {"coarse": 16}
            change(path, changes)
    change(copy / "train.toml", {"width": 4, "depth": 3, "kernel": 3, "epochs": 2})
    change(copy / "les.toml", {"nx": 16, "ny": 16, "until": 0.3, "every": 0.05})
    change(copy / "study.toml", {"epochs": 1, "fraction": 0.5, "seeds": 1})
    text = (copy / "study.toml").read_text().replace("starts = 16", "starts = 4")
    (copy / "study.toml").write_text(text)
    return copy / "study.toml"


def change(path: Path, values: dict) -> None:
    """Other values for keys of a TOML file, where each comes first."""
    text = path.read_text()
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^{key} = \S+", f"{key} = {value}", text, count=1)
        assert count, (path.name, key)
    path.write_text(text)

"""FFTW wisdom kept in the user's cache, so that a size is measured once on a machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import tempfile
from pathlib import Path


def _machine() -> str:
    """Name of the processor: its timings are of no use on another."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "CPU part")):
                return hashlib.sha256(line.encode()).hexdigest()[:8]
    return platform.machine() or "any"


def cache_file(points: tuple[int, int], dtype: str) -> Path:
    """Where the wisdom of one size and precision is kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "pytbl" / f"wisdom-{dtype}-{points[0]}x{points[1]}-{_machine()}"


def recall(points: tuple[int, int], dtype: str) -> str | None:
    """Wisdom measured before, or None."""
    try:
        return cache_file(points, dtype).read_text()
    except (OSError, RuntimeError, UnicodeDecodeError):
        return None


def keep(points: tuple[int, int], dtype: str, text: str) -> None:
    """Store wisdom, or do nothing where the cache cannot be written."""
    with contextlib.suppress(OSError, RuntimeError):
        path = cache_file(points, dtype)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(text)
        os.replace(file.name, path)

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

class Memory(bytearray):  # any writable buffer: Python 3.11 has no type for one
    def __init__(self, nbytes: int) -> None: ...

class Plan:
    slab_length: int
    field_length: int
    kx_start: int
    kx_count: int
    y_start: int
    y_count: int
    column_length: int
    row_length: int
    column_chunks: tuple[list[int], list[int]]
    row_chunks: tuple[list[int], list[int]]
    wisdom: str
    def __init__(
        self,
        points: tuple[int, int],
        kept: tuple[int, int],
        spacing: tuple[float, float],
        *,
        ny: int,
        size: int = 1,
        rank: int = 0,
        threads: int = 1,
        single: bool = False,
        measure: bool = True,
        wisdom: str | None = None,
    ) -> None: ...
    def line_seconds(self) -> tuple[float, float]: ...
    def columns_velocity(self, omega: Array, buffer: Array) -> None: ...
    def columns_step(
        self,
        stage: Sequence[float],
        operator: tuple[float, int, float, float],
        omega: Array,
        history: Array,
        buffer: Array,
        *,
        dt: float,
        rate: Array | None = None,
        rate_columns: int = 0,
        impulse: Array | None = None,
        impulse_columns: int = 0,
        impulse_scale: float = 0.0,
    ) -> None: ...
    def columns_tendency(self, buffer: Array, tendency: Array) -> None: ...
    def columns_synthesize(self, a: Array, b: Array | None, buffer: Array) -> None: ...
    def columns_analyze(self, buffer: Array, a: Array, b: Array | None) -> None: ...
    def rows_square(self, buffer: Array) -> tuple[float, float]: ...
    def rows_modulus(self, buffer: Any) -> None: ...
    def rows_read(self, buffer: Array, a: Array, b: Array | None) -> None: ...
    def rows_write(self, a: Array, b: Array | None, buffer: Array) -> None: ...

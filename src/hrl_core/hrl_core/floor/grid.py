"""A floor cut into square cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Grid:
    """`shape` (rows along x, columns along y) cells of a side `cell` [m], from `origin` m in map.

    A flat index counts row by row, as numpy's ravel does.
    """

    shape: tuple[int, int]
    cell: float
    origin: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def over(cls, size: tuple[float, float], cell: float) -> Grid:
        """The grid that covers a floor of a size [m]; the last cells may stand out."""
        return cls((int(np.ceil(size[0] / cell)), int(np.ceil(size[1] / cell))), cell)

    @cached_property
    def centres(self) -> np.ndarray:
        """Middles (rows, columns, 2) m of all cells in map."""
        return self.centres_of(np.moveaxis(np.indices(self.shape), 0, -1))

    def centres_of(self, cells: np.ndarray) -> np.ndarray:
        """Middles (..., 2) m of cells (..., 2) in map."""
        return np.array(self.origin) + (cells + 0.5) * self.cell

    def cells(self, points: np.ndarray) -> np.ndarray:
        """Cells (..., 2) of points (..., 2) m in map, the nearest ones inside the grid."""
        cells = np.floor((points - np.array(self.origin)) / self.cell).astype(int)
        return np.clip(cells, 0, np.array(self.shape) - 1)

    def cells_inside(self, points: np.ndarray) -> np.ndarray:
        """Cells (k, 2) of those points (m, 2) m in map that lie on the grid."""
        cells = np.floor((points - np.array(self.origin)) / self.cell).astype(int)
        return cells[((cells >= 0) & (cells < self.shape)).all(1)]

    def cell_of(self, point: np.ndarray) -> tuple[int, int]:
        """The cell of one point (2,) m in map."""
        row, column = self.cells(point)
        return int(row), int(column)

    def flat(self, cells: np.ndarray) -> np.ndarray:
        """Flat indices (...) of cells (..., 2)."""
        return cells[..., 0] * self.shape[1] + cells[..., 1]

    def unflat(self, indices: np.ndarray) -> np.ndarray:
        """Cells (..., 2) of flat indices (...)."""
        return np.stack(np.divmod(indices, self.shape[1]), axis=-1)

"""The way to a far goal: a grid of what the scans have seen, and a carrot on the shortest path.

The carrot is a point some 1.5 m ahead on the path; the learned policy steers, avoids and brakes.
"""

from dataclasses import dataclass

import numpy as np

from hrl_core.floor.grid import Grid
from hrl_core.floor.routes import Routes, cheapest_routes, nearest_cells
from hrl_core.robot import Base, Robot
from hrl_core.sensed import Scan

CELL = 0.1  # m
CARROT_HOPS = 14  # cells along the path: 1.4 to 2 m


@dataclass(frozen=True)
class Clearances:
    """Distances [m] from obstacles that a way keeps, for the robot's footprint taken as a disc."""

    lethal: float  # between the robot's centre line and an obstacle: radius and a margin
    comfort: float  # nearer to an obstacle a metre counts up to three times
    entry: float  # from inside the inflation the robot may leave to the nearest free cell

    @classmethod
    def of(cls, base: Base) -> "Clearances":
        """Those of a robot; the margins are the planner's."""
        radius = base.footprint_radius
        return cls(*(round(radius + margin, 6) for margin in (0.05, 0.53, 0.33)))

    def travel_cost(self, clearance: np.ndarray) -> np.ndarray:
        """Cost per metre of cells, from their distance to the nearest obstacle [m]; inf: closed."""
        near = np.clip((self.comfort - clearance) / (self.comfort - self.lethal), 0.0, 1.0)
        return np.where(clearance < self.lethal, np.inf, 1.0 + 2.0 * near)


def routes_to(
    clearance: np.ndarray, goal: tuple[int, int], cell_size: float, kept: Clearances
) -> Routes:
    """Routes to a goal cell over a grid of clearances (rows, columns) m; `kept`: of the robot."""
    return cheapest_routes(kept.travel_cost(clearance), goal, cell_size, kept.entry)


@dataclass(frozen=True, kw_only=True)
class GridConfig:
    """How scans become a map that forgets what has moved."""

    cell: float = CELL  # m
    edge: float = 0.3  # m, of the grid beyond the site's walls
    snap: float = 0.15  # m; a return this near to a wall or shelf of the map is that wall or shelf
    free: float = 5.0  # m, clearance where nothing is known
    hit: float = 1.0  # evidence of one return; a cell is occupied above `occupied`
    occupied: float = 0.5
    ceiling: float = 2.0  # bound of the evidence for an obstacle
    floor: float = -0.5  # bound of the evidence against one
    prior: float = 1.5  # evidence of a wall or shelf of the site's map
    # A beam that passes over a cell does not prove that it is free: the rings of the scanner look
    # over a low box except in a few bands of distance. Only there does one beam count much.
    lowest: float = 0.35  # m, height of the lowest obstacle that must not be forgotten
    seen_free: float = 0.5  # evidence taken by a beam that would have hit the lowest obstacle
    passed_over: float = 0.1  # evidence taken by any other beam
    clear_range: float = 5.0  # m, from the scanner; beyond it nothing is forgotten
    clear_margin: float = 0.2  # m, by which a beam must pass a cell


class ObstacleGrid:
    """Occupancy evidence in map over the floor of a site."""

    def __init__(
        self,
        size: tuple[float, float],
        outline: np.ndarray,
        robot: Robot,
        config: GridConfig | None = None,
    ) -> None:
        """`size` (2,) m of the floor; `outline` (m, 2) m in map: its walls, shelves and stations.

        Of the robot count its footprint, and where its scanner is and looks.
        """
        self.kept = Clearances.of(robot.base)
        lidar = robot.lidar
        lidar_height = robot.legs.standing_height + lidar.mount.position[2]
        self.config = config = config or GridConfig()
        rows, columns = np.ceil((np.array(size) + 2 * config.edge) / config.cell).astype(int)
        self.grid = Grid((int(rows), int(columns)), config.cell, (-config.edge, -config.edge))
        self.evidence = np.zeros(self.grid.shape, np.float32)
        self.add_points(outline, config.prior)
        self._shut = np.zeros(self.grid.shape, bool)  # closed for good, whatever the scans say
        self._to_known, self._known = nearest_cells(self.evidence > 0, config.cell)
        self._bands = [
            (
                (lidar_height - config.lowest) / -np.tan(e),
                (lidar_height - lidar.height_band[0]) / -np.tan(e),
            )
            for e in lidar.elevations
            if e < 0
        ]

    def add_points(self, points: np.ndarray, evidence: float | None = None) -> None:
        """Mark points (m, 2) m in map as occupied."""
        self._add_cells(self.grid.cells_inside(points), evidence)

    def _add_cells(self, cells: np.ndarray, evidence: float | None = None) -> None:
        config = self.config
        i, j = np.unique(cells, axis=0).T
        added = self.evidence[i, j] + (config.hit if evidence is None else evidence)
        self.evidence[i, j] = np.minimum(np.maximum(added, config.hit), config.ceiling)

    def add_scan(self, scan: Scan, map_from_lidar: np.ndarray) -> None:
        """Take in a scan; `map_from_lidar` (3,) is the planar pose of the scanner.

        What the map explains confirms the map: noise must not make the walls thicker. What is too
        far to be forgotten is not marked: people would leave a wall behind them.
        """
        self._clear(scan, map_from_lidar)
        c, s = np.cos(map_from_lidar[2]), np.sin(map_from_lidar[2])
        points = scan.points()
        points = points[np.hypot(*points.T) < self.config.clear_range]
        cells = self.grid.cells_inside(points @ np.array([[c, s], [-s, c]]) + map_from_lidar[:2])
        i, j = cells.T
        known = self._to_known[i, j] < self.config.snap
        self._add_cells(np.where(known[:, None], self._known[:, i, j].T, cells))

    def _clear(self, scan: Scan, map_from_lidar: np.ndarray) -> None:
        config = self.config
        centre = self.grid.cells(map_from_lidar[:2])
        half = int(config.clear_range / config.cell)
        low = np.clip(centre - half, 0, self.evidence.shape)
        high = np.clip(centre + half + 1, 0, self.evidence.shape)
        window = self.evidence[low[0] : high[0], low[1] : high[1]]
        i, j = np.nonzero(window > 0)
        if not len(i):
            return
        x, y = (self.grid.centres_of(np.stack([i, j], axis=1) + low) - map_from_lidar[:2]).T
        distance = np.hypot(x, y)
        azimuth = np.arctan2(y, x) - map_from_lidar[2] - scan.angle_min
        turn = round(2 * np.pi / scan.angle_increment)  # beams all around
        beam = np.round(azimuth / scan.angle_increment).astype(int) % turn
        in_view, beam = beam < len(scan.ranges), np.minimum(beam, len(scan.ranges) - 1)
        # The nearest of three beams, since a cell is wider than a beam; nan proves nothing.
        ranges = np.where(np.isnan(scan.ranges), 0.0, scan.ranges)
        ranges = np.minimum(ranges, np.minimum(np.roll(ranges, 1), np.roll(ranges, -1)))
        passed = (distance + config.clear_margin < ranges[beam]) & (distance < config.clear_range)
        passed &= in_view  # what is not seen is not free
        sure = np.zeros_like(passed)
        for near, far in self._bands:
            sure |= (near < distance) & (distance < far)
        taken = np.where(sure, config.seen_free, config.passed_over) * passed
        window[i, j] = np.maximum(window[i, j] - taken, config.floor)

    def routes(self, goal: np.ndarray) -> Routes:
        """Routes to a goal (2,) m in map; takes 5 to 20 ms."""
        return routes_to(self.clearance(), self.cell_of(goal), self.config.cell, self.kept)

    def shut(self, point: np.ndarray) -> None:
        """Close the floor around a point (2,) m in map for good."""
        i, j = self.cell_of(point)
        reach = round(self.kept.lethal / self.config.cell)
        self._shut[max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1] = True

    def shut_narrow(self, routes: Routes, position: np.ndarray) -> None:
        """Close for good the first place of an earlier way that is too narrow now."""
        clearance = self.clearance()
        ahead = self.grid.unflat(routes.cells_from(self.cell_of(position))[1:])
        narrow = np.flatnonzero(clearance[ahead[:, 0], ahead[:, 1]] < self.kept.lethal)
        if len(narrow):
            self.shut(self.grid.centres_of(ahead[narrow[0]]))

    def way(self, position: np.ndarray, goal: np.ndarray) -> tuple[float, float] | None:
        """Length [m] and narrowest clearance [m] of the way between two points (2,) m in map.

        None: there is no way.
        """
        routes, clearance = self.routes(goal), self.clearance()
        first = self.cell_of(position)
        if not np.isfinite(routes.distance[first]):
            return None
        row, column = self.grid.unflat(routes.cells_from(first)).T
        steps = np.hypot(np.diff(row), np.diff(column))
        length = self.config.cell * float(steps.sum())
        return length, float(clearance[row, column].min())

    def clearance(self) -> np.ndarray:
        """Distance (rows, columns) m of every cell to the nearest obstacle."""
        occupied = (self.evidence > self.config.occupied) | self._shut
        if not occupied.any():
            return np.full(occupied.shape, self.config.free)
        return nearest_cells(occupied, self.config.cell)[0]

    def cell_of(self, point: np.ndarray) -> tuple[int, int]:
        """Cell of a point (2,) m in map, the nearest one inside the grid."""
        return self.grid.cell_of(point)

    def carrot(self, routes: Routes, position: np.ndarray) -> tuple[np.ndarray, float] | None:
        """The carrot (2,) m in map and the cost [m] that is left; None if there is no way."""
        cell = self.cell_of(position)
        left = float(routes.distance[cell])
        if not np.isfinite(left):
            return None
        ahead = routes.ahead(self.grid.flat(np.array(cell)), CARROT_HOPS)
        return self.grid.centres_of(self.grid.unflat(ahead)), left

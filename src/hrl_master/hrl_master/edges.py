"""Which ways of the graph the scan shows to be free, and which to be blocked."""

import numpy as np

from hrl_core.geometry import compose, wrap_angle
from hrl_master.graph import Edge, WalkGraph
from hrl_master.scene import Scene
from hrl_perception.sectors import sector_angles

RANGE = 6.0  # m; farther away the returns lie too far apart
MAP_MARGIN = 0.2  # m; a return so near to something of the map is that
SECTOR_ERROR = 0.05  # m per m of range, from a sector's width; added to the margin
BESIDE = 0.6  # m; a return farther beside a way does not block it
SLICE = 0.5  # m along a way; returns so near to each other stand beside each other
SEEN_SHARE = 0.8  # of a way that is in view, and then it counts as seen
WIDEST = 1.6  # m to either side that a way may swerve
SIGHT = 0.15  # rad to either side of a straight way that has to be free


class EdgePoints:
    """Points along all edges of a graph, and the room to both sides there."""

    def __init__(self, graph: WalkGraph):
        self.graph = graph
        starts, ends = graph.points[graph.ends[:, 0]], graph.points[graph.ends[:, 1]]
        self.starts, self.lengths = starts, graph.lengths
        self.along = (ends - starts) / np.maximum(graph.lengths, 1e-6)[:, None]
        points, edge = [], []
        for k, length in enumerate(graph.lengths):
            steps = max(2, int(length / 0.25) + 1)
            points.append(starts[k] + np.linspace(0, 1, steps)[:, None] * (ends[k] - starts[k]))
            edge += [k] * steps
        self.points = np.concatenate(points)  # (S, 2) m in map
        self.edge = np.array(edge)  # (S,) index of the edge
        self.count = np.bincount(self.edge, minlength=len(graph.edges))
        self.first = np.concatenate([[0], np.cumsum(self.count)[:-1]])
        left = np.stack([-self.along[:, 1], self.along[:, 0]], axis=-1)[self.edge]
        self.left = _room_beside(graph, self.points, left)
        self.right = _room_beside(graph, self.points, -left)


def observe_edges(edges: EdgePoints, scene: Scene) -> dict[Edge, bool]:
    """Edges that the scan tells of -> free (True) or blocked (False)."""
    assert scene.map_from_base is not None
    graph = edges.graph
    lidar = compose(scene.map_from_base, scene.base_from_lidar)
    ranges = scene.sectors
    count = len(ranges)
    angles = lidar[2] + sector_angles(count)
    hits = lidar[:2] + ranges[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    near = ranges < RANGE
    hits, reach = hits[near], ranges[near]
    strange = graph.room(hits) > MAP_MARGIN + SECTOR_ERROR * reach
    away = edges.points - lidar[:2]
    distance = np.hypot(away[:, 0], away[:, 1])
    bearing = np.arctan2(away[:, 1], away[:, 0]) - lidar[2]
    sector = np.floor((bearing + np.pi) / (2 * np.pi) * count).astype(int) % count
    visible = (distance < RANGE) & (distance < ranges[sector] + 0.1)
    share = np.bincount(edges.edge, visible, len(graph.edges)) / edges.count
    found: dict[Edge, bool] = {}
    blocked = _blocked(edges, hits, hits[strange])
    for k in np.flatnonzero(share >= SEEN_SHARE):
        found[graph.edges[k]] = True
    for k in blocked:
        found[graph.edges[k]] = False
    return found


def in_sight(scene: Scene, points: np.ndarray) -> np.ndarray:
    """To which points (n, 2) m in map the scan shows a free straight way: (n,) bool."""
    assert scene.map_from_base is not None
    lidar = compose(scene.map_from_base, scene.base_from_lidar)
    away = points - lidar[:2]
    bearing = np.arctan2(away[:, 1], away[:, 0]) - lidar[2]
    beside = np.abs(wrap_angle(sector_angles(len(scene.sectors)) - bearing[:, None])) < SIGHT
    nearest = np.where(beside, scene.sectors, np.inf).min(axis=1)
    return nearest > np.hypot(away[:, 0], away[:, 1])


def _room_beside(graph: WalkGraph, points: np.ndarray, aside: np.ndarray) -> np.ndarray:
    """Distances (S,) m from points (S, 2) m to the map's next solid in a direction (S, 2)."""
    steps = np.arange(0.0, WIDEST, 0.05)
    room = graph.room(points[:, None] + steps[None, :, None] * aside[:, None])
    closed = room < 0.03
    return np.where(closed.any(axis=1), steps[closed.argmax(axis=1)], WIDEST)


def _blocked(way: EdgePoints, hits: np.ndarray, strange: np.ndarray) -> list[int]:
    """Edges that what is not on the map, at `strange` (m, 2) m, leaves no passage beside.

    hits (n, 2) m: all returns, with those of the map.
    """
    if not len(strange):
        return []
    along, aside = _on_ways(way, strange)  # (E, m)
    beside = np.abs(aside) < BESIDE
    beside &= (along > 0.0) & (along < way.lengths[:, None])
    blocked = []
    for k in map(int, np.flatnonzero(beside.any(axis=1))):
        hit_along, hit_aside = _on_ways(way, hits, k)
        for place in np.unique(np.round(along[k, beside[k]] / SLICE) * SLICE):
            sample = way.first[k] + int(
                np.clip(place / way.lengths[k], 0, 1) * (way.count[k] - 1) + 0.5
            )
            left, right = way.left[sample], way.right[sample]
            across = hit_aside[np.abs(hit_along - place) <= SLICE]
            across = across[(across < left) & (across > -right)]
            edges = np.sort(np.concatenate([[-right, left], across]))
            if np.diff(edges).max() < way.graph.base.passage:
                blocked.append(k)
                break
    return blocked


def _on_ways(
    way: EdgePoints, points: np.ndarray, k: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Where points (m, 2) m lie along and to the left of ways: (E, m) m each, or of way k: (m,)."""
    chosen = slice(None) if k is None else slice(k, k + 1)
    starts, along = way.starts[chosen], way.along[chosen]
    away = points[None] - starts[:, None]
    forward = away[..., 0] * along[:, None, 0] + away[..., 1] * along[:, None, 1]
    left = away[..., 1] * along[:, None, 0] - away[..., 0] * along[:, None, 1]
    return (forward, left) if k is None else (forward[0], left[0])

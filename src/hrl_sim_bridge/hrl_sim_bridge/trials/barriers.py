"""Barriers across aisles: where one stands, for the plant, the draws and the judge alike."""

from collections.abc import Iterable

import numpy as np

from hrl_core.floor.clearance import clearance
from hrl_core.floor.rectangles import Rectangle
from hrl_core.site import Site
from hrl_sim_bridge.trials.trial import Obstacle

BARRIER_THICKNESS = 0.3  # m
BARRIER_GAP = 0.3  # m left beside a barrier: less than any robot needs
BARRIER_SHORTEST, BARRIER_LONGEST = 0.4, 4.0  # m
STEP = 0.02  # m, along the line that is searched for something that stands fast


def barrier_at(site: Site, obstacles: Iterable[Obstacle], waypoint: str) -> Rectangle:
    """What closes the way through a waypoint across its direction, as far as there is room."""
    x, y, yaw = site.waypoints[waypoint].pose
    across = np.array([-np.sin(yaw), np.cos(yaw)])
    boxes = [each.rectangle() for each in obstacles]
    steps = np.arange(0.0, 0.5 * BARRIER_LONGEST + STEP, STEP)

    def free_way(side: int) -> float:
        points = np.array([x, y]) + side * steps[:, None] * across
        hit = clearance(site, boxes, points) <= 0
        return float(steps[hit.argmax()] if hit.any() else 0.5 * BARRIER_LONGEST)

    left, right = free_way(1), free_way(-1)
    width = max(left + right - 2 * BARRIER_GAP, BARRIER_SHORTEST)
    centre = np.array([x, y]) + 0.5 * (left - right) * across
    return Rectangle("barrier", np.array([*centre, yaw]), np.array([BARRIER_THICKNESS, width]))

"""Ways along a site's waypoints, for drawing what happens on them. Neighbours go both ways."""

from __future__ import annotations

import heapq

import numpy as np

from hrl_core.site import Site


def nearest_waypoint(site: Site, point: np.ndarray) -> str:
    """The waypoint nearest to a point (2,) m in map."""
    return min(site.waypoints, key=lambda name: _distance(site.waypoints[name].pose[:2], point))


def neighbours(site: Site, name: str) -> list[str]:
    """Waypoints that an edge joins with this one."""
    ahead = site.waypoints[name].neighbours
    behind = [other for other, waypoint in site.waypoints.items() if name in waypoint.neighbours]
    return sorted({*ahead, *behind} - {name})


def shortest_route(site: Site, start: str, goal: str) -> list[str]:
    """Waypoints from start to goal on the shortest way (Dijkstra); empty: there is none."""
    queue, came_from, done = [(0.0, start, "")], {}, set()
    while queue:
        length, name, before = heapq.heappop(queue)
        if name in done:
            continue
        done.add(name)
        came_from[name] = before
        if name == goal:
            route = [goal]
            while came_from[route[-1]]:
                route.append(came_from[route[-1]])
            return route[::-1]
        here = site.waypoints[name].pose[:2]
        for other in neighbours(site, name):
            step = _distance(here, site.waypoints[other].pose[:2])
            heapq.heappush(queue, (length + step, other, name))
    return []


def _distance(a, b) -> float:
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))

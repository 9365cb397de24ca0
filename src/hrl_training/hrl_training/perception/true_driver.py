"""Walks a mission by the plant's truth: for benchmarks of what does not walk itself."""

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from hrl_core.geometry import compose, invert
from hrl_core.site import Site
from hrl_sim_bridge.trials.trial import Trial

SPEED, TURN = 0.6, 0.7  # m/s, rad/s
PASSED = 0.2  # m, from a waypoint
ARRIVED, FACING = 0.04, 0.04  # m, rad, from a pose to stand at
LOOK_TICKS = 20  # standing in front of a bin or station


@dataclass(frozen=True)
class Step:
    """Walk to a pose (3,) in map with the arm in a named pose, then stand for `hold` ticks.

    precise: servo straight to the pose, heading and all; otherwise pass by its position.
    """

    goal: np.ndarray
    arm: str
    precise: bool = False
    hold: int = 0
    max_ticks: int = 250

    def twist(self, map_from_base: np.ndarray) -> np.ndarray | None:
        """Velocity (3,) towards the goal; None: there."""
        goal = compose(invert(map_from_base), self.goal)
        distance = float(np.hypot(goal[0], goal[1]))
        if self.precise:
            if distance < ARRIVED and abs(goal[2]) < FACING:
                return None
            velocity = np.clip(1.2 * goal[:2], [-0.35, -0.25], [0.4, 0.25])
            return np.array([*velocity, np.clip(1.2 * goal[2], -TURN, TURN)])
        if distance < PASSED:
            return None
        heading = float(np.arctan2(goal[1], goal[0]))
        forward = SPEED if abs(heading) < 0.5 else 0.0
        return np.array([forward, 0.0, np.clip(1.8 * heading, -TURN, TURN)])


def mission_steps(site: Site, trial: Trial) -> list[Step]:
    """From the start to the ordered bin, and with the arm in `carry` to the station."""
    steps: list[Step] = []
    place = trial.start
    for name, arm in ((trial.order.from_bin, "stow"), (trial.order.to_station, "carry")):
        staging = site.pose_in_front(name, site.staging)
        standoff = site.pose_in_front(name, site.standoff)
        steps += [Step(pose, arm) for pose in waypoints_between(site, place, staging)]
        steps.append(Step(staging, arm))
        steps.append(Step(staging, arm, precise=True))
        steps.append(Step(standoff, arm, precise=True))
        steps.append(Step(standoff, "ready", precise=True, hold=LOOK_TICKS))
        steps.append(Step(staging, arm, precise=True))
        place = staging
    return steps


def waypoints_between(site: Site, start: np.ndarray, goal: np.ndarray) -> list[np.ndarray]:
    """Poses (3,) of waypoints on the shortest way of the graph between two places."""

    def nearest(pose: np.ndarray) -> str:
        return min(
            site.waypoints,
            key=lambda name: float(np.hypot(*(np.array(site.waypoints[name].pose) - pose)[:2])),
        )

    first, last = nearest(start), nearest(goal)
    queue: list[tuple[float, str, tuple[str, ...]]] = [(0.0, first, (first,))]
    done: set[str] = set()
    while queue:
        length, name, path = heappop(queue)
        if name == last:
            return [np.array(site.waypoints[step].pose) for step in path]
        if name in done:
            continue
        done.add(name)
        here = np.array(site.waypoints[name].pose)
        for neighbour in site.waypoints[name].neighbours:
            step = np.array(site.waypoints[neighbour].pose) - here
            way = float(np.hypot(step[0], step[1]))
            heappush(queue, (length + way, neighbour, (*path, neighbour)))
    raise ValueError(f"no way from waypoint {first!r} to {last!r} at site {site.name!r}")


def route(trial: Trial, steps: list[Step]) -> np.ndarray:
    """The way (n, 2) m in map from the start through all steps."""
    return np.array([trial.start[:2], *(step.goal[:2] for step in steps)])

"""Whether an order can be carried out at all, by the plant's truth: for judging, never for a robot.

Not solvable is an order whose item is gone or lies on the floor, or that needs a way which
barriers close for good: there the right end of a mission is to hand over to a person.
"""

from dataclasses import dataclass, replace

import numpy as np

from hrl_core.floor.clearance import clearance
from hrl_core.floor.rectangles import Rectangle
from hrl_core.floor.routes import PASSAGE_CELL, passable
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_sim_bridge.judging.judge import item_on_floor
from hrl_sim_bridge.plant.truth import Truth
from hrl_sim_bridge.trials.barriers import barrier_at
from hrl_sim_bridge.trials.disturbance_draws import WAY
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from hrl_sim_bridge.worlds.world import World


@dataclass(frozen=True)
class Solvability:
    """Whether an order can be carried out, and a sentence that says why."""

    ok: bool
    why: str


def final_bins(trial: Trial) -> dict[str, str | None]:
    """Which bin each item of the stock stands in when faults that end have ended; None: nowhere."""
    bins: dict[str, str | None] = {placed.name: placed.bin or None for placed in trial.stock}
    for fault in trial.faults:
        if fault.duration:
            continue
        if fault.kind is FaultKind.MISSING_ITEM and fault.target in bins:
            bins[fault.target] = None
        if fault.kind is FaultKind.MISPLACED_ITEM:
            item, _, bin_name = fault.target.partition("@")
            if item in bins:
                bins[item] = bin_name
    return bins


def solvable(
    world: World, trial: Trial, truth: Truth | None = None, robot: Robot | None = None
) -> Solvability:
    """Whether the trial's order can be carried out, with all that is planned to happen.

    robot: None: any item counts as one that it can grasp.

    truth: of the end of a mission, if there was one; what had not happened by then does not
    count, and the robot needs no way that it has behind it.
    """
    order, site = trial.order, world.site
    unfit = "" if robot is None else robot.arm.refusal(order.item, site.item(order.item))
    if unfit:
        return Solvability(False, unfit)
    bin_name = final_bins(trial)[order.item]
    if bin_name is None:
        return Solvability(False, f"{order.item} is nowhere")
    if any(fault.kind is FaultKind.DROPPED_ITEM for fault in trial.faults) and (
        truth is None or item_on_floor(truth, order, site)
    ):
        return Solvability(False, f"{order.item} falls out of the gripper")
    barriers = _barriers(site, trial, truth)
    if not barriers:
        return Solvability(True, f"{order.item} stands in {bin_name}")
    places = {bin_name: site.pose_in_front(bin_name, site.staging)[:2]}
    start = trial.start[:2]
    if truth is not None:
        start = truth.map_from_base[:2, 3]
        if truth.held == order.item:
            places = {}
    places[order.to_station] = site.pose_in_front(order.to_station, site.staging)[:2]
    solid = [*(each.rectangle() for each in trial.obstacles), *barriers]
    start = _free_place(site, solid, start)
    reached = passable(site, solid, np.array([start, *places.values()]), WAY)
    closed = [name for name, ok in zip(places, reached[1:], strict=True) if not ok]
    if closed:
        return Solvability(False, f"barriers close the way to {' and '.join(closed)}")
    return Solvability(True, f"{order.item} stands in {bin_name}, and there is a way")


def all_solvable(
    world: World, trial: Trial, truth: Truth | None, robot: Robot
) -> list[Solvability]:
    """The same for each order of the trial's mission."""
    return [solvable(world, replace(trial, order=order), truth, robot) for order in trial.orders]


def _free_place(site: Site, solid: list[Rectangle], point: np.ndarray) -> np.ndarray:
    """The point (2,) m nearest to one in map with room for a way; itself where there is room."""
    grid = np.mgrid[-1:1.05:0.1, -1:1.05:0.1].reshape(2, -1).T
    places = point + grid[np.argsort(np.linalg.norm(grid, axis=1), kind="stable")]
    free = clearance(site, solid, places) >= 0.5 * WAY + PASSAGE_CELL
    return places[free.argmax()] if free.any() else point


def _barriers(site: Site, trial: Trial, truth: Truth | None) -> list[Rectangle]:
    """Barriers that stay; after a mission only those that stand."""
    lasting = [
        fault
        for fault in trial.faults
        if fault.kind is FaultKind.BLOCKED_AISLE and not fault.duration
    ]
    if truth is not None:
        lasting = [fault for fault in lasting if _happened(fault, truth)]
    return [barrier_at(site, trial.obstacles, fault.target) for fault in lasting]


def _happened(fault: Fault, truth: Truth) -> bool:
    return any(f.kind is fault.kind and f.target == fault.target for f in truth.happened)

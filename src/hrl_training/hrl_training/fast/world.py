"""A trial at the level of skills: each runs in a millisecond, by its layout and measured outcomes.

It gives the master the same Scene that build_scene gives on the robot and takes the same
decisions, so that beliefs, candidates, features and the mission are the ones that run there. What
really happens (items, faults, poses) stays inside `plant` and in `judge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from hrl_core.geometry import transform_from, transform_from_planar
from hrl_core.outcomes import Code, Outcome
from hrl_master.orders import Decision
from hrl_master.scene import SECTORS, Scene
from hrl_sim_bridge.judging.solvable import solvable
from hrl_sim_bridge.plant.truth import Truth
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.faults import FaultKind
from hrl_sim_bridge.worlds.world import World
from hrl_training.fast.floor import Floor
from hrl_training.fast.plant import FastPlant, outcome_of, the_robot
from hrl_training.fast.skill_conditions import success_estimate
from hrl_training.fast.skill_outcomes import OutcomeModel
from hrl_training.fast.skills import FastSkills

POSE_SD = np.array([0.01, 0.01, 0.006])  # m, m, rad, of the localisation


@dataclass(frozen=True)
class FastJudgement:
    """How a mission went by the simulator's truth."""

    delivered: bool
    wrong_item: bool
    item_on_floor: bool
    solvable: bool
    fell: bool


@dataclass
class _FastTruth:
    """As much of hrl_sim_bridge.plant.truth.Truth as the judge of solvability asks for."""

    map_from_base: np.ndarray
    held: str | None
    items: Mapping[str, np.ndarray]
    happened: tuple
    touched_items: tuple[str, ...] = field(default=())


class FastWorld:
    """One robot in one trial. `floor`: of the same site, to share what it has computed."""

    def __init__(
        self,
        world: World,
        trial: Trial,
        model: OutcomeModel,
        rng: np.random.Generator | None = None,
        floor: Floor | None = None,
    ) -> None:
        self.world, self.trial = world, trial
        self._model = model
        rng = rng or np.random.default_rng([trial.seed, 0xFA57])
        self.plant = FastPlant(world.site, trial, rng, floor or Floor(world.site))
        self._skills = FastSkills(self.plant, model)

    @property
    def time(self) -> float:
        """Simulated time [s]."""
        return self.plant.time

    def scene(self) -> Scene:
        """What build_scene would give now."""
        plant = self.plant
        pose = plant.robot.pose + POSE_SD * plant.rng.standard_normal(3)
        arm, holding = the_robot().arm, plant.robot.holding is not None
        age = plant.time - plant.scan_at
        return Scene(
            stamp=plant.time,
            map_from_base=pose,
            position_std=0.01,
            sectors=plant.sectors() if age <= 1.0 else np.full(SECTORS, np.nan),
            seen=plant.sight.seen(plant.time),
            gripper_position=arm.gripper_closed - arm.half_open * holding,
            gripper_effort=arm.gripper_effort_limit * holding,
            holding=holding,
            tilt=1.2 if plant.robot.fell else 0.02,
            base_from_lidar=plant.base_from_lidar,
            scan_age=age,
        )

    def chance(self, decision: Decision) -> float | None:
        """What the skill says of its chances; None: it says nothing."""
        plant = self.plant
        if decision.skill not in self._model.skills:
            return None
        if plant.outage(FaultKind.LIDAR_OUTAGE, "", plant.time, plant.time + 1e-3) is not None:
            return 0.0
        told = success_estimate(decision.skill)
        return None if told is None else told(self._skills.conditions(decision, planned=False))

    def run(self, decision: Decision) -> tuple[Outcome, float]:
        """Carry out a decision; the outcome and how long it took [s]."""
        plant = self.plant
        began = plant.time
        if decision.skill == "wait":
            plant.stand(decision.parameters["duration_s"])
            outcome = outcome_of(Code.SUCCEEDED, "waited")
        elif plant.robot.fell:
            outcome = plant.refuse(Code.FELL, "the robot has fallen")
        elif plant.outage(FaultKind.LIDAR_OUTAGE, "", began - 1e-3, began + 1e-3) is not None:
            outcome = plant.refuse(
                Code.NOT_READY, f"scan is {plant.time - plant.scan_at:.2f} s old"
            )
        else:
            outcome = self._skills.run(decision)
        plant.disturbances.note(plant.time)
        return outcome, plant.time - began

    def judge(self) -> FastJudgement:
        """By the truth: is the ordered item where it belongs, and could it have been?"""
        plant = self.plant
        order, places = plant.trial.order, plant.items()
        on = {name: face for name, (_, face) in plant.put_down.items()}
        truth = _FastTruth(
            transform_from_planar(plant.robot.pose),
            plant.robot.holding,
            {name: transform_from(place) for name, (place, _) in places.items()},
            tuple(plant.disturbances.happened),
        )
        stations = {station.name for station in plant.site.stations}
        return FastJudgement(
            delivered=on.get(order.item) == order.to_station and plant.delivered_well,
            wrong_item=any(face in stations for name, face in on.items() if name != order.item),
            item_on_floor=on.get(order.item) == "",
            solvable=solvable(self.world, plant.trial, cast(Truth, truth)).ok,
            fell=plant.robot.fell,
        )

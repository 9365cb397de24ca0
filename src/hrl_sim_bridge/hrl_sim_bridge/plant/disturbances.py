"""The faults of a running plant: when each comes on and when it is over."""

from dataclasses import replace

import mujoco
import numpy as np

from hrl_core.config import ConfigError
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_sim_bridge.plant.effects import EFFECTS, Simulation
from hrl_sim_bridge.plant.sensors import Body
from hrl_sim_bridge.plant.truth import ContactWatch
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.faults import (
    CARRIED,
    NEAR,
    Fault,
    FaultKind,
    Trigger,
    check_target,
    check_trigger,
)


class Disturbances:
    """The faults of a plant: the trial's and those injected while it runs."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        site: Site,
        robot: Robot,
        trial: Trial,
        watch: ContactWatch,
    ) -> None:
        self._sim = Simulation(model, data, site, robot, trial, watch, Body(robot, model))
        self._effects = {kind: effect(self._sim) for kind, effect in EFFECTS.items()}
        self._faults = list(trial.faults)
        self._on: list[Fault] = []
        self._at_rest: dict[str, np.ndarray] = {}  # item -> (3,) m in map, when last not held
        self._happened: list[Fault] = []

    @property
    def happened(self) -> tuple[Fault, ...]:
        """The faults that have come on, in their order."""
        return tuple(self._happened)

    def add(self, fault: Fault) -> None:
        """Add a fault; raises ConfigError for a wrong target or when no spare is left."""
        wrong = check_target(fault.kind, fault.target, self._sim.site)
        if wrong:
            raise ConfigError(f"fault target {fault.target!r}: {wrong}")
        wrong = check_trigger(fault.kind, fault.trigger)
        if wrong:
            raise ConfigError(f"fault trigger {fault.trigger.value!r}: {wrong}")
        self._effects[fault.kind].check(fault)
        self._faults.append(fault)

    def active(self, kind: FaultKind, target: str = "") -> bool:
        """Whether a fault of this kind and target is on."""
        return any(fault.kind is kind and fault.target == target for fault in self._on)

    def advance(self, time: float) -> None:
        """Start and end faults by the time [s]; keep up those that follow the robot."""
        if time >= 0:  # the robot still settles before
            self._faults = [self._after_trigger(fault, time) for fault in self._faults]
        for fault in self._faults:
            effect = self._effects[fault.kind]
            if fault.active(time) and fault not in self._on and effect.has_room(fault):
                effect.start(fault)
                self._on.append(fault)
                self._happened.append(fault)
        for fault in [fault for fault in self._on if not fault.active(time)]:
            self._end(fault)
        self._faults = [fault for fault in self._faults if not fault.over(time)]
        for kind, effect in self._effects.items():
            for fault in effect.advance([fault for fault in self._on if fault.kind is kind]):
                self._faults.remove(fault)
                self._end(fault)

    def _end(self, fault: Fault) -> None:
        self._on.remove(fault)
        self._effects[fault.kind].end(fault)

    def _after_trigger(self, fault: Fault, time: float) -> Fault:
        """The fault by the clock, once its trigger has come; else itself."""
        if fault.trigger is Trigger.NEAR:
            came = self._effects[fault.kind].distance(fault) < NEAR
        elif fault.trigger is Trigger.CARRYING:
            came = self._sim.in_stock(fault.target) and self._is_carried(fault.target)
        else:
            return fault
        return replace(fault, start=time + fault.start, trigger=Trigger.CLOCK) if came else fault

    def _is_carried(self, item: str) -> bool:
        """Whether an item is between the jaws, away from where it was grasped."""
        position = self._sim.data.body(f"item/{item}").xpos
        if self._sim.watch.items(self._sim.data)[0] != item:
            self._at_rest[item] = position.copy()
            return False
        start = self._at_rest.setdefault(item, position.copy())
        return bool(np.linalg.norm(position - start) > CARRIED)

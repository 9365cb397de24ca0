"""Scenes made by hand, and a small simulated run of the order to act on."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.site import Site, load_site
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import Decider, make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.orders import Attempt, Decision, Order
from hrl_master.reasons import Check
from hrl_master.scene import SECTORS, Scene, Seen

SITE = load_site("small_warehouse")
ORDER = Order("can", "A2", "packing")


def free_scene(stamp: float, pose=(1.2, 1.6, 0.0), **changes) -> Scene:
    """A robot that is well, in a hall without anything within the lidar's range."""
    scene = Scene(
        stamp=stamp,
        map_from_base=np.array(pose, float),
        position_std=0.02,
        sectors=np.full(SECTORS, 12.0),
        seen={},
        gripper_position=0.0,
        gripper_effort=0.0,
        holding=False,
        tilt=0.0,
        base_from_lidar=np.array([-0.25, 0.0, 0.0]),
        scan_age=0.05,
    )
    return replace(scene, **changes)


def item_at(face: str, age: float = 0.1) -> Seen:
    """An item that stands in the middle of a bin."""
    frame = SITE.face(face).copy()
    frame[:3, 3] += frame[:3, :3] @ np.array([-0.1, 0.0, 0.15])
    return Seen("item", frame, age, 0.9)


class Story:
    """A decider and what happens to it: `go` asks it, acts, and tells it how that went."""

    def __init__(self, order: Order = ORDER, helpers=None, site: Site = SITE, **config):
        guardrails = Guardrails(site, GuardrailConfig())
        self.decider: Decider = make_decider(site, MasterConfig(**config), guardrails, helpers)
        self.decider.begin(order)
        self.clock = itertools.count(1.0, 2.0)  # s
        self.scene = free_scene(next(self.clock))

    def change(self, **changes) -> None:
        """Time passes and the scene changes."""
        self.scene = replace(self.scene, stamp=next(self.clock), **changes)

    def ask(self) -> Decision:
        return self.decider.decide(self.decider.observe(self.scene))

    def go(self, code: Code = Code.SUCCEEDED, **changes) -> Decision:
        """One decision, carried out; with a code that is no success, it fails so."""
        decision = self.ask()
        worked = code is Code.SUCCEEDED
        if worked and decision.skill == "walk":
            changes.setdefault("map_from_base", decision.pose)
        if worked and decision.skill == "approach":
            pose = SITE.pose_in_front(decision.target, SITE.standoff)
            changes.setdefault("map_from_base", pose)
        if worked and decision.skill == "grasp":
            changes.setdefault("holding", True)
        self.change(**changes)
        outcome = Outcome(code, code.name, Verdict(worked, ""), np.eye(4) if worked else None)
        self.decider.record(Attempt(decision, outcome, Check(worked, "")), self.scene)
        return decision

    def until(self, skill: str, most: int = 12, code: Code = Code.SUCCEEDED) -> list[Decision]:
        """Decisions up to the first of a skill, which is not carried out."""
        done = []
        while (decision := self.ask()).skill != skill:
            done.append(self.go(code))
            assert len(done) <= most, [f"{d.skill} {d.target}: {d.reason}" for d in done]
        return [*done, decision]


@pytest.fixture
def story() -> Callable[..., Story]:
    return Story

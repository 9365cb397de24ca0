"""Learning without skills: one policy that commands velocities and the gripper, for comparison.

The same site, start, order and reward as for the master, in a planar simulation that is kinder than
the real task: no disturbances, the goal's pose exactly known, an arm that always succeeds once the
robot stands right and asks it to close or to open. PPO is that of the skills (hrl_training.rl.ppo).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrl_core.floor.clearance import clearance
from hrl_core.floor.grid import Grid
from hrl_core.floor.rays import edge_ranges
from hrl_core.geometry import compose, invert
from hrl_core.robot import load_robot
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.world import World
from hrl_training.fast.floor import Floor
from hrl_training.fast.rollouts import WEIGHTS
from hrl_training.rl.actor_critic import Mirror
from hrl_training.rl.ppo import Step

DT = 0.5  # s
LONGEST = 150.0  # s of a mission
GRID = 0.1  # m
BEAMS = 24
REACH = 0.12  # m and rad off the standoff, as the guardrails allow
GRASP, PLACE = 7.4, 11.2  # s, medians of the skills' trials
TRIALS = 40
CLOSER = 0.05  # of the reward, per metre that the goal comes nearer: without it nothing is learned
OBSERVATION = 5 + 1 + 3 + BEAMS


@dataclass
class _One:
    """One mission that runs."""

    pose: np.ndarray
    goals: tuple[np.ndarray, np.ndarray]  # standoff of the bin, of the station
    stage: int = 0  # 0: to the bin, 1: to the station
    time: float = 0.0
    command: np.ndarray | None = None


class FlatMissions:
    """Missions at one site that step together; see hrl_training.rl.ppo.VectorEnv."""

    observation_size = OBSERVATION
    critic_size = OBSERVATION
    action_size = 4  # shares of the velocity limits, and the gripper: above 0 it is to act
    mirror: Mirror | None = None

    def __init__(self, world: World, count: int, seed: int) -> None:
        self.num_envs = count
        self.returns: list[float] = []  # of finished missions
        self._rng = np.random.default_rng(seed)
        base = load_robot().base
        self._limits = np.array(base.velocity_max)
        self._nearest = 0.5 * base.way  # m to anything
        self._floor = Floor(world.site)
        site = world.site
        trials = [draw_trial(world, k, "none") for k in range(TRIALS)]
        self._tasks = [
            (
                trial.start,
                (
                    site.pose_in_front(trial.order.from_bin, site.standoff),
                    site.pose_in_front(trial.order.to_station, site.standoff),
                ),
            )
            for trial in trials
        ]
        self._grid = Grid.over(site.size, GRID)
        self._room = clearance(site, (), self._grid.centres)
        self._all = [self._new() for _ in range(count)]

    def reset(self) -> tuple[np.ndarray, np.ndarray]:
        self._all = [self._new() for _ in range(self.num_envs)]
        seen = self._observe()
        return seen, seen

    def step(self, action: np.ndarray) -> Step:
        rewards, ended = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        before = [self._left(one) for one in self._all]
        for k, one in enumerate(self._all):
            rewards[k], ended[k] = self._advance(one, np.clip(action[k], -1, 1))
            if not ended[k] and one.time > 0:
                rewards[k] += CLOSER * max(-1.0, min(1.0, before[k] - self._left(one)))
        final = self._observe()
        for k in np.flatnonzero(ended):
            self._all[k] = self._new()
        seen = self._observe() if ended.any() else final
        terms = {"finished": float(len(self.returns))}
        none = np.zeros(self.num_envs, bool)
        return Step(seen, seen, rewards, ended, none, final, terms)

    def _new(self) -> _One:
        start, goals = self._tasks[self._rng.integers(len(self._tasks))]
        return _One(start.copy(), goals, command=np.zeros(3))

    def _left(self, one: _One) -> float:
        """Straight distance [m] to the present goal."""
        return float(np.linalg.norm(one.goals[one.stage][:2] - one.pose[:2]))

    def _advance(self, one: _One, action: np.ndarray) -> tuple[float, bool]:
        """One step of a mission: its reward, and whether it has ended."""
        spent, ended, bonus = DT, False, 0.0
        off = compose(invert(one.pose), one.goals[one.stage])
        at_goal = np.hypot(off[0], off[1]) < REACH and abs(off[2]) < REACH
        if action[3] > 0 and at_goal:
            spent = GRASP if one.stage == 0 else PLACE
            ended = one.stage == 1
            bonus = WEIGHTS["delivered"] if ended else 0.0
            one.stage = min(one.stage + 1, 1)
        else:
            one.command = action[:3] * self._limits
            moved = compose(one.pose, one.command * DT)
            if self._room[self._grid.cell_of(moved[:2])] >= self._nearest:
                one.pose = moved
            else:
                one.pose = np.array([*one.pose[:2], moved[2]])
        one.time += spent
        if not ended and one.time >= LONGEST:
            ended, bonus = True, WEIGHTS["failed"]
        if ended:
            self.returns.append(bonus + WEIGHTS["second"] * one.time)
        return WEIGHTS["second"] * spent + bonus, ended

    def _observe(self) -> np.ndarray:
        rows = []
        angles = np.linspace(-np.pi, np.pi, BEAMS, endpoint=False)
        for one in self._all:
            goal = compose(invert(one.pose), one.goals[one.stage])
            far = max(float(np.hypot(goal[0], goal[1])), 1e-3)
            seen = edge_ranges(one.pose[:2], angles + one.pose[2], self._floor.edges, 12.0)
            assert one.command is not None
            rows.append(
                np.concatenate(
                    [
                        goal[:2] / far,
                        [min(far, 3.0), np.cos(goal[2]), np.sin(goal[2]), float(one.stage)],
                        one.command,
                        np.exp(-seen),
                    ]
                )
            )
        return np.array(rows, np.float32)

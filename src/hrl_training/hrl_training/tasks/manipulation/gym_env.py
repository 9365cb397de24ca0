"""One arm of a ManipulationEnv with the interface of gymnasium, for other people's algorithms.

Action and observation: those of the skill. Reward: 1 for success, -1 for failure, and a little for
what the tool (grasp) or the item (place) comes nearer. Episode end: as in ManipulationEnv.
"""

from typing import Any, Literal

import gymnasium
import numpy as np

from hrl_skills import grasp_observation, place_observation
from hrl_skills.manipulation import ACTION, Hand, ItemEstimate, grasp_point
from hrl_training.tasks.manipulation.env import ManipulationEnv
from hrl_training.tasks.manipulation.episode_draws import Episodes
from hrl_training.tasks.manipulation.train import held_items

NEARER = 1.0  # reward per metre
BANK = 16  # grasps that placing starts from


class ManipulationGym(gymnasium.Env):
    """Grasp or place with one arm; `bank`: held items to place, made from a seed if None."""

    def __init__(self, task: Literal["grasp", "place"], bank: Episodes | None = None) -> None:
        fields = grasp_observation.OBSERVATION if task == "grasp" else place_observation.OBSERVATION
        size = sum(field.size for field in fields)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (len(ACTION),), np.float32)
        self._task, self._bank = task, bank
        self._env: ManipulationEnv | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        if self._task == "place" and self._bank is None:
            self._bank = held_items(BANK, seed=0)
        if self._env is None or seed is not None:
            drawn = int(self.np_random.integers(2**31))
            self._env = ManipulationEnv(self._task, 1, drawn, self._bank, near=0.0)
        else:
            self._env.reset(np.ones(1, bool))
        observation, self._hand, item = self._env.sense()
        self._distance = self._distance_left(self._hand, item)
        return observation[0], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self._env is not None, "reset() comes before step()"
        ended = self._env.step(self._hand, np.asarray(action, float)[None])
        observation, self._hand, item = self._env.sense()
        distance = self._distance_left(self._hand, item)
        success, failure = bool(ended.success[0]), bool(ended.failure[0])
        reward = NEARER * (self._distance - distance) + float(success) - float(failure)
        self._distance = distance
        info = {"success": success, "failure": failure}
        return observation[0], reward, success or failure, bool(ended.timeout[0]), info

    def _distance_left(self, hand: Hand, item: ItemEstimate) -> float:
        """From the tool to the grasp point, or from the item to its target [m], as believed."""
        assert self._env is not None
        if self._task == "grasp":
            point = grasp_point(self._env.robot.arm.gripper, item, hand.rotation)
            return float(np.linalg.norm(point - hand.position))
        return float(np.linalg.norm(self._env.target_in_base() - item.position))

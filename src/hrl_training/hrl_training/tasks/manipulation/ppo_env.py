"""ManipulationEnv as PPO trains on it: rewards, and what only the critic knows.

Rewards: `WEIGHTS`, each term bounded: progress of a potential (`GRASP`: near the grasp point,
lifted; `PLACE`: near the target, let go of, away from it), a little for each tick that passes, for
hard touches and for jerks, and the episode's end.
"""

import numpy as np

from hrl_skills.manipulation import ACTION, ItemEstimate, grasp_point, to_yaw_frame
from hrl_training.rl.ppo import Step
from hrl_training.tasks.manipulation.ends import Ended
from hrl_training.tasks.manipulation.env import ManipulationEnv
from hrl_training.tasks.manipulation.script import make_script, steepest

WEIGHTS = {
    "progress": 1.0,  # of the potential
    "time": -0.03,
    "jerk": -0.004,
    "shelf": -0.5,  # hard touches of the shelf
    "clutter": -0.3,  # and of what stands about
    "success": 5.0,
    "failure": -6.0,
}
GRASP = {  # potential of a grasp
    "near": 2.0,
    "close": 1.0,
    "between": 1.5,  # the jaws
    "lifted": 4.0,
    "steep": -4.0,  # per rad
}
PLACE = {  # potential of a place
    "near": 2.0,
    "close": 2.0,
    "upright": 1.0,
    "placed": 1.0,
    "free": 1.5,  # placed and let go of
    "away": 3.0,  # the hand from what is free
}
STEEPER = 0.05  # rad, by which a hand may grasp more steeply than the script
GENTLE = {"shelf": 10.0, "clutter": 1.0}  # N, touches that cost nothing


class ManipulationVec:
    """The interface of hrl_training.rl.ppo.VectorEnv."""

    mirror = None

    def __init__(self, env: ManipulationEnv) -> None:
        self.env = env
        self._potential = np.zeros(env.count)
        self._script = make_script(env.task, env.robot, env.count)
        self._observation, self._critic = self.reset()

    @property
    def num_envs(self) -> int:
        return self.env.count

    @property
    def observation_size(self) -> int:
        return self._observation.shape[1]

    @property
    def critic_size(self) -> int:
        return self._critic.shape[1]

    @property
    def action_size(self) -> int:
        return len(ACTION)

    def reset(self) -> tuple[np.ndarray, np.ndarray]:
        self.env.reset(np.ones(self.env.count, bool))
        self._sense()
        self._potential = self._now()
        return self._observation, self._critic

    def step(self, action: np.ndarray) -> Step:
        env = self.env
        jerk = np.square(np.clip(action, -1, 1) - env.last_action).sum(1)
        ended = env.step(self._hand, np.clip(action, -1, 1))
        self._sense()
        potential = self._now()
        w = WEIGHTS
        terms = {
            "progress": w["progress"] * (potential - self._potential),
            "time": np.full(env.count, w["time"]),
            "jerk": w["jerk"] * jerk,
            "shelf": w["shelf"] * np.clip((env.shelf_force - GENTLE["shelf"]) / 30, 0, 1),
            "clutter": w["clutter"] * np.clip((env.clutter_force - GENTLE["clutter"]) / 4, 0, 1),
            "end": w["success"] * ended.success + w["failure"] * (ended.failure | ended.timeout),
        }
        reward = np.sum(list(terms.values()), axis=0)
        final_critic = self._critic
        if ended.any.any():
            env.reset(ended.any)
            self._sense()
            potential = np.where(ended.any, self._now(), potential)
        self._potential = potential
        # Out of time is a failure: a policy that is too slow is of no use.
        terminated = ended.any
        figures = {name: float(np.mean(term)) for name, term in terms.items()}
        return Step(
            self._observation,
            self._critic,
            reward.astype(np.float32),
            terminated,
            np.zeros(env.count, bool),
            final_critic,
            figures | _shares(ended),
        )

    def _sense(self) -> None:
        self._observation, self._hand, _ = self.env.sense()
        self._critic = np.concatenate([self._observation, self._privileged()], axis=1)

    def _truth(self) -> ItemEstimate:
        """The item in base_link as it is."""
        env = self.env
        position, rotation = env.item_pose()
        base = env.base_rotation()
        return ItemEstimate(
            env.to_base(position),
            np.einsum("nji,njk->nik", base, rotation),
            env.begun.size,
            env.begun.cylinder,
        )

    def _privileged(self) -> np.ndarray:
        """What the policy does not see (n, 18)."""
        env, hand = self.env, self._hand
        item = self._truth()
        goal = grasp_point(env.robot.arm.gripper, item, hand.rotation)
        if env.task == "place":
            goal = env.to_base(env.begun.target)
        return np.column_stack(
            [
                to_yaw_frame(item.position - hand.position, hand.yaw) * 10.0,
                to_yaw_frame(goal - hand.position, hand.yaw) * 10.0,
                item.rotation[:, :, 2],
                env.begun.mass,
                env.begun.friction,
                env.touching("finger"),
                env.touching("jaw"),
                env.shelf_force / 30.0,
                env.clutter_force / 5.0,
                env.lift() * 10.0,
                env.ticks / 50.0,
                env.good_ticks / 5.0,
            ]
        ).astype(np.float32)

    def _now(self) -> np.ndarray:
        """Potential (n,) of the states."""
        env, hand, item = self.env, self._hand, self._truth()
        finger, jaw = env.touching("finger"), env.touching("jaw")
        if env.task == "grasp":
            point = grasp_point(env.robot.arm.gripper, item, hand.rotation)
            away = np.linalg.norm(point - hand.position, axis=1)
            between = finger & jaw
            lifted = np.clip(env.lift() / 0.12, 0, 1) * between
            near = np.where(between, 1.0, 1 - np.tanh(5 * away))
            close = np.where(between, 1.0, 1 - np.tanh(25 * away))
            # With the pitch of its grasp the item has to be put down: on high boards a flat one.
            allowed = steepest(self._script.seen(self._observation), env.robot.arm, env.kinematics)
            steep = np.clip(hand.pitch - allowed - STEEPER, 0, 0.5)
            w = GRASP
            return (
                w["near"] * near
                + w["close"] * close
                + w["between"] * between
                + w["lifted"] * lifted
                + w["steep"] * steep
            )
        target = env.to_base(env.begun.target)
        error = np.linalg.norm(target - item.position, axis=1)
        placed = (error < 0.04) & (item.rotation[:, 2, 2] > 0.94)
        free = placed & ~finger & ~jaw
        away = np.linalg.norm(hand.position - item.position, axis=1)
        w = PLACE
        return (
            w["near"] * (1 - np.tanh(4 * error))
            + w["close"] * (1 - np.tanh(20 * error))
            + w["upright"] * item.rotation[:, 2, 2]
            + w["placed"] * placed
            + w["free"] * free
            + w["away"] * free * np.clip((away - 0.04) / 0.12, 0, 1)
        )


def _shares(ended: Ended) -> dict[str, float]:
    """Successes and failures per tick and environment."""
    return {"succeeded": float(ended.success.mean()), "failed": float(ended.failure.mean())}

"""ManipulationEnv as PPO trains on it: rewards, and what only the critic knows.

Reward, each term bounded: progress of a potential (near the grasp point, lifted; near the target,
let go of, away from it), a little for each tick that passes, for hard touches and for jerks, and
the episode's end.
"""

import numpy as np

from hrl_skills.manipulation import ACTION, ItemEstimate, grasp_point, to_yaw_frame
from hrl_training.envs.manipulation_env import Ended, ManipulationEnv
from hrl_training.ppo import Step
from hrl_training.scripts_manipulation import make_script, steepest

TICK_COST = 0.03
SUCCESS, FAILURE = 5.0, -6.0
STEEPER, STEEP_COST = 0.05, 4.0  # rad, per rad: hands that grasp more steeply than the script
GENTLE = {"shelf": 10.0, "clutter": 1.0}  # N, touches that cost nothing


class ManipulationVec:
    """The interface of hrl_training.ppo.VectorEnv."""

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
        terms = {
            "progress": potential - self._potential,
            "time": np.full(env.count, -TICK_COST),
            "jerk": -0.004 * jerk,
            "shelf": -0.5 * np.clip((env.shelf_force - GENTLE["shelf"]) / 30, 0, 1),
            "clutter": -0.3 * np.clip((env.clutter_force - GENTLE["clutter"]) / 4, 0, 1),
            "end": SUCCESS * ended.success + FAILURE * (ended.failure | ended.timeout),
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
        goal = grasp_point(item, hand.rotation)
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
            away = np.linalg.norm(grasp_point(item, hand.rotation) - hand.position, axis=1)
            between = finger & jaw
            lifted = np.clip(env.lift() / 0.12, 0, 1) * between
            near = np.where(between, 1.0, 1 - np.tanh(5 * away))
            close = np.where(between, 1.0, 1 - np.tanh(25 * away))
            # With the pitch of its grasp the item has to be put down: on high boards a flat one.
            allowed = steepest(self._script.seen(self._observation), env.kinematics)
            steep = np.clip(hand.pitch - allowed - STEEPER, 0, 0.5)
            return 2 * near + close + 1.5 * between + 4 * lifted - STEEP_COST * steep
        target = env.to_base(env.begun.target)
        error = np.linalg.norm(target - item.position, axis=1)
        placed = (error < 0.04) & (item.rotation[:, 2, 2] > 0.94)
        free = placed & ~finger & ~jaw
        away = np.linalg.norm(hand.position - item.position, axis=1)
        return (
            2 * (1 - np.tanh(4 * error))
            + 2 * (1 - np.tanh(20 * error))
            + item.rotation[:, 2, 2]
            + 1.0 * placed
            + 1.5 * free
            + 3 * free * np.clip((away - 0.04) / 0.12, 0, 1)
        )


def _shares(ended: Ended) -> dict[str, float]:
    """Successes and failures per tick and environment."""
    return {"succeeded": float(ended.success.mean()), "failed": float(ended.failure.mean())}

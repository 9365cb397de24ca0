"""What the policy of walk sees and does: declared once, for training, runtime and the card."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hrl_core.policy.policy import ActionField
from hrl_skills.observation import Observation, Part
from hrl_skills.steering import (
    GOAL_MIRROR,
    TWIST_MIRROR,
    VELOCITY_SCALE,
    goal_features,
    mirror_of,
    nearness,
)

SECTORS = 72
DISTANCE_MAX = 15.0  # m
NEAR = 3.0  # m of the way's cost to the goal, from which on the goal's own pose counts


@dataclass
class WalkSeen:
    """What an observation is worked out from, for n robots.

    Far along the way from its goal a robot steers to the carrot only: where the goal itself lies
    would draw it to the wrong side of shelves.
    """

    goal_in_base: np.ndarray  # (n, 3) m, m, rad
    carrot_in_base: np.ndarray  # (n, 2) m
    left: np.ndarray  # (n,) m of the way
    velocity: np.ndarray  # (n, 3) m/s, m/s, rad/s
    command: np.ndarray  # (n, 3) of the last tick
    previous_command: np.ndarray  # (n, 3) of the tick before
    sectors: np.ndarray  # (n, SECTORS) m
    sectors_before: np.ndarray  # (n, SECTORS) m, 0.3 s ago

    @cached_property
    def near(self) -> np.ndarray:
        """Whether (n,) the goal's own pose counts."""
        return self.left < NEAR

    @cached_property
    def ahead(self) -> np.ndarray:
        """The point (n, 2) m in base_link to steer to."""
        return np.where(self.near[:, None], self.goal_in_base[:, :2], self.carrot_in_base)

    @property
    def goal(self) -> np.ndarray:
        """Features (n, 8) of the pose to steer to."""
        x, y = self.ahead.T
        onward = np.column_stack([x, y, np.arctan2(y, x)])
        pose = np.where(self.near[:, None], self.goal_in_base, onward)
        return np.stack(goal_features(pose), axis=1)

    @property
    def goal_distance(self) -> np.ndarray:
        """Of the way (n,) m, up to DISTANCE_MAX."""
        straight = np.hypot(self.goal_in_base[:, 0], self.goal_in_base[:, 1])
        return np.minimum(np.where(self.near, straight, self.left), DISTANCE_MAX)

    @property
    def carrot(self) -> np.ndarray:
        """Direction and distance (n, 3) of the point to steer to."""
        x, y = self.ahead.T
        reach = np.hypot(x, y)
        far = np.maximum(reach, 1e-2)
        return np.stack([x / far, y / far, np.minimum(reach, 2.0)], axis=1)


OBSERVED: Observation[WalkSeen] = Observation(
    Part(
        "goal",
        8,
        "features of the pose to steer to in base_link, see goal_features",
        lambda s: s.goal,
    ),
    Part("goal_distance", 1, "m of the way, up to 15, divided by 8", lambda s: s.goal_distance / 8),
    Part(
        "carrot",
        3,
        "direction (2) and distance up to 2 m of the carrot in base_link",
        lambda s: s.carrot,
    ),
    Part("velocity", 3, "m/s, m/s, rad/s, times 1.5", lambda s: s.velocity * VELOCITY_SCALE),
    Part(
        "command",
        3,
        "m/s, m/s, rad/s, times 1.5, of the last tick",
        lambda s: s.command * VELOCITY_SCALE,
    ),
    Part(
        "previous_command",
        3,
        "m/s, m/s, rad/s, times 1.5, of the tick before",
        lambda s: s.previous_command * VELOCITY_SCALE,
    ),
    Part("sectors", SECTORS, "exp(-range / 1 m)", lambda s: nearness(s.sectors)),
    Part(
        "sectors_before",
        SECTORS,
        "exp(-range / 1 m), 0.3 s ago",
        lambda s: nearness(s.sectors_before),
    ),
)
OBSERVATION, OBSERVATION_SIZE = OBSERVED.fields, OBSERVED.size
ACTION = (
    ActionField("vx", "share of the velocity limit"),
    ActionField("vy", "share of the velocity limit"),
    ActionField("wz", "share of the velocity limit"),
)
MIRROR = (
    mirror_of([*GOAL_MIRROR, 1, 1, -1, 1, *3 * TWIST_MIRROR], [SECTORS, SECTORS]),
    (np.arange(3), np.array(TWIST_MIRROR)),
)


def observe(
    goal_in_base: np.ndarray,
    carrot_in_base: np.ndarray,
    left: np.ndarray,
    velocity: np.ndarray,
    command: np.ndarray,
    previous_command: np.ndarray,
    sectors: np.ndarray,
    sectors_before: np.ndarray,
) -> np.ndarray:
    """Policy input (n, OBSERVATION_SIZE): goals (n, 3), carrots (n, 2), the way that is left (n,)
    m, twists (n, 3), sectors.
    """
    seen = WalkSeen(
        goal_in_base,
        carrot_in_base,
        left,
        velocity,
        command,
        previous_command,
        sectors,
        sectors_before,
    )
    return OBSERVED.values(seen).astype(np.float32)

"""What the policy of approach sees and does: declared once, for training, runtime and the card."""

from dataclasses import dataclass

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

SECTORS = 36
FORWARD_MAX = 0.6  # m/s; faster gains nothing over 3 m


@dataclass
class Seen:
    """What an observation is worked out from, for n robots."""

    goal_in_base: np.ndarray  # (n, 3) m, m, rad
    target_seen: np.ndarray  # (n,) 1 or 0
    velocity: np.ndarray  # (n, 3) m/s, m/s, rad/s
    command: np.ndarray  # (n, 3) of the last tick
    previous_command: np.ndarray  # (n, 3) of the tick before
    sectors: np.ndarray  # (n, SECTORS) m


OBSERVED: Observation[Seen] = Observation(
    Part(
        "goal",
        8,
        "features of the goal pose in base_link, see goal_features",
        lambda s: np.stack(goal_features(s.goal_in_base), axis=1),
    ),
    Part(
        "target_seen",
        1,
        "1 if the target's marker was seen in the last 0.5 s, else 0",
        lambda s: s.target_seen,
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
)
OBSERVATION, OBSERVATION_SIZE = OBSERVED.fields, OBSERVED.size
ACTION = (
    ActionField("vx", "share of the velocity limit, forward to 0.6 m/s"),
    ActionField("vy", "share of the velocity limit"),
    ActionField("wz", "share of the velocity limit"),
)
MIRROR = (
    mirror_of([*GOAL_MIRROR, 1, *3 * TWIST_MIRROR], [SECTORS]),
    (np.arange(3), np.array(TWIST_MIRROR)),
)


def observe(
    goal_in_base: np.ndarray,
    target_seen: np.ndarray,
    velocity: np.ndarray,
    command: np.ndarray,
    previous_command: np.ndarray,
    sectors: np.ndarray,
) -> np.ndarray:
    """Policy input (n, OBSERVATION_SIZE) from goals (n, 3), flags (n,), twists (n, 3), sectors."""
    seen = Seen(goal_in_base, target_seen, velocity, command, previous_command, sectors)
    return OBSERVED.values(seen).astype(np.float32)

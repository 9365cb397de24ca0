"""Velocity commands on their way to a base: what is obeyed, and for how long."""

import numpy as np
from geometry_msgs.msg import TwistStamped

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.control import COMMAND_AGE


def twist_from_msg(message: TwistStamped) -> np.ndarray:
    """Velocity command -> (3,) vx, vy m/s, wz rad/s in base_link; raises ConfigError."""
    if message.header.frame_id not in ("", topics.BASE):
        raise ConfigError(
            f"header.frame_id = {message.header.frame_id!r}: allowed is {topics.BASE!r}"
        )
    twist = message.twist
    values = np.array([twist.linear.x, twist.linear.y, twist.angular.z])
    if not np.isfinite(values).all():
        raise ConfigError(f"twist = {values.tolist()}: needs finite numbers [m/s, m/s, rad/s]")
    return values


def check_age(stamp: float, now: float) -> None:
    """Raise ConfigError for a velocity command that is too old, or of a time to come.

    A stamp of 0 means now, as many drivers take it.
    """
    age = now - stamp
    if stamp and abs(age) > COMMAND_AGE + 1e-6:
        when = f"{age:.2f} s old" if age > 0 else f"{-age:.2f} s ahead of ROS time"
        raise ConfigError(f"header.stamp is {when}: allowed are {COMMAND_AGE} s")

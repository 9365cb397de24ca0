"""Align: the last steps to a standoff pose, to 2 cm and 2 degrees; an approach seen more finely."""

import numpy as np

from hrl_skills import align
from hrl_training.tasks.navigation.approach_env import ApproachEnv
from hrl_training.tasks.ranges import AlignTasks


class AlignEnv(ApproachEnv):
    """As approach, from nearby; the goal's estimate is the average of align."""

    tasks_model = AlignTasks
    max_steps = align.MAX_STEPS
    precision = align.PRECISION
    position_tolerance, yaw_tolerance = precision.tolerance
    prior_error = np.array([0.03, 0.03, 0.03])  # m, m, rad
    bias = np.array([0.002, 0.002, 0.004])  # m, m, rad
    drift = np.array([0.001, 0.001, 0.001])  # m, m, rad per tick, of the localisation
    look_sd = (0.002, 0.004, 0.005, 0.008)
    at_goal = (0.015, 0.02)  # m, rad

"""Trials of retreat in full physics, for `./hrl evaluate retreat`: those of back_out."""

from typing import Literal

from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_retreat.retreat import TOLERANCE, Retreat
from hrl_training.tasks.navigation.back_out_trials import BackOutTrials
from hrl_training.tasks.ranges import LeaveTasks


class RetreatTasks(LeaveTasks):
    """What a task file of retreat holds."""

    skill: Literal["retreat"] = "retreat"


class RetreatTrials(BackOutTrials):
    """The robot stands in front of a bin or station and leaves it; same seed, same row."""

    tasks_model = RetreatTasks
    tolerance = TOLERANCE

    def make(self, site: Site, robot: Robot) -> Retreat:
        return Retreat(site, robot)

"""The plant alone: a robot in its warehouse, with the topics and services of a real one."""

from hrl_bringup.launching import describe
from hrl_bringup.nodes import PLANT


def generate_launch_description():
    return describe((PLANT,))

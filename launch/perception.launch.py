"""Perception alone. On a robot: perception.launch.py use_sim_time:=false."""

from hrl_bringup.launching import describe
from hrl_bringup.nodes import PERCEPTION


def generate_launch_description():
    return describe((PERCEPTION,))

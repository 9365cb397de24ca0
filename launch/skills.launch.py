"""The four skill servers. On a robot: skills.launch.py use_sim_time:=false."""

from hrl_bringup.launching import describe
from hrl_bringup.nodes import SKILLS


def generate_launch_description():
    return describe(SKILLS)

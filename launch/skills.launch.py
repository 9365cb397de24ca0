"""The skill servers, ours and those of installed packages. On a robot: use_sim_time:=false."""

from hrl_bringup.launching import describe
from hrl_bringup.nodes import SKILLS


def generate_launch_description():
    return describe(SKILLS)

"""The master. On a robot: master.launch.py use_sim_time:=false."""

from hrl_bringup.launching import describe
from hrl_bringup.nodes import MASTER


def generate_launch_description():
    return describe((MASTER,))

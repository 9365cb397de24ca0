"""The node between a robot's driver and our topics."""

from hrl_bringup.launching import describe
from hrl_bringup.nodes import DRIVER


def generate_launch_description():
    return describe((DRIVER,), {"driver": "plant"})

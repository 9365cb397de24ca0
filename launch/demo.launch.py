"""Everything of the demo, in lockstep and as fast as it goes; give the order yourself:

ros2 action send_goal -f run_mission hrl_msgs/action/RunMission "{orders: \
[{id: '1', item: box_small, from_bin: A3, to_station: packing}]}"
"""

from hrl_bringup.launching import describe
from hrl_bringup.nodes import GROUPS


def generate_launch_description():
    return describe(GROUPS["demo"], defaults={"lockstep": "true", "realtime_factor": "0.0"})

"""What the nodes share; the only part of hrl_core that imports ROS."""

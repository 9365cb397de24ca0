"""The test plant: a MuJoCo warehouse with sensors, actuators and faults, as a ROS 2 node."""

#!/usr/bin/env bash
# Runs a command with ROS 2 and the packages of hrl sourced.
set -e
source /opt/ros/jazzy/setup.bash
source /opt/hrl/install/setup.bash
# Room for camera images in shared memory. Fast DDS 2 (Jazzy) reads the second name.
profiles=/opt/hrl/config/fastdds_shm.xml
export FASTDDS_DEFAULT_PROFILES_FILE=${FASTDDS_DEFAULT_PROFILES_FILE:-$profiles}
export FASTRTPS_DEFAULT_PROFILES_FILE=${FASTRTPS_DEFAULT_PROFILES_FILE:-$profiles}
# Who may be met: this computer's nodes, unless the robot's has several.
export ROS_AUTOMATIC_DISCOVERY_RANGE=${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}
exec "$@"

"""Names, types, frames and quality of service of every topic, action and service: the one place."""

from dataclasses import dataclass
from typing import Literal

MAP, ODOM, BASE, LIDAR = "map", "odom", "base_link", "lidar_link"
CAMERAS = ("camera", "hand_camera")  # their optical frames: <name>_optical_frame


@dataclass(frozen=True)
class Topic:
    """A topic: relative name, ROS type, frame of its data, and the quality of service by purpose.

    sensor: newest matters, best effort unless the node is told otherwise; command and event:
    reliable; latched: reliable and kept for late joiners.
    """

    name: str
    type: str
    frame: str
    purpose: Literal["sensor", "command", "event", "latched", "clock"]


CLOCK = Topic("/clock", "rosgraph_msgs/msg/Clock", "", "clock")
SCAN = Topic("scan", "sensor_msgs/msg/LaserScan", LIDAR, "sensor")
IMU = Topic("imu", "sensor_msgs/msg/Imu", BASE, "sensor")
JOINT_STATES = Topic("joint_states", "sensor_msgs/msg/JointState", "", "sensor")
ODOMETRY = Topic("odom", "nav_msgs/msg/Odometry", ODOM, "sensor")
TF = Topic("tf", "tf2_msgs/msg/TFMessage", "", "event")
TF_STATIC = Topic("tf_static", "tf2_msgs/msg/TFMessage", "", "latched")
CMD_VEL = Topic("cmd_vel", "geometry_msgs/msg/TwistStamped", BASE, "command")
ARM = Topic("arm_controller/joint_trajectory", "trajectory_msgs/msg/JointTrajectory", "", "command")
GRIPPER = Topic(
    "gripper_controller/joint_trajectory", "trajectory_msgs/msg/JointTrajectory", "", "command"
)
DETECTIONS = Topic("detections", "hrl_msgs/msg/DetectionArray", ODOM, "event")
POSE = Topic("pose", "geometry_msgs/msg/PoseWithCovarianceStamped", MAP, "event")
INITIAL_POSE = Topic("initialpose", "geometry_msgs/msg/PoseWithCovarianceStamped", MAP, "event")
E_STOP = Topic("e_stop", "std_msgs/msg/Bool", "", "latched")
DIAGNOSTICS = Topic("diagnostics", "diagnostic_msgs/msg/DiagnosticArray", "", "event")
TICK_DONE = Topic("tick_done", "hrl_msgs/msg/TickDone", "", "event")
DECISIONS = Topic("decisions", "hrl_msgs/msg/MasterDecision", "", "event")
SCENE = Topic("scene", "hrl_msgs/msg/Scene", MAP, "event")
REJECTIONS = Topic("rejections", "hrl_msgs/msg/Rejection", "", "event")
APPROVALS = Topic("approvals", "hrl_msgs/msg/Approval", "", "latched")
HANDOVERS = Topic("handovers", "hrl_msgs/msg/HandOver", MAP, "latched")
# Of the plant alone; perception, skills and master never subscribe to it.
PLANT_TRUTH = Topic("plant/truth", "hrl_msgs/msg/PlantTruth", MAP, "event")
OVERVIEW = Topic("plant/overview/compressed", "sensor_msgs/msg/CompressedImage", "", "sensor")


def image(camera: str) -> Topic:
    return Topic(
        f"{camera}/image_raw", "sensor_msgs/msg/Image", f"{camera}_optical_frame", "sensor"
    )


def depth(camera: str) -> Topic:
    return Topic(
        f"{camera}/depth/image_raw", "sensor_msgs/msg/Image", f"{camera}_optical_frame", "sensor"
    )


def camera_info(camera: str) -> Topic:
    return Topic(
        f"{camera}/camera_info", "sensor_msgs/msg/CameraInfo", f"{camera}_optical_frame", "sensor"
    )


# Actions (relative names) and services.
ACTIONS = {
    "walk": "hrl_msgs/action/Walk",
    "approach": "hrl_msgs/action/Approach",
    "grasp": "hrl_msgs/action/Grasp",
    "place": "hrl_msgs/action/Place",
    "run_mission": "hrl_msgs/action/RunMission",
}
RUN_SKILL = "hrl_msgs/action/RunSkill"  # of every other skill, under the skill's name
RESET_PLANT = ("plant/reset", "hrl_msgs/srv/ResetPlant")
PAUSE_PLANT = ("plant/pause", "std_srvs/srv/SetBool")
STEP_PLANT = ("plant/step", "hrl_msgs/srv/StepPlant")
INJECT_FAULT = ("plant/inject_fault", "hrl_msgs/srv/InjectFault")
RESET_LOCALISATION = ("reset_localisation", "hrl_msgs/srv/ResetLocalisation")
DESCRIBE_SKILL = ("{skill}/describe", "hrl_msgs/srv/DescribeSkill")
ESTIMATE_SUCCESS = ("{skill}/estimate_success", "hrl_msgs/srv/EstimateSuccess")
ANSWER_APPROVAL = ("approvals/answer", "hrl_msgs/srv/AnswerApproval")
LIST_APPROVALS = ("approvals/list", "hrl_msgs/srv/ListApprovals")

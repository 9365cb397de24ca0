"""Names, types, frames and quality of service of every topic, action and service: the one place."""

from dataclasses import dataclass, replace
from typing import Literal

MAP, ODOM, BASE, LIDAR = "map", "odom", "base_link", "lidar_link"
CAMERAS = ("camera", "hand_camera")  # their optical frames: <name>_optical_frame


@dataclass(frozen=True)
class Topic:
    """A topic: relative name, ROS type, frame of its data, and the quality of service by purpose.

    sensor: newest matters, best effort unless the node is told otherwise; command and event:
    reliable; latched: reliable and kept for late joiners; state: of which only the last is kept.
    """

    name: str
    type: str
    frame: str
    purpose: Literal["sensor", "command", "event", "latched", "state", "clock"]

    @property
    def kept(self) -> bool:
        """Whether late joiners get what was published before."""
        return self.purpose in ("latched", "state")


CLOCK = Topic("/clock", "rosgraph_msgs/msg/Clock", "", "clock")
SCAN = Topic("scan", "sensor_msgs/msg/LaserScan", LIDAR, "sensor")
IMU = Topic("imu", "sensor_msgs/msg/Imu", BASE, "sensor")
JOINT_STATES = Topic("joint_states", "sensor_msgs/msg/JointState", "", "sensor")
ODOMETRY = Topic("odom", "nav_msgs/msg/Odometry", ODOM, "sensor")
SENSORS = (SCAN, IMU, JOINT_STATES, ODOMETRY)  # of a robot, besides its cameras
TF = Topic("tf", "tf2_msgs/msg/TFMessage", "", "event")
TF_STATIC = Topic("tf_static", "tf2_msgs/msg/TFMessage", "", "latched")
CMD_VEL = Topic("cmd_vel", "geometry_msgs/msg/TwistStamped", BASE, "command")
ARM = Topic("arm_controller/joint_trajectory", "trajectory_msgs/msg/JointTrajectory", "", "command")
GRIPPER = Topic(
    "gripper_controller/joint_trajectory", "trajectory_msgs/msg/JointTrajectory", "", "command"
)
DETECTIONS = Topic("detections", "hrl_msgs/msg/DetectionArray", ODOM, "event")
POSE = Topic("pose", "geometry_msgs/msg/PoseWithCovarianceStamped", MAP, "event")
PEOPLE = Topic("people", "geometry_msgs/msg/PoseArray", MAP, "event")
INITIAL_POSE = Topic("initialpose", "geometry_msgs/msg/PoseWithCovarianceStamped", MAP, "event")
E_STOP = Topic("e_stop", "std_msgs/msg/Bool", "", "state")
FAULT = "fault "  # keys in our diagnostics that begin so tell what is wrong
TICKS_MISSED = "ticks_missed"  # key there: control periods without a tick while it listened
DIAGNOSTICS = Topic("diagnostics", "diagnostic_msgs/msg/DiagnosticArray", "", "event")
GOAL_ALIVE = Topic("goal_alive", "unique_identifier_msgs/msg/UUID", "", "event")
TICK_DONE = Topic("tick_done", "hrl_msgs/msg/TickDone", "", "event")
DECISIONS = Topic("decisions", "hrl_msgs/msg/MasterDecision", "", "event")
SCENE = Topic("scene", "hrl_msgs/msg/Scene", MAP, "event")
REJECTIONS = Topic("rejections", "hrl_msgs/msg/Rejection", "", "event")
APPROVALS = Topic("approvals", "hrl_msgs/msg/Approval", "", "latched")
HANDOVERS = Topic("handovers", "hrl_msgs/msg/HandOver", MAP, "latched")
ROBOT_DESCRIPTION = Topic("robot_description", "std_msgs/msg/String", "", "state")
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


def compressed(topic: Topic) -> Topic:
    """A picture as image_transport compresses it: JPEG or PNG."""
    name = f"{topic.name}/compressed"
    return replace(topic, name=name, type="sensor_msgs/msg/CompressedImage")


def compressed_depth(topic: Topic) -> Topic:
    """Depth likewise: PNG of millimetres, or of steps of the inverse depth."""
    return replace(compressed(topic), name=f"{topic.name}/compressedDepth")


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
RESTART_DRIVER = ("driver/restart", "std_srvs/srv/Trigger")
RESET_LOCALISATION = ("reset_localisation", "hrl_msgs/srv/ResetLocalisation")
DESCRIBE_SKILL = ("{skill}/describe", "hrl_msgs/srv/DescribeSkill")
ESTIMATE_SUCCESS = ("{skill}/estimate_success", "hrl_msgs/srv/EstimateSuccess")
ANSWER_APPROVAL = ("approvals/answer", "hrl_msgs/srv/AnswerApproval")
CHOOSE_STEP = ("choose_step", "hrl_msgs/srv/ChooseStep")
LIST_APPROVALS = ("approvals/list", "hrl_msgs/srv/ListApprovals")
QUEUE_MISSION = ("missions/queue", "hrl_msgs/srv/QueueMission")
ADD_ORDERS = ("missions/add", "hrl_msgs/srv/AddOrders")
CANCEL_MISSION = ("missions/cancel", "hrl_msgs/srv/CancelMission")

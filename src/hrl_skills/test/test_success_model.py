"""What the skills know of their chances before they start, and the answers that come of it."""

import shutil

import numpy as np
import pytest
import yaml

from hrl_core.config import ConfigError
from hrl_core.geometry import transform_from, transform_from_planar
from hrl_core.robot import load_robot
from hrl_core.sensed import Detection, Imu, Joints, Localisation, Odometry, Scan, Sensed
from hrl_core.site import load_site
from hrl_skills.align import Align
from hrl_skills.approach import Approach
from hrl_skills.back_out import BackOut
from hrl_skills.grasp import Grasp
from hrl_skills.library import policy_folder
from hrl_skills.place import Place
from hrl_skills.robot_shield import RobotShield
from hrl_skills.runner import Limits, SkillRunner
from hrl_skills.skill import ApproachGoal, GraspGoal, PlaceGoal, RunGoal, WalkGoal
from hrl_skills.success_model import (
    FILE,
    Condition,
    RowsFile,
    SuccessModel,
    estimate,
    load_success_model,
)
from hrl_skills.walk import Walk

SITE, ROBOT = load_site("small_warehouse"), load_robot()
BIN, ITEM, STATION = "B2", "can", "packing"


def still(observation: np.ndarray) -> np.ndarray:
    return np.zeros((len(observation), 6))


SKILLS = {
    "walk": (Walk, WalkGoal(np.array([3.0, 5.0, 0.0]))),
    "approach": (Approach, ApproachGoal(BIN, 0.0)),
    "align": (Align, RunGoal(BIN)),
    "back_out": (BackOut, RunGoal(BIN)),
    "grasp": (Grasp, GraspGoal(ITEM, BIN)),
    "place": (Place, PlaceGoal(STATION, ITEM, np.zeros(2))),
}


def make(name: str):
    cls, goal = SKILLS[name]
    return cls(SITE, ROBOT, still), goal


def sensed(aside: float = 0.0) -> Sensed:
    """Standing in front of a bin, all seen; the item stands `aside` [m] of the bin's middle."""
    pose = SITE.pose_in_front(BIN, SITE.standoff)
    map_from_base = transform_from_planar(pose, ROBOT.legs.standing_height)
    face = SITE.face(BIN)
    things = {
        BIN: ("bin", face),
        ITEM: ("item", face @ transform_from((-0.1, aside, 0.17))),
        "jar": ("item", face @ transform_from((-0.1, 0.2, 0.16))),
    }
    arm = ROBOT.arm
    joints = np.array([*ROBOT.legs.nominal, *arm.poses["stow"], arm.gripper_closed])
    zeros = np.zeros(len(joints))
    return Sensed(
        stamp=1.0,
        scan=Scan(1.0, np.full(360, 3.0), -np.pi, np.pi / 180, 12.0),
        joints=Joints(1.0, joints, zeros, zeros),
        odometry=Odometry(1.0, map_from_base, np.zeros(3)),
        imu=Imu(1.0, np.zeros(3), np.array([0.0, 0.0, 1.0])),
        localisation=Localisation(1.0, np.zeros(3), np.eye(3) * 1e-4),
        detections={
            name: Detection(0.8, kind, name, 0, pose, np.eye(6) * 1e-6, 1.0)
            for name, (kind, pose) in things.items()
        },
    )


@pytest.mark.parametrize("name", SKILLS)
def test_conditions_are_the_same_finite_numbers_whatever_is_sensed(name):
    skill, goal = make(name)
    full = sensed()
    bare = Sensed(full.stamp, odometry=full.odometry)
    known, unknown = skill.conditions(goal, full), skill.conditions(goal, bare)
    assert list(known) == list(unknown) and len(known) > 8
    assert np.isfinite([*known.values(), *unknown.values()]).all()
    assert known["localisation_sd_m"] == pytest.approx(0.01)
    assert unknown["localisation_sd_m"] > known["localisation_sd_m"]


def test_conditions_of_a_grasp_say_where_the_item_is_and_what_is_beside_it():
    skill, goal = make("grasp")
    near, far = (skill.conditions(goal, sensed(aside)) for aside in (0.1, -0.05))
    assert near["item_forward_m"] == pytest.approx(SITE.standoff + 0.1, abs=1e-6)
    assert near["item_sideways_m"] == pytest.approx(0.1, abs=1e-6)
    assert near["item_age_s"] == pytest.approx(0.2) and near["neighbours"] == 1.0
    widths = 0.5 * (SITE.item(ITEM).size[0] + SITE.item("jar").size[0])
    assert near["neighbour_gap_m"] == pytest.approx(0.1 - widths, abs=1e-6)
    assert far["neighbour_gap_m"] == pytest.approx(0.25 - widths, abs=1e-6)


def model(**changes) -> SuccessModel:
    condition = Condition(
        name="item_sideways_m", low=0.0, high=0.3, mean=0.1, sd=0.1, weight=-1.0, square=0.0
    )
    content = {
        "format": 1,
        "skill": "grasp",
        "conditions": (condition,),
        "bias": 2.0,
        "trials": 100,
        "successes": 90,
        "regularisation": 1.0,
        "calibration_error": 0.02,
        "brier_score": 0.05,
        "log_loss": 0.2,
        "weights_sha256": "ab" * 32,
        "rows": (RowsFile(name="rows.json", sha256="ab" * 32),),
    }
    return SuccessModel(**{**content, **changes})


def runner_of(name: str):
    skill, goal = make(name)
    return SkillRunner(skill, RobotShield(ROBOT), Limits()), goal


def test_an_estimate_follows_the_conditions():
    runner, goal = runner_of("grasp")
    near = estimate(runner, goal, sensed(0.0), model())
    far = estimate(runner, goal, sensed(0.2), model())
    assert near.probability == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert far.probability == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert "100 trials with 90 successes" in near.detail and not runner.running


def test_a_goal_that_would_be_rejected_has_no_chance_and_says_why():
    runner, _ = runner_of("grasp")
    answer = estimate(runner, GraspGoal("unicorn", BIN), sensed(), model())
    assert answer.probability == 0.0 and "GOAL_INVALID" in answer.detail
    assert "'unicorn'" in answer.detail
    blind = Sensed(1.0, odometry=sensed().odometry)
    answer = estimate(runner, GraspGoal(ITEM, BIN), blind, model())
    assert answer.probability == 0.0 and "no joint_states was received" in answer.detail


def test_without_a_model_or_while_it_runs_there_is_no_estimate():
    runner, goal = runner_of("grasp")
    answer = estimate(runner, goal, sensed(), None)
    assert answer.probability is None and "has no success_model.yaml" in answer.detail
    assert answer.conditions["item_mass_kg"] == SITE.item(ITEM).mass
    runner.start(goal, sensed())
    assert estimate(runner, goal, sensed(), model()).probability is None


def test_a_chance_is_never_quite_certain():
    conditions = {"item_sideways_m": 0.1}
    assert model(bias=90.0).probability(conditions) == pytest.approx(1 - 1 / 102)
    assert model(bias=-90.0).probability(conditions) == pytest.approx(1 / 102)


@pytest.mark.parametrize("name", SKILLS)
def test_the_shipped_chances_are_of_the_shipped_weights_and_conditions(name):
    model = load_success_model(name, "spot")
    assert model is not None, f"{name} ships no success_model.yaml; see ./hrl calibrate"
    skill, goal = make(name)
    assert {c.name for c in model.conditions} == set(skill.conditions(goal, sensed()))
    assert model.calibration_error <= 0.05


def test_chances_of_other_weights_are_refused(tmp_path):
    shutil.copyfile(policy_folder("walk", "spot") / FILE, tmp_path / FILE)
    assert load_success_model("walk", "spot", tmp_path) is not None  # no weights to compare with
    (tmp_path / "weights.pt").write_bytes(b"others")
    with pytest.raises(ConfigError, match="by ./hrl calibrate walk"):
        load_success_model("walk", "spot", tmp_path)


def test_a_file_with_its_former_name_is_refused_and_says_what_to_do(tmp_path):
    (tmp_path / "chances.yaml").write_text(yaml.safe_dump(model().model_dump(mode="json")))
    with pytest.raises(
        ConfigError, match="chances.yaml.* is called success_model.yaml now; rename"
    ):
        load_success_model("grasp", "spot", tmp_path)
    (tmp_path / "chances.yaml").rename(tmp_path / FILE)
    assert load_success_model("grasp", "spot", tmp_path) == model()

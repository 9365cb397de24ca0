"""What a policy saw, as a message and back: the same numbers, and the same decision again."""

from dataclasses import fields, replace

import numpy as np
import pytest

from hrl_core.outcomes import Code
from hrl_core.site import load_site
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.replay import decider_of, explain, same_decision, setting_of
from hrl_master.scene import Seen

pytest.importorskip("hrl_msgs")

from hrl_master.ros.scene_convert import setting_from_msg, situation_from_msg, situation_msg

SITE = load_site("small_warehouse")
WHERE = {"C1": 0.75, "": 0.25}
pytestmark = pytest.mark.ros


def same(a, b) -> bool:
    """Whether two values are equal to the last bit; nan equals nan."""
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)
        )
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(np.asarray(a, float), np.asarray(b, float), equal_nan=True)
    if isinstance(a, dict) or hasattr(a, "keys"):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b or (a != a and b != b)


@pytest.fixture
def told(story):
    """A story with everything in it: sightings, failures, a scan with holes, a lost item."""
    s = story(helpers={"leave_face": "back_out"})
    rng = np.random.default_rng(5)
    frame = SITE.face("A2") + 0.123456789
    frame[3] = [0, 0, 0, 1]
    s.change(
        sectors=rng.uniform(0.3, 12.0, 72),
        seen={
            "can": Seen("item", frame, 1 / 3, 0.7),
            "jar": Seen("item", SITE.face("B1"), 0.1, 0.3),
            "A2": Seen("bin", SITE.face("A2"), 0.1, 1.0),
        },
        position_std=0.1 + 1e-13,
    )
    s.go(Code.WALK_BLOCKED)
    s.go()
    s.change(map_from_base=SITE.pose_in_front("A2", SITE.standoff))
    s.go()
    s.change(holding=False, sectors=np.full(72, np.nan), gripper_position=np.nan)
    return s


def test_a_situation_survives_the_message_to_the_last_bit(told):
    situation = told.decider.observe(told.scene)
    assert situation.beliefs.attempts and situation.beliefs.sightings
    setting = setting_of("small_warehouse", MasterConfig(), GuardrailConfig())
    message = situation_msg(situation, setting, "m", 7)
    assert (message.mission_id, message.index) == ("m", 7)
    assert same(situation_from_msg(message), situation)
    assert setting_from_msg(message) == setting


def test_a_recorded_situation_gives_the_same_decision_again(told):
    situation = told.decider.observe(told.scene)
    situation = replace(
        situation, chances={("walk", "packing"): 0.75}, stock=("C2",), whereabouts=WHERE
    )
    config = MasterConfig(max_failures=2, approach_range=2.2)
    setting = setting_of("small_warehouse", config, GuardrailConfig(reach=0.11))
    first = decider_of(setting).decide(situation)
    message = situation_msg(situation, setting)
    again = decider_of(setting_from_msg(message)).decide(situation_from_msg(message))
    assert same_decision(first, again)
    assert situation_from_msg(message).stock == ("C2",)
    assert situation_from_msg(message).whereabouts == WHERE
    other = decider_of(setting_of("small_warehouse", MasterConfig(policy="fixed_sequence"),
                                  GuardrailConfig())).decide(situation)  # fmt: skip
    assert not same_decision(first, other)
    words = "\n".join(explain(decider_of(setting), situation, first))
    assert f"because: {first.reason}" in words and "order: can from A2 to packing" in words
    assert "the stock has can in C2" in words
    assert "can is in C1 0.75, nowhere 0.25" in words
    assert "no  place packing: the gripper holds nothing to place" in words

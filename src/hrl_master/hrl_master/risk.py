"""How risky a decision is: tiers of skills and targets; from one tier on a person is asked."""

from fnmatch import fnmatchcase

from pydantic import Field, field_validator

from hrl_core.config import Config

HIGHEST = 3
# 0: looks only; 1: moves the robot, tells somebody; 2: touches things, changes what systems hold;
# 3: for what a person should see first.
TIERS = (
    "wait=0", "look_around=0", "walk=1", "approach=1", "align=1", "back_out=1",
    "grasp=2", "place=2",
    "look_up_stock=0", "notify=1", "open_ticket=1", "book_out=2", "cancel_booking=2",
)  # fmt: skip


class RiskConfig(Config):
    """Risk tiers; see config/master.yaml."""

    risk_tiers: tuple[str, ...] = Field(
        default=TIERS,
        description="'skill=tier' or 'skill:target=tier', where * stands for any part of a name; "
        "of those that fit, the highest tier counts; skills that none fits have the tier 2",
    )
    approval_from: int = Field(
        default=HIGHEST, ge=0, le=HIGHEST + 1,
        description="tier from which a person has to approve; 4: never",
    )  # fmt: skip
    approval_timeout: float = Field(
        default=120.0, gt=0, le=86400, description="s of ROS time for an answer; none means no"
    )

    @field_validator("risk_tiers")
    @classmethod
    def _readable(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            _parse(entry)
        return entries


def tier_of(config: RiskConfig, skill: str, target: str) -> int:
    """The risk tier of a skill at a target."""
    fitting = [
        tier
        for names, targets, tier in map(_parse, config.risk_tiers)
        if fnmatchcase(skill, names) and fnmatchcase(target, targets)
    ]
    return max(fitting, default=2)


def _parse(entry: str) -> tuple[str, str, int]:
    """Patterns of skill and target, tier."""
    names, _, tier = entry.rpartition("=")
    skill, _, target = names.partition(":")
    if not skill or not tier.strip().isdigit() or int(tier) > HIGHEST:
        raise ValueError(
            f"{entry!r}: allowed is 'skill=tier' or 'skill:target=tier' with a tier of 0 to "
            f"{HIGHEST}, for example 'place:packing=3'"
        )
    return skill.strip(), target.strip() or "*", int(tier)

"""Limits of the master and of its guardrails; see config/master.yaml."""

from pydantic import Field

from hrl_core.config import Config
from hrl_master.risk import RiskConfig


class MasterConfig(RiskConfig):
    """Limits of the master; see config/master.yaml."""

    strikes: int = Field(
        default=3,
        ge=1,
        le=20,
        description="failures of one skill at one target before a person is asked, "
        "whatever the policy says",
    )
    max_failures: int = Field(
        default=3, ge=1, le=20, description="failures of one skill before the tree asks a person"
    )
    max_decisions: int = Field(
        default=30, ge=4, le=500, description="decisions per order before a person is asked"
    )
    decisions_per_bin: int = Field(
        default=2, ge=0, le=20, description="so many for each bin of the site, where that is more"
    )
    near_standoff: float = Field(
        default=0.08, gt=0, le=0.5, description="m; closer counts as standing at a face"
    )
    near_standoff_yaw: float = Field(default=0.14, gt=0, le=1, description="rad; likewise")
    way_out: float = Field(
        default=0.6, gt=0, le=2, description="m to leave a face by, where a skill can do that"
    )
    approach_range: float = Field(
        default=2.6, gt=0.5, le=5, description="m from a face; an approach may start"
    )
    direct_walk: float = Field(
        default=14.0, gt=1, le=15, description="m; farther goals go by waypoints"
    )
    bins_if_none: int = Field(
        default=99,
        ge=1,
        le=99,
        description="bins looked at in vain, the order's among them, before a person is asked "
        "where the stock system has none of the item; 99: all",
    )
    book_together: bool = Field(
        default=False,
        description="take back the bookings of a mission of which another order was not delivered",
    )
    choice_timeout: float = Field(
        default=300.0, gt=0, le=86400,
        description="s of wall time for the next step of a guided mission, else it is handed over",
    )  # fmt: skip
    person_time: float = Field(
        default=900.0,
        gt=0,
        le=7200,
        description="s of the robot's time that it is worth to spare a person an order; "
        "the planner searches no longer than that pays",
    )
    policy: str = Field(
        default="behaviour_tree", description="which policy decides; see hrl_master.policy.POLICIES"
    )
    sequence: str = Field(
        default="first_come",
        description="which order of a mission is next; see hrl_master.sequence.SEQUENCES",
    )
    policy_folder: str = Field(
        default="", description="weights and card of the learned policy; empty: the shipped one"
    )


class GuardrailConfig(Config):
    """Limits of the checks; see config/master.yaml."""

    max_tilt: float = Field(
        default=0.5, gt=0, le=1.5, description="rad; a robot that leans more has fallen"
    )
    max_position_std: float = Field(
        default=0.3, gt=0, le=5, description="m; walk only when localised better"
    )
    walk_tolerance: float = Field(
        default=0.35, gt=0, le=2, description="m between pose and goal after a walk"
    )
    approach_tolerance: float = Field(
        default=0.10, gt=0, le=0.5, description="m from the standoff after an approach"
    )
    approach_yaw: float = Field(default=0.16, gt=0, le=1, description="rad; likewise")
    align_tolerance: float = Field(
        default=0.035, gt=0, le=0.5,
        description="m from the standoff after an align; more than its own 0.02 by what the "
        "localisation is off",
    )  # fmt: skip
    align_yaw: float = Field(default=0.06, gt=0, le=1, description="rad; likewise")
    reach: float = Field(
        default=0.12, gt=0, le=1, description="m from the standoff; grasp and place start nearer"
    )
    place_tolerance: float = Field(
        default=0.10, gt=0, le=0.5, description="m between item and target when placed"
    )

"""Parameters of the master node; config/master.yaml shows them all."""

from pathlib import Path

from pydantic import Field

from hrl_core.config import Config
from hrl_core.ros.parameters import RobotParameters
from hrl_master.approver_keys import Approvers
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.ledger_file import default_path


class MasterParameters(RobotParameters, MasterConfig, GuardrailConfig):
    """Parameters of the master."""

    server_timeout: float = Field(
        default=45.0,
        gt=0,
        le=600,
        description="s of wall time for a skill's server to appear, else the order is handed over",
    )
    time_patience: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="s of wall time that ROS time may stand still, or nothing be sensed, in a "
        "mission, else its orders are handed over",
    )
    perception: str = Field(
        default="perception", description="node whose ticks say what time it is, in lockstep"
    )
    skill_timeout: float = Field(
        default=5.0, gt=0, le=600, description="s of ROS time without a sign of the running skill"
    )
    ledger: str = Field(
        default="",
        description="SQLite file that keeps all missions; empty: hrl/ledger.sqlite in $ROS_HOME, "
        "which is ~/.ros where it is not set",
    )
    ledger_patience: float = Field(
        default=120.0,
        gt=0,
        le=3600,
        description="s of wall time for another process that holds the ledger, else the mission "
        "ends",
    )
    systems: str = Field(
        default="",
        description="address of the warehouse's system, as http://host:8300; empty: there is none",
    )
    systems_timeout: float = Field(
        default=2.0,
        gt=0,
        le=60,
        description="s of wall time for an answer of the system; a decision waits for the stock "
        "once at most as long",
    )
    approvers: str = Field(
        default="",
        description="folder with the public keys of those who may approve; empty: anybody may",
    )
    resume: bool = Field(
        default=True,
        description="go on with a mission whose master was killed; false: hand it over",
    )
    resume_patience: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="s of wall time for skills and sensors to appear, else it is closed",
    )
    resume_within: float = Field(
        default=600.0,
        gt=0,
        le=86400,
        description="s of ROS time; a mission that was cut short longer ago is closed",
    )
    evidence_pictures: bool = Field(
        default=True,
        description="add what the cameras see to approvals and hand-overs; time goes on meanwhile",
    )

    @property
    def master(self) -> MasterConfig:
        return MasterConfig(**self._part(MasterConfig))

    @property
    def guardrails(self) -> GuardrailConfig:
        return GuardrailConfig(**self._part(GuardrailConfig))

    @property
    def ledger_path(self) -> Path:
        return Path(self.ledger).expanduser() if self.ledger else default_path()

    @property
    def approver_keys(self) -> Approvers | None:
        return Approvers(Path(self.approvers).expanduser()) if self.approvers else None

    def _part(self, model: type[Config]) -> dict:
        return {name: getattr(self, name) for name in model.model_fields}

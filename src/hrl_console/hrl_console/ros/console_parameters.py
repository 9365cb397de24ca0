"""Parameters of the console's node; config/console.yaml shows them all."""

import os
from pathlib import Path

from pydantic import Field

from hrl_core.ros.parameters import RobotParameters


class ConsoleParameters(RobotParameters):
    """See config/console.yaml."""

    host: str = Field(
        default="127.0.0.1",
        description="where to listen; other than this computer needs certificate and key",
    )
    port: int = Field(default=8642, ge=0, le=65535, description="of the page; 0: a free one")
    names: tuple[str, ...] = Field(
        default=(), description="more names by which other computers reach the page"
    )
    certificate: str = Field(default="", description="PEM file, for https; '': http")
    key: str = Field(default="", description="PEM file, of the certificate")
    tokens: str = Field(
        default="",
        description="file of ./hrl console token; empty: hrl/console_tokens.json in $ROS_HOME, "
        "which is ~/.ros where it is not set",
    )
    ledger: str = Field(
        default="", description="file of the master; empty: where a master has it by itself"
    )
    picture_rate: float = Field(
        default=2.0, gt=0, le=10, description="Hz of wall time; pictures of each camera"
    )
    jpeg_quality: int = Field(default=70, ge=10, le=100, description="of these pictures")
    foxglove_port: int = Field(
        default=0, ge=0, le=65535, description="of a server for Foxglove; 0: none"
    )

    @property
    def tokens_path(self) -> Path:
        return _in_home(self.tokens, "console_tokens.json")

    @property
    def ledger_path(self) -> Path:
        return _in_home(self.ledger, "ledger.sqlite")


def _in_home(given: str, name: str) -> Path:
    home = os.environ.get("ROS_HOME") or "~/.ros"
    return Path(given or Path(home, "hrl", name)).expanduser()

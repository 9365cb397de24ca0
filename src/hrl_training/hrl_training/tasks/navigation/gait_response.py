"""How the walking robot follows velocity commands, as the planar environments model it."""

from pathlib import Path

from pydantic import Field

from hrl_core.config import Config, load_yaml

FOLDER = Path(__file__).with_name("gait_responses")  # a file for each robot


class AxisResponse(Config):
    """Per period v += alpha * (gain * u - v), with u `delay` periods old, plus noise on top of v.

    The noise is the sway of the body: n = noise_correlation * n + white noise, of this standard
    deviation in all.
    """

    delay: int = Field(ge=0, le=5)  # periods
    alpha: float = Field(gt=0, le=1)
    gain: float = Field(gt=0.5, lt=1.5)
    noise: float = Field(ge=0)  # m/s or rad/s
    noise_correlation: float = Field(ge=-1, le=1)


class GaitResponse(Config):
    """The response of every axis and where it was measured."""

    command: str  # repeats the measurement
    weights_sha256: str  # of the gait that was measured
    seconds: float = Field(gt=0)
    vx: AxisResponse
    vy: AxisResponse
    wz: AxisResponse


def response_file(robot: str) -> Path:
    """Where the response of a robot's gait is, by the robot's name."""
    return FOLDER / f"{robot}.yaml"


def load_gait_response(robot: str) -> GaitResponse:
    """The response of a robot's shipped gait; raises ConfigError where it was not identified."""
    return load_yaml(response_file(robot), GaitResponse)

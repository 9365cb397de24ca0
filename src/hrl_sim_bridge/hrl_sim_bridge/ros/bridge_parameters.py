"""Parameters of the plant's node."""

from pydantic import Field

from hrl_core.ros.parameters import NodeParameters


class BridgeParameters(NodeParameters):
    """Parameters of the plant."""

    world: str = Field(
        default="small_warehouse", description="world in config/worlds, or a .yaml file"
    )
    robot: str = Field(default="spot", description="robot in config/robots, or a .yaml file")
    seed: int = Field(default=0, ge=0, description="world and seed give one exact trial")
    paused: bool = Field(default=False, description="start paused")
    realtime_factor: float = Field(
        default=1.0, ge=0, le=100, description="ROS time over wall time; 0: as fast as it can"
    )
    lockstep_nodes: tuple[str, ...] = Field(
        default=("perception", "master"),
        description="nodes that are waited for at every tick in lockstep; skills with a goal too",
    )
    node_timeout: float = Field(
        default=2.0, gt=0, le=60, description="s of wall time that a node may take for a tick"
    )
    startup_timeout: float = Field(
        default=60.0, gt=0, le=600, description="s of wall time for all lockstep_nodes to appear"
    )
    driver: str = Field(
        default="",
        description="speak as this driver of config/drivers, or of a .yaml file; empty: as our "
        "nodes do",
    )
    overview_rate: float = Field(
        default=0.0, ge=0, le=10, description="Hz of ROS time of the outside picture; 0: none"
    )

"""The arguments of the tools, as pydantic models: their schemas are what a client is shown."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(max_length=80)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")]
Value = Annotated[float, Field(allow_inf_nan=False)]


class Arguments(BaseModel):
    """Base: an unknown argument is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Acting(Arguments):
    """Of tools that do something."""

    dry_run: bool = Field(default=False, description="say what would be done, and do nothing")
    request_id: Id = Field(
        default="",
        description="of this call: given again with the same arguments it does nothing new, but "
        "waits for the same answer; empty: one is made",
    )


class RunOrder(Acting):
    item: Name = Field(description="an item of the site")
    from_bin: Name = Field(description="the bin that it is in")
    to_station: Name = Field(description="the station that it is to be brought to")
    guided: bool = Field(
        default=False,
        description="true: you choose each step by run_skill; false: the robot's master does",
    )


class RunSkill(Acting):
    skill: Name = Field(description="as an alternative of an answer names it")
    target: Name = Field(default="", description="likewise; may be empty where only one is allowed")
    parameters: dict[Name, Value] = Field(
        default={}, max_length=16, description="where given, they have to be those of the step"
    )
    mission_id: Name = Field(default="", description="empty: the guided mission that runs")
    why: Annotated[str, Field(max_length=300)] = Field(
        default="", description="your reason, for the ledger"
    )


class AskChance(Arguments):
    skill: Name
    target: Name = Field(default="", description="bin or station")
    item: Name = Field(default="", description="of a grasp or a place")
    parameters: dict[Name, Value] = Field(default={}, max_length=16)


class Look(Arguments):
    camera: Literal["", "camera", "hand_camera"] = Field(
        default="", description="whose picture to add; empty: none"
    )


class ReadLedger(Arguments):
    mission_id: Name = Field(default="", description="its decisions; empty: the last missions")
    most: int = Field(default=20, ge=1, le=50, description="how many, at most")


class ExplainDecision(Arguments):
    mission_id: Name
    decision: int = Field(ge=0, le=10**6, description="its number, from 0")


class Stop(Acting):
    mission_id: Name = Field(default="", description="empty: all that were given here")


class ListSkills(Arguments):
    pass

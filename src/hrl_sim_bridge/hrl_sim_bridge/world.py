"""A world file: the site, what a seed may vary on it, the sensors' noise and the faults."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from hrl_core.config import Config, find_config, load_yaml
from hrl_core.site import Site
from hrl_sim_bridge.disturbance_draws import Disturb, disturbed
from hrl_sim_bridge.disturbance_ranges import DisturbanceRanges
from hrl_sim_bridge.faults import FaultKind, Trigger
from hrl_sim_bridge.trial import Order, PlacedItem, Trial, sample
from hrl_sim_bridge.world_checks import problems

__all__ = ["Disturb", "Order", "PlacedItem", "Trial", "World", "load_world"]


def _ordered(pair: tuple) -> tuple:
    if pair[0] > pair[1]:
        raise ValueError(f"the first of {list(pair)} must not be above the second")
    return pair


Range = Annotated[
    tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]], AfterValidator(_ordered)
]
Count = Annotated[
    tuple[Annotated[int, Field(ge=0, le=20)], Annotated[int, Field(ge=0, le=20)]],
    AfterValidator(_ordered),
]


class StartRange(Config):
    """Where the robot starts."""

    waypoint: str
    jitter: float = Field(default=0.0, ge=0, le=2)  # m, in x and y
    turn: float = Field(default=0.0, ge=0, le=3.2)  # rad


class StockRange(Config):
    """Which items stand in which bins, one to a bin, and how."""

    count: Count = (1, 1)
    items: tuple[str, ...] = ()  # empty: all kinds of the site
    bins: tuple[str, ...] = ()  # empty: all bins of the site
    setback: Range = (0.07, 0.16)  # m, item centre behind the front edge
    turn: float = Field(default=0.26, ge=0, le=3.2)  # rad
    mass_factor: Range = (1.0, 1.0)  # of the catalogue's mass
    friction: Range = (0.8, 0.8)


class ObstacleRange(Config):
    """Boxes that stand about."""

    count: Count = (0, 0)
    width: Range = (0.3, 0.5)  # m
    height: Range = (0.4, 1.0)  # m


class PeopleRange(Config):
    """People who walk to and fro on routes of waypoints."""

    routes: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = ()
    probability: float = Field(default=1.0, ge=0, le=1)  # of each route to be walked
    speed: Range = (0.5, 1.0)  # m/s


class OrderRange(Config):
    """What is ordered and where to."""

    items: tuple[str, ...] = ()  # empty: anything in stock
    stations: tuple[str, ...] = ()  # empty: all stations of the site


class TrialRanges(Config):
    """What a seed decides."""

    start: StartRange
    stock: StockRange = StockRange()
    obstacles: ObstacleRange = ObstacleRange()
    people: PeopleRange = PeopleRange()
    orders: OrderRange = OrderRange()
    floor_friction: Range = (0.8, 0.8)
    disturbances: DisturbanceRanges = DisturbanceRanges()

    def stock_items(self, site: Site) -> list[str]:
        return list(self.stock.items or site.items)

    def stock_bins(self, site: Site) -> list[str]:
        return list(self.stock.bins or site.bins)

    def order_items(self, site: Site) -> list[str]:
        return list(self.orders.items or self.stock_items(site))

    def order_stations(self, site: Site) -> list[str]:
        return list(self.orders.stations or [station.name for station in site.stations])


class ScanNoise(Config):
    sd: float = Field(default=0.015, ge=0)  # m
    dropout: float = Field(default=0.005, ge=0, le=1)  # share of the beams


class CameraNoise(Config):
    grey: float = Field(default=2.0, ge=0)  # sd of 255, per pixel
    depth: float = Field(default=0.005, ge=0)  # sd per metre, per pixel
    depth_common: float = Field(default=0.0015, ge=0)  # sd per metre, per picture


class JointNoise(Config):
    position: float = Field(default=0.001, ge=0)  # rad
    velocity: float = Field(default=0.05, ge=0)  # rad/s
    effort: float = Field(default=0.2, ge=0)  # N m


class ImuNoise(Config):
    angular_velocity: float = Field(default=0.01, ge=0)  # rad/s
    up: float = Field(default=0.003, ge=0)  # rad


class OdometryNoise(Config):
    """Drift of a legged robot's visual odometry."""

    scale: float = Field(default=0.015, ge=0)  # sd of the error of distances, one draw per trial
    yaw: float = Field(default=0.02, ge=0)  # rad, sd after 1 m; grows with the root of the way
    position_white: float = Field(default=0.001, ge=0)  # m
    angle_white: float = Field(default=0.001, ge=0)  # rad
    velocity_white: float = Field(default=0.02, ge=0)  # m/s and rad/s


class Noise(Config):
    """Noise of the sensors, standard deviations."""

    scan: ScanNoise = ScanNoise()
    camera: CameraNoise = CameraNoise()
    joints: JointNoise = JointNoise()
    imu: ImuNoise = ImuNoise()
    odometry: OdometryNoise = OdometryNoise()


class PlannedFault(Config):
    """Something that goes wrong in trials of this world, always the same way."""

    kind: FaultKind
    target: str = ""
    start: float = Field(default=0.0, ge=0)  # s after the trigger
    duration: float = Field(default=0.0, ge=0)  # s; 0: for good
    trigger: Trigger = Trigger.CLOCK
    probability: float = Field(default=1.0, ge=0, le=1)


class World(Config):
    """A whole world file. Lengths m, angles rad, frame map."""

    site: Site
    trial: TrialRanges
    noise: Noise = Noise()
    faults: tuple[PlannedFault, ...] = ()

    @model_validator(mode="after")
    def _references(self) -> "World":
        """Every name that is used must exist, and the robot must have room; all errors at once."""
        errors = [
            InitErrorDetails(
                type=PydanticCustomError("reference", "{why}", {"why": why}),
                loc=location,
                input=value,
            )
            for location, value, why in problems(self)
        ]
        if errors:
            raise ValidationError.from_exception_data("World", errors)
        return self

    def sample(self, seed: int, disturb: Disturb = "file") -> Trial:
        """The trial of a seed: equal for equal world files and seeds.

        disturb: "file": as likely as the file says; "none": a nominal trial, without the file's
        faults too; "one": exactly one kind, each as likely; "many": two or three kinds. Start,
        stock, obstacles, people and order are the same with each.
        """
        return disturbed(self, sample(self, seed), disturb)


def load_world(name: str | Path) -> World:
    """Load config/worlds/<name>.yaml, the file given or the layout FAMILY:SEED.

    Raises ConfigError.
    """
    family, colon, seed = str(name).partition(":")
    if colon and seed.isdecimal():
        from hrl_sim_bridge.layouts import generate  # it needs this module

        return generate(family, int(seed))
    return load_yaml(find_config("worlds", str(name)), World)

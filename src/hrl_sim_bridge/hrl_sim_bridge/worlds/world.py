"""A world file: the site, what a seed may vary on it, the sensors' noise and the faults."""

from typing import Annotated

from pydantic import AfterValidator, Field

from hrl_core.config import Config
from hrl_core.quantities import ordered, span, within
from hrl_core.site import Site
from hrl_sim_bridge.worlds.faults import DisturbanceRanges, FaultKind, Trigger
from hrl_sim_bridge.worlds.habits import Habits

Size = Annotated[tuple[float, float], span(0.05, 3, "m")]
Factor = Annotated[tuple[float, float], span(0.01, 20, "times")]
Friction = Annotated[tuple[float, float], span(0.01, 3, "N/N")]
Setback = Annotated[tuple[float, float], span(0.01, 2, "m")]
Speed = Annotated[tuple[float, float], span(0.01, 3, "m/s")]
Count = Annotated[
    tuple[Annotated[int, Field(ge=0, le=20)], Annotated[int, Field(ge=0, le=20)]],
    AfterValidator(ordered),
]


class StartRange(Config):
    """Where the robot starts."""

    waypoint: str
    jitter: Annotated[float, within(0, 2, "m")] = 0.0  # in x and y
    turn: Annotated[float, within(0, 3.2, "rad")] = 0.0


class StockRange(Config):
    """Which items stand in which bins, one to a bin, and how."""

    count: Count = (1, 1)
    items: tuple[str, ...] = ()  # empty: all kinds of the site
    bins: tuple[str, ...] = ()  # empty: all bins of the site
    setback: Setback = (0.07, 0.16)  # item centre behind the front edge
    turn: Annotated[float, within(0, 3.2, "rad")] = 0.26
    mass_factor: Factor = (1.0, 1.0)  # of the catalogue's mass
    friction: Friction = (0.8, 0.8)


class ObstacleRange(Config):
    """Boxes that stand about."""

    count: Count = (0, 0)
    width: Size = (0.3, 0.5)
    height: Size = (0.4, 1.0)


class PeopleRange(Config):
    """People who walk to and fro on routes of waypoints."""

    routes: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = ()
    probability: float = Field(default=1.0, ge=0, le=1)  # of each route to be walked
    speed: Speed = (0.5, 1.0)


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
    floor_friction: Friction = (0.8, 0.8)
    disturbances: DisturbanceRanges = DisturbanceRanges()
    # None: the stock is drawn anew for each trial, and orders name the bins in which it stands.
    habits: Habits | None = None

    def stock_items(self, site: Site) -> list[str]:
        return list(self.stock.items or site.items)

    def stock_bins(self, site: Site) -> list[str]:
        return list(self.stock.bins or site.bins)

    def order_items(self, site: Site) -> list[str]:
        return list(self.orders.items or self.stock_items(site))

    def order_stations(self, site: Site) -> list[str]:
        return list(self.orders.stations or [station.name for station in site.stations])


class ScanNoise(Config):
    sd: float = Field(default=0.015, ge=0, le=10)  # m
    dropout: float = Field(default=0.005, ge=0, le=1)  # share of the beams


class CameraNoise(Config):
    grey: float = Field(default=2.0, ge=0, le=255)  # sd of 255, per pixel
    depth: float = Field(default=0.005, ge=0, le=10)  # sd per metre, per pixel
    depth_common: float = Field(default=0.0015, ge=0, le=10)  # sd per metre, per picture


class JointNoise(Config):
    position: float = Field(default=0.001, ge=0, le=10)  # rad
    velocity: float = Field(default=0.05, ge=0, le=10)  # rad/s
    effort: float = Field(default=0.2, ge=0, le=10)  # N m


class ImuNoise(Config):
    angular_velocity: float = Field(default=0.01, ge=0, le=10)  # rad/s
    up: float = Field(default=0.003, ge=0, le=10)  # rad


class OdometryNoise(Config):
    """Drift of a legged robot's visual odometry."""

    scale: float = Field(
        default=0.015, ge=0, le=10
    )  # sd of the error of distances, one draw per trial
    yaw: float = Field(default=0.02, ge=0, le=10)  # rad, sd after 1 m; grows with its root
    position_white: float = Field(default=0.001, ge=0, le=10)  # m
    angle_white: float = Field(default=0.001, ge=0, le=10)  # rad
    velocity_white: float = Field(default=0.02, ge=0, le=10)  # m/s and rad/s


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
    start: Annotated[float, within(0, 3600, "s")] = 0.0  # after the trigger
    duration: Annotated[float, within(0, 3600, "s")] = 0.0  # 0: for good
    trigger: Trigger = Trigger.CLOCK
    probability: float = Field(default=1.0, ge=0, le=1)


class World(Config):
    """A whole world file. Lengths m, angles rad, frame map.

    Types and ranges are right; whether its names exist and the robot has room `checks.problems`
    says, which loading asks.
    """

    site: Site
    trial: TrialRanges
    noise: Noise = Noise()
    faults: tuple[PlannedFault, ...] = ()

"""`./hrl bench perception`: how near perception comes to the plant's truth.

Three measurements, all with the plant's noise: items and places in single pictures from sampled
poses of robot and arm, and everything along missions that a driver walks who, unlike the robot,
knows the truth.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from hrl_core.control import TICK, Command
from hrl_core.floor.paths import distance_to_path
from hrl_core.geometry import compose, inverse, planar_from_transform, wrap_angle
from hrl_core.number_options import integer
from hrl_core.paths import file_to_write
from hrl_core.robot import Robot, load_robot
from hrl_core.sensed import Detection, Localisation, Odometry
from hrl_perception.markers import MarkerDetector
from hrl_perception.perception import Perception, PerceptionOptions
from hrl_perception.sightings import sight
from hrl_sim_bridge.plant.plant import Plant, PlantOptions
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_sim_bridge.worlds.world import World
from hrl_training.perception.true_driver import mission_steps, route
from hrl_training.perception.view_sampler import View, ViewSampler

ITEM_LIMIT = 0.005  # m
POSE_LIMIT, HEADING_LIMIT = 0.10, np.radians(3)  # m, rad
ITEM_BANDS = ((0.2, 0.5), (0.5, 0.75), (0.75, 1.0))  # m from the camera
PLACE_BANDS = ((0.8, 1.5), (1.5, 2.5), (2.5, 3.5), (3.5, 5.0))  # m from the camera
NEAR_ITEM = 1.0  # m, within which a tracked item counts along missions
FRESH = 0.5  # s, age up to which a tracked item counts
BESIDE = 0.9  # m, from the driver's way to the middle of a box that may stay
CAMERA_TICKS = 2  # pictures at every second tick


@dataclass
class Sample:
    """Errors of one row of a table: position m, yaw rad, squared Mahalanobis distances, misses."""

    position: list[float] = field(default_factory=list)
    yaw: list[float] = field(default_factory=list)
    mahalanobis: list[float] = field(default_factory=list)
    views: int = 0

    def add(self, expected: np.ndarray, found: np.ndarray, covariance: np.ndarray | None) -> None:
        """Compare two poses (4, 4) in one frame; covariance (6, 6) begins with x, y, z."""
        error = found[:3, 3] - expected[:3, 3]
        turn = expected[:3, :3].T @ found[:3, :3]
        self.position.append(float(np.linalg.norm(error)))
        self.yaw.append(abs(float(np.arctan2(turn[1, 0], turn[0, 0]))))
        if covariance is not None:
            self.mahalanobis.append(float(error @ np.linalg.solve(covariance[:3, :3], error)))

    def row(self, limit: float | None = None) -> dict:
        """Figures: m, degrees, shares."""
        position, yaw = np.array(self.position), np.degrees(self.yaw)
        row: dict = {"views": self.views or len(position), "found": len(position)}
        if len(position):
            row |= quantiles("position_m", position) | quantiles("yaw_deg", yaw)
            if limit is not None:
                row["within_limit"] = float(np.mean(position <= limit))
            if self.mahalanobis:
                # 3 if the covariance were exactly right; more: it promises too much.
                row["mahalanobis2_mean"] = float(np.mean(self.mahalanobis))
        return row


def quantiles(name: str, values: np.ndarray) -> dict:
    """Median and 95th percentile under the name and its unit."""
    return {
        f"{name}_median": float(np.median(values)),
        f"{name}_p95": float(np.quantile(values, 0.95)),
    }


def bench_views(world: World, robot: Robot, seed: int, views: int) -> dict:
    """Single pictures of items and of places: {"items": rows, "places": rows}."""
    detector = MarkerDetector(world.site)
    items = {(camera, band): Sample() for camera in robot.cameras for band in ITEM_BANDS}
    places = {("camera", band): Sample() for band in PLACE_BANDS}
    with ViewSampler(world, robot, seed) as sampler:
        for (camera, band), sample in items.items():
            for view in sampler.items(camera, band, views):
                measure(world, detector, view, sample)
        for (camera, band), sample in places.items():
            for view in sampler.places(camera, band, views):
                measure(world, detector, view, sample)
    return {
        "items": {row_name(*key): sample.row(ITEM_LIMIT) for key, sample in items.items()},
        "places": {row_name(*key): sample.row() for key, sample in places.items()},
    }


def row_name(camera: str, band: tuple[float, float]) -> str:
    return f"{camera} {band[0]:g}-{band[1]:g} m"


def measure(world: World, detector: MarkerDetector, view: View, sample: Sample) -> None:
    """Add what one picture says of the thing in view to a sample; the surest sighting counts."""
    sample.views += 1
    frame = view.frame
    sightings = [
        sight(world.site, observation, frame.base_from_optical, frame.stamp)
        for observation in detector.detect(frame)
        if observation.marker.name == view.name
    ]
    known = [sighting for sighting in sightings if sighting is not None]
    if known:
        best = min(known, key=lambda sighting: np.trace(sighting.covariance[:3, :3]))
        sample.add(view.base_from_object, best.frame_from_object, best.covariance)


@dataclass
class Walk:
    """What was measured along missions."""

    pose: list[float] = field(default_factory=list)  # m
    heading: list[float] = field(default_factory=list)  # rad
    seen_items: Sample = field(default_factory=Sample)  # at ticks with a new sighting
    kept_items: Sample = field(default_factory=Sample)  # at others: odometry's noise comes on top
    update: list[float] = field(default_factory=list)  # s of CPU, with pictures
    reached: int = 0

    def add(
        self,
        plant: Plant,
        odometry: Odometry,
        localisation: Localisation,
        detections: dict[str, Detection],
    ) -> None:
        """Compare one tick's estimates with the truth."""
        truth = plant.truth()
        map_from_base = planar_from_transform(truth.map_from_base)
        odom_from_base = planar_from_transform(odometry.odom_from_base)
        error = compose(localisation.map_from_odom, odom_from_base) - map_from_base
        self.pose.append(float(np.hypot(error[0], error[1])))
        self.heading.append(abs(float(wrap_angle(error[2]))))
        for name, map_from_item in truth.items.items():
            expected = inverse(truth.map_from_base) @ map_from_item
            found = detections.get(name)
            if found is None or np.linalg.norm(expected[:3, 3]) > NEAR_ITEM:
                continue
            age = localisation.stamp - found.stamp
            if age <= FRESH:
                base_from_item = inverse(odometry.odom_from_base) @ found.odom_from_object
                sample = self.seen_items if age < 0.5 * TICK else self.kept_items
                sample.add(expected, base_from_item, found.covariance)

    def rows(self, missions: int) -> dict:
        pose, heading = np.array(self.pose), np.array(self.heading)
        good = (pose <= POSE_LIMIT) & (heading <= HEADING_LIMIT)
        return {
            "missions": missions,
            "walked_to_the_end": self.reached,
            "pose": {
                "ticks": len(pose),
                **quantiles("position_m", pose),
                **quantiles("yaw_deg", np.degrees(heading)),
                "position_m_max": float(pose.max()),
                "yaw_deg_max": float(np.degrees(heading.max())),
                "within_limit": float(np.mean(good)),
            },
            "items": self.seen_items.row(ITEM_LIMIT),
            "items_between_pictures": self.kept_items.row(ITEM_LIMIT),
            "update_ms": quantiles("update_ms", 1e3 * np.array(self.update)),
        }


def bench_missions(
    world: World, robot: Robot, seed: int, missions: int, options: PerceptionOptions
) -> dict:
    """Localisation and tracked items along missions."""
    walk = Walk()
    for trial in trials(world, seed, missions):
        plant = Plant(world, trial, robot, options=PlantOptions(skin=False))
        perception = Perception(world.site, robot, options)
        perception.reset(trial.start_estimate, np.diag([0.05, 0.05, 0.03]) ** 2, plant.odometry())
        for tick, command in enumerate(drive(plant, robot)):
            plant.step(command)
            frames = []
            if tick % CAMERA_TICKS == 0:
                frames = [f for name in robot.cameras if (f := plant.image(name)) is not None]
            odometry, joints, scan = plant.odometry(), plant.joints(), plant.scan()
            begin = time.process_time()
            found = perception.update(odometry, frames, joints, scan, plant.time)
            if frames:
                walk.update.append(time.process_time() - begin)
            walk.add(plant, odometry, *found)
        walk.reached += not plant.truth().fallen
        plant.close()
    return walk.rows(missions)


def trials(world: World, seed: int, count: int) -> Iterator[Trial]:
    """Trials without those boxes that the driver, which does not look, would walk into."""
    for k in range(count):
        trial = draw_trial(world, seed + k)
        path = route(trial, mission_steps(world.site, trial))
        beside = (o for o in trial.obstacles if distance_to_path(path, o.pose[:2]) > BESIDE)
        yield replace(trial, obstacles=tuple(beside))


def drive(plant: Plant, robot: Robot) -> Iterator[Command]:
    """Commands that walk the plant along its trial's mission by the truth, the arm as in one."""
    for step in mission_steps(plant.world.site, plant.trial):
        yield Command(twist=np.zeros(3), arm=np.array(robot.arm.poses[step.arm]))
        for _ in range(step.max_ticks):
            twist = step.twist(planar_from_transform(plant.truth().map_from_base))
            if twist is None:
                break
            yield Command(twist=twist)
        for _ in range(step.hold):
            yield Command(twist=np.zeros(3))


def table(rows: dict[str, dict]) -> str:
    """Rows of figures as text; metres as millimetres."""
    lines = [
        f"{'':28s}{'found':>9s}{'pos mm med/p95':>17s}{'yaw deg med/p95':>18s}{'in limit':>10s}"
    ]
    for name, row in rows.items():
        views = row.get("views", row.get("ticks"))
        line = f"{name:28s}{row.get('found', views):>4d}/{views:<4d}"
        if "position_m_median" in row:
            line += f"{1e3 * row['position_m_median']:>9.1f}/{1e3 * row['position_m_p95']:<7.1f}"
            line += f"{row['yaw_deg_median']:>9.2f}/{row['yaw_deg_p95']:<8.2f}"
        if "within_limit" in row:
            line += f"{100 * row['within_limit']:>8.1f} %"
        lines.append(line)
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl bench perception", description=__doc__)
    parser.add_argument("--world", default="small_warehouse", help="name or .yaml file")
    parser.add_argument("--robot", default="spot", help="name or .yaml file")
    parser.add_argument("--seed", type=integer(), default=0)
    parser.add_argument("--views", type=integer(1), default=25, help="pictures per row")
    parser.add_argument("--missions", type=integer(1), default=3)
    parser.add_argument("--markers-only", action="store_true", help="localise without the scan")
    parser.add_argument("--json", type=file_to_write, help="write the figures to this file")
    options = parser.parse_args(arguments)

    world, robot = load_world(options.world), load_robot(options.robot)
    result: dict = {"world": world.site.name, "seed": options.seed}
    if options.views > 0:
        result |= bench_views(world, robot, options.seed, options.views)
        print(f"Items in single pictures (limit {1e3 * ITEM_LIMIT:g} mm)")
        print(table(result["items"]))
        print("\nBins and stations in single pictures")
        print(table(result["places"]), flush=True)
    if options.missions > 0:
        perception = PerceptionOptions(match_scans=not options.markers_only)
        walked = bench_missions(world, robot, options.seed, options.missions, perception)
        result["missions"] = walked
        print(f"\nAlong {options.missions} missions (limit {1e2 * POSE_LIMIT:g} cm and 3 degrees)")
        shown = {
            "pose in map": walked["pose"],
            "items to 1 m": walked["items"],
            "  between pictures": walked["items_between_pictures"],
        }
        print(table(shown))
        update = walked["update_ms"]
        print(
            f"CPU of an update with two pictures: median {update['update_ms_median']:.1f} ms, "
            f"p95 {update['update_ms_p95']:.1f} ms"
        )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""A world and a trial -> MjSpec: floor, walls, shelves, stations, markers, items, people, boxes.

Names of geoms and bodies are `<kind>/<name>`, so that a contact says what was touched.
"""

import mujoco
import numpy as np

from hrl_core.geometry import transform_from
from hrl_core.site import (
    FACE_FROM_MARKER,
    TOP_FROM_MARKER,
    Item,
    Shelf,
    Site,
    Station,
)
from hrl_sim_bridge.plant.robot_model import SCENE, SKIN, WALLS
from hrl_sim_bridge.plant.tags import add_tag, tag_material
from hrl_sim_bridge.trials.barriers import BARRIER_THICKNESS
from hrl_sim_bridge.trials.trial import PlacedItem, Trial
from hrl_sim_bridge.worlds.faults import FaultKind

WALL_HEIGHT, WALL_THICKNESS = 1.6, 0.1  # m
PANEL = 0.02  # m, thickness of back and sides of a shelf
MARKER_GAP = 0.003  # m, a marker's patch in front of its face
ITEM_MARKER_GAP = 0.0008  # m
PERSON_RADIUS, PERSON_HEIGHT = 0.22, 1.7  # m
BARRIER_SIZE = np.array([BARRIER_THICKNESS, 1.2, 0.9])  # m; the width is set where it stands
BELT, BELT_MASS = 0.04, 200.0  # m, thickness; kg: no item holds it up
SPARES = 2  # people and barriers that faults can bring in, at least
AWAY = -5.0  # m, height at which things are kept that are not there

FLOOR_COLOUR = [0.46, 0.47, 0.48, 1]
WALL_COLOUR = [0.80, 0.80, 0.77, 1]
SHELF_COLOUR = [0.30, 0.42, 0.56, 1]
STATION_COLOUR = [0.62, 0.50, 0.36, 1]
CONVEYOR_COLOUR = [0.45, 0.50, 0.55, 1]
BELT_COLOUR = [0.13, 0.14, 0.15, 1]
OBSTACLE_COLOUR = [0.72, 0.55, 0.33, 1]
PERSON_COLOUR = [0.85, 0.45, 0.15, 1]
BARRIER_COLOUR = [0.85, 0.20, 0.15, 1]
ITEM_COLOURS = [
    [0.75, 0.25, 0.22, 1],
    [0.22, 0.52, 0.30, 1],
    [0.80, 0.66, 0.20, 1],
    [0.35, 0.35, 0.70, 1],
    [0.60, 0.30, 0.58, 1],
]

BOX, CYLINDER, PLANE = (
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
    mujoco.mjtGeom.mjGEOM_PLANE,
)


def add_warehouse(spec: mujoco.MjSpec, site: Site, trial: Trial) -> None:
    """Add everything but the robot; positions of people and spare things are set by the plant."""
    _set_light(spec)
    materials = {marker: tag_material(spec, marker) for marker in site.markers}
    _add_floor_and_walls(spec, site)
    for shelf in site.shelves:
        _add_shelf(spec, site, shelf, materials)
    for station in site.stations:
        _add_station(spec, site, station, materials)
    for landmark in site.landmarks:
        name = f"landmark_{landmark.marker}"
        pose = site.faces[name] @ transform_from((0, 0, 0), FACE_FROM_MARKER)
        add_tag(spec.worldbody, f"tag/{name}", materials[landmark.marker], landmark.size, pose)
    for k, name in enumerate(site.items):
        if any(placed.name == name for placed in trial.stock):
            colour = ITEM_COLOURS[k % len(ITEM_COLOURS)]
            placed = trial.item(name)
            size = site.markers[site.items[name].marker].size
            add_item(spec, site.items[name], placed, size, materials, colour=colour)
    for k, obstacle in enumerate(trial.obstacles):
        body = spec.worldbody.add_body(name=f"obstacle/{k}")
        body.pos = [*obstacle.pose[:2], 0.5 * obstacle.size[2]]
        body.quat = _yaw_quaternion(obstacle.pose[2])
        _add_solid(body, f"obstacle/{k}", obstacle.size, (0, 0, 0), OBSTACLE_COLOUR)
    for k in range(len(trial.people) + SPARES):
        _add_person(spec, f"person/{k}")
    for k in range(barriers_of(trial)):
        body = spec.worldbody.add_body(name=f"barrier/{k}", mocap=True, pos=[k, 0, AWAY])
        _add_solid(body, f"barrier/{k}", BARRIER_SIZE, (0, 0, 0), BARRIER_COLOUR)


def barriers_of(trial: Trial) -> int:
    """How many barriers are kept ready."""
    return max(SPARES, sum(fault.kind is FaultKind.BLOCKED_AISLE for fault in trial.faults))


def add_item(
    spec: mujoco.MjSpec,
    item: Item,
    placed: PlacedItem,
    marker_size: float,
    materials: dict[int, str],
    colour=ITEM_COLOURS[0],
) -> None:
    """Add a free body `item/<name>` with its marker on the front and on top."""
    name = f"item/{placed.name}"
    body = spec.worldbody.add_body(name=name)
    _set_pose(body, placed.map_from_item)
    body.add_freejoint(name=name)
    half = 0.5 * np.array(item.size)
    is_box = item.shape == "box"
    geom = body.add_geom(
        name=name,
        type=BOX if is_box else CYLINDER,
        size=half if is_box else [half[0], half[2], 0],
        mass=placed.mass,
        rgba=colour,
        group=SCENE,
        contype=1,
        conaffinity=1,
        condim=4,
        priority=1,  # else the friction would be the larger one of item and jaw
        friction=[placed.friction, 0.01, 0.0005],
    )
    geom.solref = [0.01, 1]
    front = transform_from((half[0] + ITEM_MARKER_GAP, 0, 0), FACE_FROM_MARKER)
    top = transform_from((0, 0, half[2] + ITEM_MARKER_GAP), TOP_FROM_MARKER)
    add_tag(body, f"tag/{placed.name}/front", materials[item.marker], marker_size, front)
    add_tag(body, f"tag/{placed.name}/top", materials[item.marker], marker_size, top)


def _set_light(spec: mujoco.MjSpec) -> None:
    light = spec.visual.headlight
    light.ambient, light.diffuse, light.specular = [0.5] * 3, [0.45] * 3, [0.0] * 3
    spec.stat.extent = 1.0  # so that znear and zfar below are in metres
    spec.stat.center = [0, 0, 0.5]
    spec.visual.map.znear, spec.visual.map.zfar = 0.01, 60.0
    spec.visual.quality.shadowsize = 0
    spec.visual.quality.offsamples = 0


def _add_floor_and_walls(spec: mujoco.MjSpec, site: Site) -> None:
    texture = spec.add_texture(name="floor", type=mujoco.mjtTexture.mjTEXTURE_2D)
    texture.builtin = mujoco.mjtBuiltin.mjBUILTIN_CHECKER
    texture.rgb1, texture.rgb2 = FLOOR_COLOUR[:3], [0.42, 0.43, 0.44]
    texture.width = texture.height = 128
    material = spec.add_material(name="floor", specular=0, shininess=0, texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "floor"
    material.texrepeat = [0.5, 0.5]  # tiles of 1 m
    spec.worldbody.add_geom(
        name="floor/floor",
        type=PLANE,
        size=[0, 0, 0.05],
        rgba=FLOOR_COLOUR,
        group=SCENE,
        contype=1,
        conaffinity=0,
    )
    # Tiles only in pictures for people: they cost the robot's cameras a third of their time.
    spec.worldbody.add_geom(
        name="tiles/tiles",
        type=PLANE,
        size=[0, 0, 0.05],
        pos=[0, 0, 0.001],
        material="floor",
        group=SKIN,
        contype=0,
        conaffinity=0,
    )
    (x, y), t, h = site.size, WALL_THICKNESS, WALL_HEIGHT
    walls = {
        "west": ((t, y + 2 * t, h), (-t / 2, y / 2, h / 2)),
        "east": ((t, y + 2 * t, h), (x + t / 2, y / 2, h / 2)),
        "south": ((x, t, h), (x / 2, -t / 2, h / 2)),
        "north": ((x, t, h), (x / 2, y + t / 2, h / 2)),
    }
    for name, (size, centre) in walls.items():
        _add_solid(spec.worldbody, f"wall/{name}", size, centre, WALL_COLOUR, group=WALLS)


def _add_shelf(spec, site: Site, shelf: Shelf, materials: dict[int, str]) -> None:
    body = _body_at(spec, f"shelf/{shelf.name}", shelf.pose)
    d, w, h = shelf.depth, shelf.width, shelf.board_height
    above = shelf.height - h
    solids: dict[str, tuple[tuple, tuple]] = {"base": ((d, w, h), (-d / 2, 0, h / 2))}
    if above > 0:
        middle = h + above / 2
        solids["back"] = ((PANEL, w, above), (PANEL / 2 - d, 0, middle))
        solids["left"] = ((d, PANEL, above), (-d / 2, (PANEL - w) / 2, middle))
        solids["right"] = ((d, PANEL, above), (-d / 2, (w - PANEL) / 2, middle))
    wall = shelf.divider_height
    for k, y in enumerate(shelf.dividers):
        solids[f"divider_{k}"] = ((d, PANEL, wall), (-d / 2, y, h + wall / 2))
    for part, (size, centre) in solids.items():
        _add_solid(body, f"shelf/{shelf.name}/{part}", size, centre, SHELF_COLOUR)
    for name, marker in shelf.bins.items():
        _add_face_tag(spec, site, name, materials[marker])


def _add_station(spec, site: Site, station: Station, materials: dict[int, str]) -> None:
    body = _body_at(spec, f"station/{station.name}", station.pose)
    d, h = station.depth, station.board_height
    if station.belt:
        h = _add_belt(spec, station)
    colour = CONVEYOR_COLOUR if station.belt else STATION_COLOUR
    _add_solid(body, f"station/{station.name}", (d, station.width, h), (-d / 2, 0, h / 2), colour)
    _add_face_tag(spec, site, station.name, materials[station.marker])


def _add_belt(spec, station: Station) -> float:
    """The belt of a conveyor, flush with its top; returns the height [m] of what bears it."""
    name, h = f"station/{station.name}/belt", station.board_height
    body = _body_at(spec, name, station.pose)
    body.sleep = mujoco.mjtSleepPolicy.mjSLEEP_NEVER  # what lies on it wakes when it starts
    body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 1, 0])
    size = (station.depth, station.width, BELT)
    _add_solid(body, name, size, (-0.5 * station.depth, 0, h - 0.5 * BELT), BELT_COLOUR)
    body.mass, body.inertia, body.explicitinertial = BELT_MASS, [1.0, 1.0, 1.0], True
    return h - BELT


def _add_face_tag(spec, site: Site, name: str, material: str) -> None:
    pose = site.faces[name] @ transform_from((MARKER_GAP, 0, 0), FACE_FROM_MARKER)
    add_tag(spec.worldbody, f"tag/{name}", material, site.shelf_marker_size, pose)


def _add_person(spec, name: str) -> None:
    body = spec.worldbody.add_body(name=name, mocap=True, pos=[0, 0, AWAY])
    body.add_geom(
        name=name,
        type=CYLINDER,
        size=[PERSON_RADIUS, PERSON_HEIGHT / 2, 0],
        pos=[0, 0, PERSON_HEIGHT / 2],
        rgba=PERSON_COLOUR,
        group=SCENE,
        contype=1,
        conaffinity=0,
    )


def _body_at(spec, name: str, pose):
    body = spec.worldbody.add_body(name=name, pos=[pose[0], pose[1], 0])
    body.quat = _yaw_quaternion(pose[2])
    return body


def _add_solid(body, name: str, size, centre, colour, group: int = SCENE) -> None:
    """Add a box that stands fast: full extents [m] and centre in the body's frame."""
    geom = body.add_geom(name=name, type=BOX, size=0.5 * np.asarray(size), pos=centre, rgba=colour)
    geom.group = group
    geom.contype, geom.conaffinity = 1, 0
    geom.solref = [0.01, 1]


def _set_pose(body, parent_from_body: np.ndarray) -> None:
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, parent_from_body[:3, :3].ravel())
    body.pos, body.quat = parent_from_body[:3, 3], quaternion


def _yaw_quaternion(yaw: float) -> list[float]:
    return [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]

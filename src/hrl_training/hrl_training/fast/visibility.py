"""What a robot's perception would track: markers and items in the cone of its camera.

Range, angles and how confidence grows were measured on the poses and the tracks of missions in
physics (see docs/fast_world.md); solids of the layout hide what lies behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrl_core.floor.rays import in_sight
from hrl_core.geometry import transform_from, transform_from_planar, wrap_angle
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_master.scene import Seen
from hrl_training.fast.floor import Floor

MARKER_PIXELS = 7.0  # width of a marker's black square in the picture from which on it is found
ASLANT = np.deg2rad(65)  # between a marker's normal and the line of sight
# Bearings in the camera's frame between which markers were found: to the right the arm hides them,
# those of items less, which stand higher.
RIGHT = {"bin": np.deg2rad(-18), "station": np.deg2rad(-18), "item": np.deg2rad(-20)}
LEFT = np.deg2rad(37)
FORGET = 120.0  # s without a sight, as perception does
HALF_LIFE = 10.0  # s, of the confidence of what is unseen
EMPTY_RANGE = 1.5  # m, from which on an empty place is noticed
IN_FRONT = 0.02  # m, a line of sight ends so far in front of a face


@dataclass
class Track:
    """Something that was seen: where, in map (4, 4), when last, how surely."""

    kind: str
    map_from_object: np.ndarray
    stamp: float
    confidence: float


@dataclass(frozen=True)
class Things:
    """What can be seen: names (n,), kinds (n,), places (n, 3) m, where lines of sight end (n, 2) m,
    directions out of their faces (n, 2), marker sizes (n,) m."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    places: np.ndarray
    ends: np.ndarray
    normals: np.ndarray
    sizes: np.ndarray


class Sight:
    """Tracks of one robot at one site."""

    def __init__(self, site: Site, robot: Robot) -> None:
        self._site = site
        camera = robot.cameras["camera"]
        self._mount = np.array([*camera.mount.position[:2], camera.mount.rpy[2]])
        self._focal = 0.5 * camera.height / np.tan(0.5 * camera.fovy)
        self.tracks: dict[str, Track] = {}
        names = site.targets
        frames = [site.face(name) for name in names]
        self._faces = Things(
            tuple(names),
            tuple("bin" if name in site.bins else "station" for name in names),
            np.array([frame[:3, 3] for frame in frames]),
            np.array([frame[:2, 3] + IN_FRONT * frame[:2, 0] for frame in frames]),
            np.array([frame[:2, 0] for frame in frames]),
            np.full(len(names), site.shelf_marker_size),
        )

    def faces(self, covered: set[str]) -> Things:
        """Bins and stations whose markers are not covered."""
        faces = self._faces
        if not covered:
            return faces
        keep = np.array([name not in covered for name in faces.names])
        return _chosen(faces, keep)

    def items(self, places: dict[str, tuple[np.ndarray, str]], covered: set[str]) -> Things | None:
        """Items that stand somewhere: name -> place (3,) m in map and the face that it stands at.

        On the floor (face "") an item shows its marker to every side.
        """
        names = [name for name in places if name not in covered]
        if not names:
            return None
        ends, normals, sizes = [], [], []
        for name in names:
            place, face = places[name]
            sizes.append(self._site.markers[self._site.items[name].marker].size)
            if not face:
                ends.append(place[:2])
                normals.append(np.zeros(2))
                continue
            frame = self._site.face(face)
            behind = (place[:2] - frame[:2, 3]) @ frame[:2, 0]
            ends.append(place[:2] + (IN_FRONT - behind) * frame[:2, 0])
            normals.append(frame[:2, 0])
        return Things(
            tuple(names),
            ("item",) * len(names),
            np.array([places[name][0] for name in names]),
            np.array(ends),
            np.array(normals),
            np.array(sizes),
        )

    def visible(self, things: Things, poses: np.ndarray, floor: Floor) -> np.ndarray:
        """Which things (n,) the camera sees from planar base poses (k, 3) in map: (k, n) bool."""
        c, s = np.cos(poses[:, 2]), np.sin(poses[:, 2])
        x, y, yaw = self._mount
        eyes = poses[:, :2] + np.stack([c * x - s * y, s * x + c * y], axis=-1)
        away = things.places[None, :, :2] - eyes[:, None]  # (k, n, 2)
        distance = np.maximum(np.hypot(away[..., 0], away[..., 1]), 1e-6)
        bearing = wrap_angle(np.arctan2(away[..., 1], away[..., 0]) - poses[:, 2:] - yaw)
        facing = -(away * things.normals).sum(axis=-1) / distance
        facing[:, (things.normals == 0).all(axis=1)] = 1.0
        right = np.array([RIGHT[kind] for kind in things.kinds])
        seen = (bearing > right) & (bearing < LEFT) & (facing > np.cos(ASLANT))
        seen &= self._focal * things.sizes * facing / distance > MARKER_PIXELS
        rows, columns = np.nonzero(seen)
        if len(rows):
            seen[rows, columns] = in_sight(eyes[rows], things.ends[columns], floor.edges)
        return seen

    def look(
        self,
        poses: np.ndarray,
        stamps: np.ndarray,
        things: list[Things],
        floor: Floor,
        rng: np.random.Generator,
    ) -> None:
        """Take in what the camera sees from poses (k, 3) at stamps (k,) s."""
        standing = {
            n: p for group in things for n, p in zip(group.names, group.places, strict=True)
        }
        for group in things:
            seen = self.visible(group, poses, floor)
            for index in np.flatnonzero(seen.any(axis=0)):
                looks = np.flatnonzero(seen[:, index])
                self._note(group, int(index), float(stamps[looks[-1]]), len(looks), rng)
        self._notice_empty(standing, poses[-1], float(stamps[-1]), floor)

    def note(self, name: str, kind: str, map_from_object: np.ndarray, stamp: float) -> None:
        """Something is seen for sure, as by the hand camera."""
        self.tracks[name] = Track(kind, map_from_object, stamp, 1.0)

    def forget(self, name: str) -> None:
        self.tracks.pop(name, None)

    def seen(self, stamp: float) -> dict[str, Seen]:
        """The tracks as the scene has them; those too old are dropped."""
        for name in [n for n, track in self.tracks.items() if stamp - track.stamp > FORGET]:
            del self.tracks[name]
        return {
            name: Seen(
                track.kind,
                track.map_from_object,
                stamp - track.stamp,
                track.confidence * 0.5 ** ((stamp - track.stamp) / HALF_LIFE),
            )
            for name, track in sorted(self.tracks.items())
        }

    def _note(
        self, group: Things, index: int, stamp: float, looks: int, rng: np.random.Generator
    ) -> None:
        name, kind = group.names[index], group.kinds[index]
        old = self.tracks.get(name)
        doubt = (1.0 - (old.confidence if old is not None else 0.0)) * 0.5 ** (2 * looks)
        if kind == "item":
            nx, ny = group.normals[index]
            frame = transform_from_planar(np.array([0.0, 0.0, np.arctan2(ny, nx)]))
            place = group.places[index] + 0.01 * rng.standard_normal(3)
            frame = transform_from(place, frame[:3, :3])
        else:
            frame = self._site.face(name).copy()
            frame[:3, 3] += 0.01 * rng.standard_normal(3)
        self.tracks[name] = Track(kind, frame, stamp, 1.0 - doubt)

    def _notice_empty(
        self, standing: dict[str, np.ndarray], pose: np.ndarray, stamp: float, floor: Floor
    ) -> None:
        """Drop items whose place is in view from near and where they are no more."""
        gone = [n for n, t in self.tracks.items() if t.kind == "item" and t.stamp < stamp]
        for name in gone:
            track = self.tracks[name]
            place = track.map_from_object[:3, 3]
            if np.linalg.norm(standing.get(name, np.full(3, np.inf)) - place) < 0.1:
                continue
            ahead = track.map_from_object[:2, 0]
            spot = Things(
                (name,),
                ("item",),
                place[None],
                (place[:2] + 0.25 * ahead)[None],
                ahead[None],
                np.ones(1),
            )
            near = np.linalg.norm(place[:2] - pose[:2]) < EMPTY_RANGE
            if near and self.visible(spot, pose[None], floor)[0, 0]:
                del self.tracks[name]


def _chosen(things: Things, keep: np.ndarray) -> Things:
    index = np.flatnonzero(keep)
    return Things(
        tuple(things.names[i] for i in index),
        tuple(things.kinds[i] for i in index),
        things.places[index],
        things.ends[index],
        things.normals[index],
        things.sizes[index],
    )

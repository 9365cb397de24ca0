"""From markers to the things that carry them: sightings of bins, stations, items, landmarks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from hrl_core.geometry import inverse, transform_from
from hrl_core.site import FACE_FROM_MARKER, TOP_FROM_MARKER, Item, Marker, Site
from hrl_perception.markers import MarkerObservation, skew

# A patch whose face looks up more steeply than this [-] is the one on top of its item.
TOP_PATCH_UP = np.cos(np.radians(45))
# Bins, stations and landmarks stand upright; a marker that seems tilted more than this is misread.
UPRIGHT = np.cos(np.radians(20))
# Where an item's two patches in one picture put it; nearer than this [m, rad] they agree.
SAME_PLACE, SAME_TURN = 0.02, 0.35
PLATE = 0.003  # m, thickness of the plate that carries the marker of a bin or station


@dataclass(frozen=True)
class Sighting:
    """A thing seen in one picture: its frame (see Detection) in the frame it was asked for.

    `covariance` (6, 6): x, y, z m and rotation vector rad, along the axes of that frame.
    """

    stamp: float
    marker: Marker
    frame_from_object: np.ndarray  # (4, 4)
    covariance: np.ndarray
    confidence: float
    both_patches: bool = False  # of an item: no other posture of it would look so


def front_patch(item: Item) -> np.ndarray:
    """item_from_marker (4, 4) of the patch on the labelled front."""
    return transform_from((item.size[0] / 2, 0, 0), FACE_FROM_MARKER)


def top_patch(item: Item) -> np.ndarray:
    """item_from_marker (4, 4) of the patch on top."""
    return transform_from((0, 0, item.size[2] / 2), TOP_FROM_MARKER)


def sights(
    site: Site,
    observations: Sequence[MarkerObservation],
    level_from_optical: np.ndarray,
    stamp: float,
) -> list[Sighting]:
    """The things behind the markers of one picture, see `sight`; misread ones are left out.

    Where both patches of an item are in view, each is told by where the other is.
    """
    patches = _patches(site, observations, level_from_optical)
    found = []
    for k, observation in enumerate(observations):
        patch = patches.get(k)
        sighting = sight(site, observation, level_from_optical, stamp, patch)
        if sighting is not None:
            found.append(replace(sighting, both_patches=patch is not None))
    return found


def sight(
    site: Site,
    observation: MarkerObservation,
    level_from_optical: np.ndarray,
    stamp: float,
    item_from_marker: np.ndarray | None = None,
) -> Sighting | None:
    """The thing behind a marker, in the frame `level` whose z axis points up; None if misread.

    Both patches of an item bear the same id. `item_from_marker` (4, 4): which one it is; None: not
    known, the one that looks up is taken for that on top.
    """
    level_from_marker = level_from_optical @ observation.optical_from_marker
    marker = observation.marker
    if marker.kind == "item":
        item = site.items[marker.name]
        on_top = level_from_marker[2, 2] > TOP_PATCH_UP
        object_from_marker = item_from_marker
        if object_from_marker is None:
            object_from_marker = top_patch(item) if on_top else front_patch(item)
    else:
        if level_from_marker[2, 1] < UPRIGHT:
            return None
        plate = PLATE if marker.kind in ("bin", "station") else 0.0
        object_from_marker = transform_from((plate, 0, 0), FACE_FROM_MARKER)
    level_from_object = level_from_marker @ inverse(object_from_marker)
    arm = level_from_object[:3, 3] - level_from_marker[:3, 3]
    return Sighting(
        stamp=stamp,
        marker=marker,
        frame_from_object=level_from_object,
        covariance=carry_covariance(observation.covariance, level_from_optical[:3, :3], arm),
        confidence=observation.confidence,
    )


def _patches(
    site: Site, observations: Sequence[MarkerObservation], level_from_optical: np.ndarray
) -> dict[int, np.ndarray]:
    """item_from_marker (4, 4) of those observations whose item shows its other patch as well."""
    found: dict[int, np.ndarray] = {}
    for (i, one), (j, other) in permutations(enumerate(observations), 2):
        if one.marker.kind != "item" or one.marker.id != other.marker.id:
            continue
        item = site.items[one.marker.name]
        front, top = front_patch(item), top_patch(item)
        by_front = level_from_optical @ one.optical_from_marker @ inverse(front)
        by_top = level_from_optical @ other.optical_from_marker @ inverse(top)
        between = inverse(by_front) @ by_top
        turn = np.arccos(np.clip(0.5 * (np.trace(between[:3, :3]) - 1.0), -1.0, 1.0))
        if np.linalg.norm(between[:3, 3]) < SAME_PLACE and turn < SAME_TURN:
            found[i], found[j] = front, top
    return found


def carry_covariance(covariance: np.ndarray, rotation: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Turn a pose covariance (6, 6) by `rotation` (3, 3), then move it by `arm` (3,) m."""
    turn = np.kron(np.eye(2), rotation)
    move = np.eye(6)
    move[:3, 3:] = -skew(arm)
    jacobian = move @ turn
    return jacobian @ covariance @ jacobian.T

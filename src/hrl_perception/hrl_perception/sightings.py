"""From markers to the things that carry them: sightings of bins, stations, items, landmarks."""

from dataclasses import dataclass

import numpy as np

from hrl_core.geometry import inverse, transform_from
from hrl_core.site import FACE_FROM_MARKER, TOP_FROM_MARKER, Item, Marker, Site
from hrl_perception.markers import MarkerObservation, skew

# A patch whose face looks up more steeply than this [-] is the one on top of its item.
TOP_PATCH_UP = np.cos(np.radians(45))
# Bins, stations and landmarks stand upright; a marker that seems tilted more than this is misread.
UPRIGHT = np.cos(np.radians(20))
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


def front_patch(item: Item) -> np.ndarray:
    """item_from_marker (4, 4) of the patch on the labelled front."""
    return transform_from((item.size[0] / 2, 0, 0), FACE_FROM_MARKER)


def top_patch(item: Item) -> np.ndarray:
    """item_from_marker (4, 4) of the patch on top."""
    return transform_from((0, 0, item.size[2] / 2), TOP_FROM_MARKER)


def sight(
    site: Site, observation: MarkerObservation, level_from_optical: np.ndarray, stamp: float
) -> Sighting | None:
    """The thing behind a marker, in the frame `level` whose z axis points up; None if misread.

    Both patches of an item bear the same id; the one that looks up is on top.
    """
    level_from_marker = level_from_optical @ observation.optical_from_marker
    marker = observation.marker
    if marker.kind == "item":
        item = site.items[marker.name]
        on_top = level_from_marker[2, 2] > TOP_PATCH_UP
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


def carry_covariance(covariance: np.ndarray, rotation: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Turn a pose covariance (6, 6) by `rotation` (3, 3), then move it by `arm` (3,) m."""
    turn = np.kron(np.eye(2), rotation)
    move = np.eye(6)
    move[:3, 3:] = -skew(arm)
    jacobian = move @ turn
    return jacobian @ covariance @ jacobian.T

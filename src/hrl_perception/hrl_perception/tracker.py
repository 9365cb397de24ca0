"""What perception knows of bins, stations and items: one Kalman filter each, in odom.

odom never jumps, so a track stays where the thing is while the robot moves. A track is fused from
all cameras, started afresh when its thing has moved, and dropped when its place is seen empty.
Over a longer way odom drifts: then what is out of sight is kept at its place in map instead.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from hrl_core.geometry import inverse, transform_from
from hrl_core.sensed import CameraFrame, Detection
from hrl_core.site import FACE_FROM_MARKER, TOP_FROM_MARKER
from hrl_perception.localisation import OdometryNoise
from hrl_perception.sightings import Sighting

# Rotation vector (3,) rad about an item's own axes: lying so, its front patch is where that on top
# is of an upright one, or the other way round.
OTHER_POSTURE = cv2.Rodrigues(FACE_FROM_MARKER @ TOP_FROM_MARKER.T)[0].ravel()
HALF_ITEM = 0.015  # m, half of the part of an item that is looked for


@dataclass(frozen=True, kw_only=True)
class TrackerOptions:
    """How tracks are kept."""

    gate: float = 22.5  # squared Mahalanobis distance; 99.9 % of right ones (6 degrees of freedom)
    moved_after: int = 2  # sightings in a row off the track that agree: the thing has moved
    position_noise: float = 0.002  # m per sqrt(s), of things that stand
    rotation_noise: float = 0.01  # rad per sqrt(s)
    hand_reach: float = 0.2  # m, an item this near to the grasp centre may move with the hand
    hand_position_noise: float = 0.15  # m per sqrt(s), of such items
    hand_rotation_noise: float = 0.5  # rad per sqrt(s)
    # Errors that do not average out: a pose never counts as better known than this.
    position_floor: float = 0.0007  # m
    rotation_floor: float = 0.007  # rad
    half_life: float = 10.0  # s, in which the confidence of an unseen item halves
    forget_after: float = 120.0  # s without a sighting
    empty_views: int = 3  # pictures in a row that look through where an item should be
    empty_margin: float = 0.045  # m, further away than the item's centre; more than half an item
    empty_range: float = 1.5  # m, beyond it a picture says nothing about emptiness


@dataclass
class Track:
    """One thing: its pose (4, 4) and covariance (6, 6) in odom."""

    sighting: Sighting  # the latest
    odom_from_object: np.ndarray
    covariance: np.ndarray
    confidence: float
    both_patches: bool  # seen since the thing has moved
    just_seen: bool = True  # since the last call of `anchor`
    map_from_object: np.ndarray | None = None  # (4, 4) when last seen; None: it may have moved
    seen_covariance: np.ndarray | None = None  # (6, 6) then, along the axes of map
    outlier: Sighting | None = None  # the latest sighting, if it was off the track
    outliers: int = 0
    empty: int = 0


class Tracker:
    """Tracks of everything with a marker, by name."""

    def __init__(self, noise: OdometryNoise | None = None, options: TrackerOptions | None = None):
        self._noise = noise or OdometryNoise()
        self._options = options or TrackerOptions()
        self._tracks: dict[str, Track] = {}
        self._stamp: float | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._tracks.clear()
        self._stamp = None

    def move(
        self,
        stamp: float,
        motion: np.ndarray,
        odom_from_base: np.ndarray,
        odom_from_tool: np.ndarray | None,
    ) -> None:
        """Let time pass and the robot move by a planar motion (3,); drop what is too old.

        `odom_from_tool` (4, 4): grasp centre, near which items may move; None: not known.
        """
        options = self._options
        elapsed = 0.0 if self._stamp is None else max(0.0, stamp - self._stamp)
        self._stamp = stamp
        walked = self._noise.covariance(motion)
        for name, track in list(self._tracks.items()):
            if stamp - track.sighting.stamp > options.forget_after:
                del self._tracks[name]
                continue
            position = track.odom_from_object[:3, 3]
            near_hand = (
                track.sighting.marker.kind == "item"
                and odom_from_tool is not None
                and np.linalg.norm(position - odom_from_tool[:3, 3]) < options.hand_reach
            )
            if near_hand:
                track.map_from_object, track.both_patches = None, False
            position_noise = options.hand_position_noise if near_hand else options.position_noise
            rotation_noise = options.hand_rotation_noise if near_hand else options.rotation_noise
            lever = np.linalg.norm(position - odom_from_base[:3, 3])
            position_variance = position_noise**2 * elapsed + walked[0, 0] + lever**2 * walked[2, 2]
            rotation_variance = rotation_noise**2 * elapsed + walked[2, 2]
            track.covariance += np.diag([position_variance] * 3 + [rotation_variance] * 3)

    def see(self, sighting: Sighting) -> None:
        """Fuse a sighting in odom."""
        name = sighting.marker.name
        track = self._tracks.get(name)
        if track is None:
            self._tracks[name] = started(sighting)
            return
        innovation = difference(sighting.frame_from_object, track.odom_from_object)
        spread = track.covariance + sighting.covariance
        if innovation @ np.linalg.solve(spread, innovation) > self._options.gate:
            self._see_outlier(track, sighting)
            return
        gain = np.linalg.solve(spread, track.covariance).T
        track.odom_from_object = moved(track.odom_from_object, gain @ innovation)
        rest = np.eye(6) - gain
        covariance = rest @ track.covariance @ rest.T + gain @ sighting.covariance @ gain.T
        floor = np.repeat([self._options.position_floor, self._options.rotation_floor], 3) ** 2
        short = np.maximum(0.0, floor - np.diag(covariance))
        track.covariance = covariance + np.diag(short)
        track.confidence += (1 - track.confidence) * 0.5 * sighting.confidence
        track.sighting, track.just_seen = sighting, True
        track.both_patches |= sighting.both_patches
        track.outlier, track.outliers, track.empty = None, 0, 0

    def anchor(
        self, map_from_odom: np.ndarray, covariance: np.ndarray, odom_from_base: np.ndarray
    ) -> None:
        """Hold things to the map where odometry since their last sighting is worse than that.

        covariance (3, 3): of base_link's planar pose in map.
        """
        to_map = np.kron(np.eye(2), map_from_odom[:3, :3])
        for track in self._tracks.values():
            if track.just_seen:
                track.just_seen = False
                track.map_from_object = map_from_odom @ track.odom_from_object
                track.seen_covariance = to_map @ track.covariance @ to_map.T
            if track.map_from_object is None or track.seen_covariance is None:
                continue
            lever = np.linalg.norm((track.odom_from_object - odom_from_base)[:2, 3])
            position = max(covariance[0, 0], covariance[1, 1]) + lever**2 * covariance[2, 2]
            # Once for the pose in map when it was seen, once for that of now.
            localisation = 2 * np.diag([position] * 3 + [covariance[2, 2]] * 3)
            held = to_map.T @ track.seen_covariance @ to_map + localisation
            if np.max(np.diag(track.covariance)[:3]) > np.max(np.diag(held)[:3]):
                track.odom_from_object = inverse(map_from_odom) @ track.map_from_object
                track.covariance = held

    def check_empty(self, frame: CameraFrame, odom_from_optical: np.ndarray) -> None:
        """Drop items whose place this picture sees through, several pictures in a row."""
        optical_from_odom = inverse(odom_from_optical)
        for name, track in list(self._tracks.items()):
            if track.sighting.marker.kind != "item" or track.sighting.stamp >= frame.stamp:
                continue
            centre = (optical_from_odom @ track.odom_from_object)[:3, 3]
            spread = float(np.sqrt(np.max(np.diag(track.covariance)[:3])))
            if not self._looks_through(frame, centre, spread):
                continue
            track.empty += 1
            if track.empty >= self._options.empty_views:
                del self._tracks[name]

    def detections(self, stamp: float) -> dict[str, Detection]:
        """Everything that is tracked, by name; landmarks, which nobody acts on, are left out."""
        return {
            name: self._detection(track, stamp)
            for name, track in sorted(self._tracks.items())
            if track.sighting.marker.kind != "landmark"
        }

    def _detection(self, track: Track, stamp: float) -> Detection:
        age = max(0.0, stamp - track.sighting.stamp)
        covariance = track.covariance.copy()
        if track.sighting.marker.kind == "item" and not track.both_patches:
            turn = track.odom_from_object[:3, :3] @ OTHER_POSTURE
            covariance[3:, 3:] += np.outer(turn, turn)
        return Detection(
            stamp=track.sighting.stamp,
            kind=track.sighting.marker.kind,
            name=track.sighting.marker.name,
            marker_id=track.sighting.marker.id,
            odom_from_object=track.odom_from_object.copy(),
            covariance=covariance,
            confidence=float(track.confidence * 0.5 ** (age / self._options.half_life)),
        )

    def _see_outlier(self, track: Track, sighting: Sighting) -> None:
        agrees = False
        if track.outlier is not None:
            innovation = difference(sighting.frame_from_object, track.outlier.frame_from_object)
            # Something in motion moves on between two sightings.
            slack = np.repeat([self._options.hand_position_noise**2, 0.1], 3)
            elapsed = max(0.0, sighting.stamp - track.outlier.stamp)
            spread = sighting.covariance + track.outlier.covariance + np.diag(slack * elapsed)
            agrees = innovation @ np.linalg.solve(spread, innovation) <= self._options.gate
        track.outliers = track.outliers + 1 if agrees else 1
        track.outlier = sighting
        if track.outliers >= self._options.moved_after:
            self._tracks[sighting.marker.name] = started(sighting)

    def _looks_through(self, frame: CameraFrame, centre: np.ndarray, spread: float) -> bool:
        """Whether all depth around the projection of `centre` (3,) lies clearly behind it.

        spread [m]: standard deviation of the centre; that far aside there must be nothing either.
        """
        z = float(centre[2])
        if not 0.05 < z < self._options.empty_range:
            return False
        u, v = (round(float(x)) for x in (frame.matrix @ (centre / z))[:2])
        scale = frame.matrix[0, 0] / z
        up = max(2, int(HALF_ITEM * scale))  # not more, or the board below comes into view
        aside = max(2, int((HALF_ITEM + 2 * spread) * scale))
        height, width = frame.depth.shape
        if not (aside <= u < width - aside and up <= v < height - up):
            return False
        patch = frame.depth[v - up : v + up + 1, u - aside : u + aside + 1]
        valid = patch[np.isfinite(patch) & (patch > 0)]
        if len(valid) < 0.5 * patch.size:
            return False
        return bool(np.quantile(valid, 0.1) > z + self._options.empty_margin)


def started(sighting: Sighting) -> Track:
    """A new track from its first sighting."""
    return Track(
        sighting=sighting,
        odom_from_object=sighting.frame_from_object.copy(),
        covariance=sighting.covariance.copy(),
        confidence=0.5 * sighting.confidence,
        both_patches=sighting.both_patches,
    )


def difference(a_from_new: np.ndarray, a_from_old: np.ndarray) -> np.ndarray:
    """Step (6,) from an old pose to a new one: position m, rotation vector rad, along a's axes."""
    turn = cv2.Rodrigues(a_from_new[:3, :3] @ a_from_old[:3, :3].T)[0].ravel()
    return np.concatenate([a_from_new[:3, 3] - a_from_old[:3, 3], turn])


def moved(a_from_b: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Apply a step (6,) as `difference` gives it to a pose (4, 4)."""
    rotation = cv2.Rodrigues(step[3:])[0] @ a_from_b[:3, :3]
    return transform_from(a_from_b[:3, 3] + step[:3], rotation)


def in_frame(sighting: Sighting, a_from_b: np.ndarray) -> Sighting:
    """A sighting in frame b, expressed in frame a: (4, 4)."""
    turn = np.kron(np.eye(2), a_from_b[:3, :3])
    return replace(
        sighting,
        frame_from_object=a_from_b @ sighting.frame_from_object,
        covariance=turn @ sighting.covariance @ turn.T,
    )

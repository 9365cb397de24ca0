"""Markers in one RGB-D picture: identity, pose in the camera's optical frame, covariance.

AprilTags 36h11 as OpenCV draws and finds them. The four corners give direction and orientation
well and range badly; depth gives the plane well. A Gauss-Newton step on the pose weighs both by
what they are worth and leaves the covariance behind.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from hrl_core.geometry import transform_from
from hrl_core.sensed import CameraFrame
from hrl_core.site import Marker, Site

UPSAMPLING = 2  # of the picture before the search; 15 cm at 5 m: 70 -> 100 % found


@dataclass(frozen=True, kw_only=True)
class MarkerOptions:
    """How markers are measured; the figures come from `./hrl bench perception`."""

    corner_noise: float = 0.15  # px, standard deviation of one corner
    corner_growth: float = 0.06  # px; the refined corners lie this much too far inside
    depth_noise: float = 0.001  # of the depth, smallest standard deviation of one pixel
    depth_bias: float = 0.002  # of the depth, error that all pixels of one marker share
    mount_noise: float = 0.002  # rad, of the camera's direction in base_link
    position_noise: float = 0.0007  # m, what remains at zero distance
    rotation_noise: float = 0.01  # rad, likewise
    view_angle: float = 1.3  # rad; more oblique faces are not believed
    largest_residual: float = 1.0  # px, rms over the corners after the fit
    flip_ratio: float = 2.0  # without depth: worse/better error below which both poses may be right
    readable_side: float = 16.0  # px, side of a marker that is read for sure


@dataclass(frozen=True)
class MarkerObservation:
    """One marker in one picture. Axes of the marker: x right, y up, z out of its face.

    `covariance` (6, 6): x, y, z m and rotation vector rad, along the axes of the optical frame.
    """

    marker: Marker
    optical_from_marker: np.ndarray  # (4, 4)
    covariance: np.ndarray
    corners: np.ndarray  # (4, 2) px, clockwise from the top left
    used_depth: bool
    confidence: float  # 0 to 1


class MarkerDetector:
    """Finds the markers of a site in pictures."""

    def __init__(self, site: Site, options: MarkerOptions | None = None):
        self._markers = site.markers
        self._options = options or MarkerOptions()
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        parameters.cornerRefinementWinSize = 3
        parameters.relativeCornerRefinmentWinSize = 0.3
        parameters.minMarkerPerimeterRate = 0.015
        dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
        self._detector = cv2.aruco.ArucoDetector(dictionary, parameters)

    def detect(self, frame: CameraFrame) -> list[MarkerObservation]:
        """All markers of the site that are in the picture, sorted by id and then by column."""
        grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
        large = cv2.resize(grey, None, fx=UPSAMPLING, fy=UPSAMPLING, interpolation=cv2.INTER_CUBIC)
        quads, ids, _ = self._detector.detectMarkers(large)
        if ids is None:
            return []
        observations = []
        for quad, marker_id in zip(quads, np.ravel(ids), strict=True):
            marker = self._markers.get(int(marker_id))
            if marker is None:
                continue
            corners = (quad.reshape(4, 2).astype(float) + 0.5) / UPSAMPLING - 0.5
            corners = grow(corners, self._options.corner_growth)
            observation = self._measure(marker, corners, frame)
            if observation is not None:
                observations.append(observation)
        return sorted(observations, key=lambda o: (o.marker.id, o.corners[0, 0]))

    def _measure(
        self, marker: Marker, corners: np.ndarray, frame: CameraFrame
    ) -> MarkerObservation | None:
        options = self._options
        guesses = solve_square(corners, frame.matrix, marker.size)
        if not guesses:
            return None
        plane = fit_plane(frame.depth, frame.matrix, corners, options)
        if plane is None:
            start = guesses[0].optical_from_marker
        else:
            start = min(guesses, key=lambda g: plane.disagreement(g)).optical_from_marker
        fit = refine(start, corners, frame.matrix, marker.size, plane, options.corner_noise)
        if fit is None:
            return None
        pose, covariance, residual = fit
        position, normal = pose[:3, 3], pose[:3, 2]
        distance = float(np.linalg.norm(position))
        facing = -float(normal @ position) / distance
        if residual > options.largest_residual or facing < np.cos(options.view_angle):
            return None
        covariance[:3, :3] += np.eye(3) * (
            options.position_noise**2 + (options.mount_noise * distance) ** 2
        )
        covariance[3:, 3:] += np.eye(3) * options.rotation_noise**2
        if plane is None:
            covariance[3:, 3:] += flip_covariance(guesses, options.flip_ratio)
        side = np.sqrt(abs(cv2.contourArea(corners.astype(np.float32))))
        return MarkerObservation(
            marker=marker,
            optical_from_marker=pose,
            covariance=covariance,
            corners=corners,
            used_depth=plane is not None,
            confidence=float(min(1.0, side / options.readable_side)),
        )


@dataclass(frozen=True)
class SquarePose:
    """A pose (4, 4) that explains four corners, and its reprojection error [px]."""

    optical_from_marker: np.ndarray
    error: float


@dataclass(frozen=True)
class DepthPlane:
    """A plane seen in depth: 1/z = parameters . (x/z, y/z, 1), and its information (3, 3)."""

    parameters: np.ndarray
    information: np.ndarray

    def disagreement(self, guess: SquarePose) -> float:
        """Angle [rad] between the plane's normal and that of a pose."""
        normal = -self.parameters / np.linalg.norm(self.parameters)
        return float(np.arccos(np.clip(normal @ guess.optical_from_marker[:3, 2], -1, 1)))


def grow(corners: np.ndarray, amount: float) -> np.ndarray:
    """Push the corners (4, 2) of a quad outwards along both of their edges by `amount` [px]."""
    from_next = corners - np.roll(corners, -1, axis=0)
    from_previous = corners - np.roll(corners, 1, axis=0)
    from_next /= np.linalg.norm(from_next, axis=1, keepdims=True)
    from_previous /= np.linalg.norm(from_previous, axis=1, keepdims=True)
    return corners + amount * (from_next + from_previous)


def square_points(size: float) -> np.ndarray:
    """Corners (4, 3) m of a black square in its marker's frame, in OpenCV's order."""
    h = size / 2
    return np.array([[-h, h, 0], [h, h, 0], [h, -h, 0], [-h, -h, 0]])


def solve_square(corners: np.ndarray, matrix: np.ndarray, size: float) -> list[SquarePose]:
    """The poses that explain the corners (4, 2) px of a square, best first (Collins 2014, IPPE).

    An exactly frontal view can make OpenCV return NaN; such solutions are left out.
    """
    _, rotations, positions, errors = cv2.solvePnPGeneric(
        square_points(size), corners, matrix, np.zeros(5), flags=cv2.SOLVEPNP_IPPE_SQUARE
    )
    poses = []
    for rotation, position, error in zip(rotations, positions, np.ravel(errors), strict=True):
        if np.all(np.isfinite(rotation)) and np.all(np.isfinite(position)) and position[2, 0] > 0:
            pose = transform_from(position[:, 0], cv2.Rodrigues(rotation)[0])
            poses.append(SquarePose(pose, float(error)))
    return sorted(poses, key=lambda pose: pose.error)


def flip_covariance(guesses: list[SquarePose], ratio: float) -> np.ndarray:
    """Rotation covariance (3, 3) rad^2 that covers the other pose where it may be the right one."""
    if len(guesses) < 2 or guesses[1].error > ratio * max(guesses[0].error, 1e-9):
        return np.zeros((3, 3))
    other = guesses[1].optical_from_marker[:3, :3] @ guesses[0].optical_from_marker[:3, :3].T
    turn = cv2.Rodrigues(other)[0].ravel()
    return np.outer(turn, turn)


def fit_plane(
    depth: np.ndarray, matrix: np.ndarray, corners: np.ndarray, options: MarkerOptions
) -> DepthPlane | None:
    """Fit a plane to the depth inside a quad (4, 2) px; None where depth is missing.

    The inverse depth of a plane is linear in the pixel, and a noise that grows with the depth is
    even in it; so one linear fit does, repeated once without what lies off the plane.
    """
    height, width = depth.shape
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, (width, height))
    if np.any(high - low < 3):
        return None
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners - low).astype(np.int32), 1)
    z = depth[low[1] : high[1], low[0] : high[0]]
    rows, columns = np.nonzero((mask > 0) & np.isfinite(z) & (z > 0))
    if len(rows) < 0.5 * np.count_nonzero(mask) or len(rows) < 12:
        return None
    stride = 1 + len(rows) // 1500  # more pixels cost time and add little
    rows, columns = rows[::stride], columns[::stride]
    inverse_depth = 1.0 / z[rows, columns].astype(float)
    rays = np.stack(
        [
            (columns + low[0] - matrix[0, 2]) / matrix[0, 0],
            (rows + low[1] - matrix[1, 2]) / matrix[1, 1],
            np.ones(len(rows)),
        ],
        axis=1,
    )
    least_noise = options.depth_noise * float(np.median(inverse_depth))
    parameters, noise = solve_plane(rays, inverse_depth, least_noise)
    keep = np.abs(inverse_depth - rays @ parameters) < 3 * noise
    if np.count_nonzero(keep) < 0.6 * len(rows):
        return None
    parameters, noise = solve_plane(rays[keep], inverse_depth[keep], least_noise)
    covariance = np.linalg.inv(rays[keep].T @ rays[keep]) * noise**2
    covariance += options.depth_bias**2 * np.outer(parameters, parameters)
    return DepthPlane(parameters, np.linalg.inv(covariance))


def solve_plane(
    rays: np.ndarray, inverse_depth: np.ndarray, least_noise: float
) -> tuple[np.ndarray, float]:
    """Plane parameters (3,) that fit inverse depths (n,) 1/m on rays (n, 3); noise of one depth."""
    parameters, *_ = np.linalg.lstsq(rays, inverse_depth, rcond=None)
    # 1.4826: from the median of absolute deviations of a normal distribution to its sigma.
    noise = 1.4826 * np.median(np.abs(inverse_depth - rays @ parameters))
    return parameters, max(float(noise), least_noise)


def refine(
    start: np.ndarray,
    corners: np.ndarray,
    matrix: np.ndarray,
    size: float,
    plane: DepthPlane | None,
    corner_noise: float,
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Gauss-Newton on a marker's pose from corners [px] and, where it is known, the depth plane.

    Returns the pose (4, 4), its covariance (6, 6) (position m, rotation vector rad, along the
    axes of the optical frame) and the rms residual of the corners [px]; None if it diverges.
    """
    points = square_points(size)
    focal = np.array([matrix[0, 0], matrix[1, 1]])
    centre = matrix[:2, 2]
    position, rotation = start[:3, 3].copy(), start[:3, :3].copy()
    residual = np.zeros((4, 2))
    hessian = np.eye(6)
    for _ in range(4):
        arms = points @ rotation.T
        x = arms + position
        if np.any(x[:, 2] < 1e-3):
            return None
        residual = corners - (x[:, :2] / x[:, 2:] * focal + centre)
        # d(pixel)/d(point), then d(point)/d(pose) = [1, -[arm]x]
        by_point = np.zeros((4, 2, 3))
        by_point[:, 0, 0] = focal[0] / x[:, 2]
        by_point[:, 1, 1] = focal[1] / x[:, 2]
        by_point[:, :, 2] = -x[:, :2] / x[:, 2:] ** 2 * focal
        jacobian = np.concatenate([by_point, -by_point @ skew(arms)], axis=2).reshape(8, 6)
        hessian = jacobian.T @ jacobian / corner_noise**2
        gradient = jacobian.T @ residual.ravel() / corner_noise**2
        if plane is not None:
            normal = rotation[:, 2]
            offset = float(normal @ position)
            if abs(offset) < 1e-6:
                return None
            # The marker's own plane parameters are normal / (normal . position).
            by_pose = np.zeros((3, 6))
            by_pose[:, :3] = -np.outer(normal, normal) / offset**2
            by_pose[:, 3:] = (
                -skew(normal) / offset - np.outer(normal, np.cross(normal, position)) / offset**2
            )
            weighted = by_pose.T @ plane.information
            hessian += weighted @ by_pose
            gradient += weighted @ (plane.parameters - normal / offset)
        step = np.linalg.solve(hessian, gradient)
        if not np.all(np.isfinite(step)):
            return None
        position = position + step[:3]
        rotation = cv2.Rodrigues(step[3:])[0] @ rotation
        if np.linalg.norm(step) < 1e-7:
            break
    rms = float(np.sqrt(np.mean(np.sum(residual**2, axis=1))))
    return transform_from(position, rotation), np.linalg.inv(hessian), rms


def skew(vectors: np.ndarray) -> np.ndarray:
    """Cross-product matrices (..., 3, 3) of vectors (..., 3)."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    zero = np.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return np.stack(rows, axis=-1).reshape(*vectors.shape[:-1], 3, 3)

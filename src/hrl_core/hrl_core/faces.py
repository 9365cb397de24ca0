"""Where the face of a bin or station is: as it was seen, else where the site's map has it."""

from functools import reduce

import numpy as np

from hrl_core.geometry import inverse, transform_from_planar
from hrl_core.sensed import Detection, Localisation, Sensed
from hrl_core.site import Site


def seen(sensed: Sensed, name: str, max_age: float = np.inf) -> Detection | None:
    """The sight of a bin, station or item; None: there is none, or it is older than `max_age` s."""
    detection = sensed.detections.get(name)
    if detection is None or sensed.stamp - detection.stamp > max_age:
        return None
    return detection


def odom_from_face(
    site: Site, sensed: Sensed, name: str, max_age: float = np.inf, by_map: bool = True
) -> np.ndarray | None:
    """Pose (4, 4) of a face in odom; a sight older than `max_age` [s] is worth less than the map.

    `by_map`: whether the map may be asked. None: nothing tells.
    """
    chain = _chain(site, sensed, name, max_age, by_map)
    return reduce(np.matmul, chain) if chain else None


def base_from_face(site: Site, sensed: Sensed, name: str) -> np.ndarray | None:
    """The same in base_link, however old the sight is."""
    assert sensed.odometry is not None, "no skill starts without odometry"
    chain = _chain(site, sensed, name)
    return reduce(np.matmul, (inverse(sensed.odometry.odom_from_base), *chain)) if chain else None


def odom_from_mapped_face(site: Site, sensed: Sensed, name: str) -> np.ndarray | None:
    """Pose (4, 4) in odom of where the site's map has a face; None: the robot is not localised."""
    if sensed.localisation is None:
        return None
    return _odom_from_map(sensed.localisation) @ site.face(name)


def _chain(
    site: Site, sensed: Sensed, name: str, max_age: float = np.inf, by_map: bool = True
) -> tuple[np.ndarray, ...]:
    """Transforms (4, 4) whose product is the face in odom; none where nothing tells."""
    detection = seen(sensed, name, max_age)
    if detection is not None:
        return (detection.odom_from_object,)
    if by_map and sensed.localisation is not None:
        return _odom_from_map(sensed.localisation), site.face(name)
    return ()


def _odom_from_map(localisation: Localisation) -> np.ndarray:
    return inverse(transform_from_planar(localisation.map_from_odom))

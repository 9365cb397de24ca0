"""What the robot's topics say, as sections of the state."""

import time
from collections import deque
from typing import Any

import numpy as np

from hrl_console import words
from hrl_console.views import rounded
from hrl_core.config import ConfigError
from hrl_core.geometry import transform_from_planar
from hrl_core.robot import Robot
from hrl_core.ros import convert, sensor_convert
from hrl_core.ros.convert import seconds
from hrl_core.site import Site
from hrl_msgs.msg import Approval, HandOver

STEP = 0.1  # m between two points of the trail
TRAIL = 400  # points
BEAMS = 240  # of the scan, at most
KEPT = 5  # hand-overs
ENDED_SHOWN = 20.0  # s of wall time that an approval stays after it has ended
STATES = {
    Approval.PENDING: "pending",
    Approval.APPROVED: "approved",
    Approval.DENIED: "denied",
    Approval.EXPIRED: "expired",
    Approval.WITHDRAWN: "withdrawn",
}


class RobotSense:
    """Where it is, which way it came, what its scanner sees, and who moves about."""

    def __init__(self, robot: Robot):
        self._robot, self._lidar = robot, robot.lidar.mount.parent_from_sensor()[:2, 3]
        self.pose: np.ndarray | None = None
        self._std = 0.0
        self._scan = np.empty((0, 2))  # m in base_link
        self._people: list[list[float]] = []
        self.trail: list[list[float]] = []

    def on_pose(self, message) -> None:
        pose, covariance = convert.planar_pose_from_msg(message.pose)
        self.pose = pose
        self._std = float(np.sqrt(max(covariance[0, 0], covariance[1, 1])))
        here = rounded(pose[:2])
        if not self.trail or np.hypot(*np.subtract(here, self.trail[-1])) >= STEP:
            self.trail = [*self.trail[-TRAIL + 1 :], here]

    def on_scan(self, message) -> None:
        points = self._robot.lidar.level(sensor_convert.scan_from_msg(message)).points()
        self._scan = points[:: -(-len(points) // BEAMS) or 1] + self._lidar

    def _placed_scan(self) -> list[float]:
        """By the newest pose: that of a scan's moment comes after it."""
        if self.pose is None:
            return []
        map_from_base = transform_from_planar(self.pose)
        points = self._scan @ map_from_base[:2, :2].T + map_from_base[:2, 3]
        return np.round(points, 2).ravel().tolist()

    def on_people(self, message) -> None:
        self._people = [rounded(each) for each in convert.people_from_msg(message)]

    def section(self, now: float | None, stop: bool) -> dict[str, Any]:
        return {
            "at": round(time.time(), 1),  # so that there is always news for a page that waits
            "time": None if now is None else round(now, 1),
            "pose": None if self.pose is None else [round(float(v), 3) for v in self.pose],
            "std": round(self._std, 2),
            "stop": stop,
            "scan": self._placed_scan(),
            "people": self._people,
        }

    def restart(self) -> None:
        """Time has gone back: another trial."""
        self.trail, self._scan, self._people = [], np.empty((0, 2)), []


class Requests:
    """Approvals and hand-overs with their pictures; latched, so that none is missed."""

    def __init__(self):
        self._approvals: dict[str, tuple[Approval, float]] = {}  # with when it came
        self._handovers: deque[HandOver] = deque(maxlen=KEPT)
        self.approvals: list[dict[str, Any]] = []
        self.handovers: list[dict[str, Any]] = []

    def on_approval(self, message: Approval) -> None:
        """Raises ConfigError for a state that there is not."""
        if message.state not in STATES:
            raise ConfigError(f"state = {message.state}: allowed are {sorted(STATES)}")
        self._approvals[message.id] = (message, time.monotonic())
        self.look(changed=True)

    def on_handover(self, message: HandOver) -> None:
        self._handovers.appendleft(message)
        self.handovers = [_handover(each) for each in self._handovers]

    def pending(self, approval: str) -> Approval | None:
        message, _ = self._approvals.get(approval, (None, 0.0))
        return message

    def only(self, pending: set[str]) -> None:
        """The master says what waits: what does not, any more, was asked by one that is gone."""
        for id, (message, _) in list(self._approvals.items()):
            if message.state == Approval.PENDING and id not in pending:
                del self._approvals[id]
                self.look(changed=True)

    def look(self, changed: bool = False) -> None:
        """Forget what has ended some time ago."""
        now = time.monotonic()
        for id, (message, came) in list(self._approvals.items()):
            if message.state != Approval.PENDING and now - came > ENDED_SHOWN:
                del self._approvals[id]
                changed = True
        if changed:
            kept = [message for message, _ in self._approvals.values()]
            kept.sort(key=lambda m: m.state != Approval.PENDING)
            self.approvals = [_approval(message) for message in kept]

    def picture(self, of: str, camera: str) -> bytes | None:
        """JPEG of an approval or a hand-over."""
        message = self.pending(of) or next(
            (each for each in self._handovers if _key(each) == of), None
        )
        shots = zip(message.cameras, message.pictures, strict=False) if message else ()
        return next((bytes(shot.data) for name, shot in shots if name == camera), None)


class Health:
    """What the nodes say of themselves, and which of them have fallen silent."""

    def __init__(self):
        self._told: dict[str, tuple[dict[str, Any], float]] = {}
        self.section: list[dict[str, Any]] = []

    def on_diagnostics(self, message) -> None:
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            level = status.level[0] if isinstance(status.level, bytes) else status.level
            entry = words.health(status.name, level, status.message, values)
            self._told[entry["name"]] = (entry, time.monotonic())

    def look(self) -> None:
        now = time.monotonic()
        told = [
            entry if now - at < words.SILENT else words.silent(entry, now - at)
            for _, (entry, at) in sorted(self._told.items())
        ]
        if told != self.section:
            self.section = told


def beliefs_of(scene, site: Site) -> dict[str, Any]:
    """Blocked ways and items as the master believed them when it decided."""
    places: dict[str, Any] = {name: waypoint.pose[:2] for name, waypoint in site.waypoints.items()}
    for name in site.targets:
        places[name] = site.pose_in_front(name, site.staging)[:2]
    ways = [(way.from_node, way.to_node) for way in scene.ways if not way.free]
    known = [(a, b) for a, b in ways if a in places and b in places]
    return {
        "blocked": [rounded([places[a], places[b]]) for a, b in known],
        "items": [[each.item, *rounded(each.position[:2])] for each in scene.sightings],
    }


def _approval(m: Approval) -> dict[str, Any]:
    return {
        "id": m.id,
        "mission": m.mission_id,
        "decision": m.decision,
        "what": m.what,
        "why": m.why,
        "tier": m.tier,
        "asked": [m.header.stamp.sec, m.header.stamp.nanosec],
        "expires": seconds(m.expires),
        "state": STATES[m.state],
        "by": m.answered_by,
        "comment": m.comment,
        "cameras": list(m.cameras),
    }


def _key(m: HandOver) -> str:
    return f"{m.mission_id} {m.order_number}"


def _handover(m: HandOver) -> dict[str, Any]:
    return {
        "key": _key(m),
        "mission": m.mission_id,
        "what": f"{m.order.item} from {m.order.from_bin} to {m.order.to_station}",
        "summary": m.summary,
        "recommendation": m.recommendation,
        "tries": list(m.tries),
        "holding": m.holding,
        "folder": m.folder,
        "cameras": list(m.cameras),
    }

"""A small transform buffer: tf2_ros is not among the ROS 2 packages on PyPI."""

from bisect import bisect_left, bisect_right

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.geometry import (
    inverse,
    quaternion_from_rotation,
    rotation_from_quaternion,
    transform_from,
)
from hrl_core.ros import convert

HISTORY = 10.0  # s that a transform is kept, as tf2 does
SAME = 1e-6  # s; stamps that differ less are the same


class LookupFailed(LookupError):
    """No transform between two frames at a time; the message says what is there."""


class _Link:
    """The transforms from one parent to a frame, in order of their stamps."""

    def __init__(self, parent: str):
        self.parent = parent
        self.stamps: list[float] = []  # s
        self.matrices: list[np.ndarray] = []  # parent_from_child (4, 4)

    def add(self, stamp: float, matrix: np.ndarray) -> None:
        k = bisect_right(self.stamps, stamp)
        if k and self.stamps[k - 1] == stamp:
            self.matrices[k - 1] = matrix
            return
        self.stamps.insert(k, stamp)
        self.matrices.insert(k, matrix)
        old = bisect_left(self.stamps, self.stamps[-1] - HISTORY)
        if 2 * old > len(self.stamps):  # seldom, so that it costs little
            del self.stamps[:old], self.matrices[:old]

    def forget_after(self, stamp: float) -> None:
        k = bisect_right(self.stamps, stamp + SAME)
        del self.stamps[k:], self.matrices[k:]


class TransformBuffer:
    """Transforms by time. `add` messages of tf and tf_static, `lookup` any two frames."""

    def __init__(self) -> None:
        self._fixed: dict[str, tuple[str, np.ndarray]] = {}
        self._moving: dict[str, _Link] = {}

    def add(self, message, static: bool = False) -> None:
        """Take in a TFMessage; raises ConfigError for wrong ones among it, after the good ones."""
        wrong = []
        for transform in message.transforms:
            # tf2 knew a leading slash once, and drivers still send it.
            parent = transform.header.frame_id.lstrip("/")
            child = transform.child_frame_id.lstrip("/")
            try:
                if not parent or not child or parent == child:
                    raise ConfigError("needs two names that differ")
                matrix = convert.transform_from_msg(transform)
            except ConfigError as error:
                wrong.append(f"{parent!r} -> {child!r}: {error}")
                continue
            if static:
                self._fixed[child] = (parent, matrix)
                continue
            link = self._moving.get(child)
            if link is None or link.parent != parent:
                link = self._moving[child] = _Link(parent)
            link.add(convert.seconds(transform.header.stamp), matrix)
        if wrong:
            raise ConfigError("; ".join(wrong))

    def newest(self, child: str) -> float:
        """Stamp [s] of the newest transform to a moving frame; -inf: none."""
        link = self._moving.get(child)
        return link.stamps[-1] if link is not None else float("-inf")

    def awaited(self, frame: str, root: str, stamp: float) -> bool:
        """Whether a moving link on the way from a frame up to `root` is older than `stamp` [s]."""
        frame, seen = frame.lstrip("/"), set()
        while frame != root and frame not in seen:
            seen.add(frame)
            if frame in self._fixed:
                frame = self._fixed[frame][0]
            elif frame in self._moving:
                if self.newest(frame) < stamp - 1e-4:
                    return True
                frame = self._moving[frame].parent
        return False

    def lookup(self, target: str, source: str, stamp: float) -> np.ndarray:
        """target_from_source (4, 4) at a time [s]; raises LookupFailed."""
        from_target, why_not = self._chain(target.lstrip("/"), stamp)
        from_source, why_not_source = self._chain(source.lstrip("/"), stamp)
        for frame in from_source:
            if frame in from_target:
                return inverse(from_target[frame]) @ from_source[frame]
        raise LookupFailed(
            f"no transform from {source!r} to {target!r}: "
            + (
                why_not_source
                or why_not
                or f"they do not hang together; known: {sorted({*self._fixed, *self._moving})}"
            )
        )

    def forget_after(self, stamp: float) -> None:
        """Forget what moved at a time that has not come yet [s]: time has gone back to `stamp`."""
        for child, link in list(self._moving.items()):
            link.forget_after(stamp)
            if not link.stamps:
                del self._moving[child]

    def _chain(self, frame: str, stamp: float) -> tuple[dict[str, np.ndarray], str]:
        """ancestor_from_frame (4, 4) for a frame and its ancestors, nearest first; why no more."""
        chain = {frame: np.eye(4)}
        matrix = np.eye(4)
        while True:
            if frame in self._fixed:
                parent, step = self._fixed[frame]
            elif frame in self._moving:
                try:
                    parent, step = self._moving[frame].parent, self._at(frame, stamp)
                except LookupFailed as error:
                    return chain, str(error)
            else:
                return chain, ""
            if parent in chain:
                raise LookupFailed(f"the frames {sorted(chain)} form a loop")
            matrix = step @ matrix
            chain[parent] = matrix
            frame = parent

    def _at(self, frame: str, stamp: float) -> np.ndarray:
        link = self._moving[frame]
        stamps, k = link.stamps, bisect_left(link.stamps, stamp - SAME)
        if k < len(stamps) and abs(stamps[k] - stamp) <= SAME:
            return link.matrices[k]
        if 0 < k < len(stamps):
            share = (stamp - stamps[k - 1]) / (stamps[k] - stamps[k - 1])
            return _between(link.matrices[k - 1], link.matrices[k], share)
        raise LookupFailed(
            f"no transform to {frame!r} at {stamp:.3f} s; there are those from "
            f"{stamps[0]:.3f} to {stamps[-1]:.3f} s"
        )


def _between(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """Transform (4, 4) between two: straight in position, along the great circle in rotation."""
    if share > 1 - 1e-9:
        return after
    if share < 1e-9:
        return before
    q0 = quaternion_from_rotation(before[:3, :3])
    q1 = quaternion_from_rotation(after[:3, :3])
    cosine = float(q0 @ q1)
    if cosine < 0:
        q1, cosine = -q1, -cosine
    angle = np.arccos(min(1.0, cosine))
    if angle < 1e-6:
        rotation = rotation_from_quaternion(q1)
    else:
        mixed = (np.sin((1 - share) * angle) * q0 + np.sin(share * angle) * q1) / np.sin(angle)
        rotation = rotation_from_quaternion(mixed)
    return transform_from((1 - share) * before[:3, 3] + share * after[:3, 3], rotation)

"""A small transform buffer: tf2_ros is not among the ROS 2 packages on PyPI."""

from collections import deque

import numpy as np

from hrl_core.geometry import (
    inverse,
    quaternion_from_rotation,
    rotation_from_quaternion,
    transform_from,
)
from hrl_core.ros import convert

HISTORY = 200  # transforms kept per frame: 2 s at 100 Hz


class LookupFailed(LookupError):
    """No transform between two frames at a time; the message says what is there."""


class TransformBuffer:
    """Transforms by time. `add` messages of tf and tf_static, `lookup` any two frames."""

    def __init__(self) -> None:
        self._fixed: dict[str, tuple[str, np.ndarray]] = {}
        self._moving: dict[str, tuple[str, deque[tuple[float, np.ndarray]]]] = {}

    def add(self, message, static: bool = False) -> None:
        """Take in a TFMessage."""
        for transform in message.transforms:
            parent, child = transform.header.frame_id, transform.child_frame_id
            matrix = convert.transform_from_msg(transform)
            if static:
                self._fixed[child] = (parent, matrix)
                continue
            stamp = convert.seconds(transform.header.stamp)
            known = self._moving.get(child)
            if known is None or known[0] != parent or stamp < known[1][-1][0]:
                known = self._moving[child] = (parent, deque(maxlen=HISTORY))
            known[1].append((stamp, matrix))

    def newest(self, child: str) -> float:
        """Stamp [s] of the newest transform to a moving frame; -inf: none."""
        known = self._moving.get(child)
        return known[1][-1][0] if known is not None else float("-inf")

    def lookup(self, target: str, source: str, stamp: float) -> np.ndarray:
        """target_from_source (4, 4) at a time [s]; raises LookupFailed."""
        from_target, why_not = self._chain(target, stamp)
        from_source, why_not_source = self._chain(source, stamp)
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

    def clear(self) -> None:
        """Forget what moves: time has gone back."""
        self._moving.clear()

    def _chain(self, frame: str, stamp: float) -> tuple[dict[str, np.ndarray], str]:
        """ancestor_from_frame (4, 4) for a frame and its ancestors, nearest first; why no more."""
        chain = {frame: np.eye(4)}
        matrix = np.eye(4)
        while True:
            if frame in self._fixed:
                parent, step = self._fixed[frame]
            elif frame in self._moving:
                try:
                    parent, step = self._moving[frame][0], self._at(frame, stamp)
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
        history = self._moving[frame][1]
        for (t0, before), (t1, after) in zip(
            list(history)[-2::-1], list(history)[:0:-1], strict=True
        ):
            if t0 - 1e-6 <= stamp <= t1 + 1e-6:
                return _between(before, after, (stamp - t0) / (t1 - t0) if t1 > t0 else 1.0)
        if len(history) == 1 and abs(history[0][0] - stamp) < 1e-6:
            return history[0][1]
        raise LookupFailed(
            f"no transform to {frame!r} at {stamp:.3f} s; there are those from "
            f"{history[0][0]:.3f} to {history[-1][0]:.3f} s"
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

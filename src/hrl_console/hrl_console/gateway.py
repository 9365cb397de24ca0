"""What the server needs to know of the robot, as plain values; hrl_console.ros has the real one."""

from dataclasses import dataclass
from typing import Any, Protocol

# What a section of the state is made of: None, numbers, strings, lists and dicts of these. A
# section that has changed is another object: an object that was given away is never changed.
Section = Any

SITE, ROBOT, TRAIL, BELIEFS, SKILL = "site", "robot", "trail", "beliefs", "skill"
DECISION, MISSIONS, APPROVALS, HANDOVERS = "decision", "missions", "approvals", "handovers"
DIAGNOSTICS, FIGURES, PEOPLE, CAMERAS = "diagnostics", "figures", "people", "cameras"
SECTIONS = (
    SITE, ROBOT, TRAIL, BELIEFS, SKILL, DECISION, MISSIONS, APPROVALS, HANDOVERS, DIAGNOSTICS,
    FIGURES, PEOPLE, CAMERAS,
)  # fmt: skip


@dataclass(frozen=True)
class Reply:
    """Whether what a person wanted is done, and a sentence."""

    ok: bool
    detail: str


class Gateway(Protocol):
    """Called from the thread of the server. What takes a while is a coroutine."""

    def picture(self, camera: str) -> bytes | None:
        """The newest picture of a camera as JPEG."""
        ...

    def evidence(self, of: str, camera: str) -> bytes | None:
        """A picture of an approval, by its id, or of a hand-over, by its key in the section."""
        ...

    async def order(self, by: str, mission: str, orders: list[dict[str, str]]) -> Reply: ...

    async def cancel(self, by: str, mission: str) -> Reply: ...

    async def answer(
        self, by: str, approval: str, approve: bool, comment: str, signature: bytes
    ) -> Reply: ...

    async def stop(self, by: str) -> Reply: ...

    async def release(self, by: str) -> Reply: ...

"""How the behaviour tree came to a decision, from the scene that the master made it in."""

from typing import Any

from hrl_core.config import ConfigError
from hrl_master.decider import Decider
from hrl_master.replay import TREE, Setting, decider_of, tree_at, tree_text
from hrl_master.ros.scene_convert import setting_from_msg, situation_from_msg
from hrl_msgs.msg import Scene


class Decisions:
    """Puts the tree to the ledger's last decision; the scene may come before or after that."""

    def __init__(self, site: str):
        self._site = site
        self._decider: tuple[Setting, Decider] | None = None
        self._tree: tuple[tuple[str, int], list[str]] | None = None  # mission and number
        self._made: tuple[object, object, dict[str, Any]] | None = None

    def on_scene(self, message: Scene) -> None:
        """Raises ConfigError where the scene is none that a master here could have made."""
        try:
            self._take(message)
        except ConfigError:
            raise
        except Exception as error:  # whatever values that fit no policy lead to
            raise ConfigError(
                f"no policy decides by it: {type(error).__name__}: {error}"
            ) from error

    def _take(self, message: Scene) -> None:
        setting = setting_from_msg(message)
        if self._decider is None or self._decider[0] != setting:
            self._decider = (setting, decider_of(setting))
        if setting.policy != TREE:
            self._tree = None
            return
        root, _ = tree_at(self._decider[1], situation_from_msg(message))
        self._tree = ((message.mission_id, message.index), tree_text(root))

    def section(self, decision: dict[str, Any] | None) -> dict[str, Any] | None:
        """The same object as long as nothing has changed."""
        if decision is None or self._tree is None:
            return decision
        if (decision["mission"], decision["number"]) != self._tree[0]:
            return decision
        if self._made is None or self._made[:2] != (id(decision), self._tree):
            self._made = (id(decision), self._tree, {**decision, "tree": self._tree[1]})
        return self._made[2]

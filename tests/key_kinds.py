"""Files of keys among the kinds of files that the project reads."""

import shutil
from collections.abc import Callable
from pathlib import Path

from hrl_bringup.security.keystore import write_keystore
from hrl_bringup.security.permits import permits
from hrl_bringup.security.tokens import Tokens
from hrl_master.approver_keys import ApproverKey, Approvers, Statement, make_approver


def approver(which: int) -> Callable[[Path], bytes]:
    def sound(folder: Path) -> bytes:
        files = make_approver("Ada", folder / "public", folder / "private")
        content = files[which].read_bytes()
        shutil.rmtree(folder / "public")
        shutil.rmtree(folder / "private")
        return content

    return sound


def use_private_key(path: Path) -> None:
    ApproverKey(path).sign(Statement("q", "m", 0, "grasp", (1, 2), True, "Ada", ""))


def use_public_key(path: Path) -> None:
    Approvers(path.parent).objection(
        Statement("q", "m", 0, "grasp", (1, 2), True, "Ada", ""), b"\x00" * 64
    )


def tokens(folder: Path) -> bytes:
    made = Tokens(folder / "made.json")
    made.make("Ada", ["operator"])
    return made.path.read_bytes()


def authority(which: str) -> Callable[[Path], bytes]:
    def sound(folder: Path) -> bytes:
        return (_keystore(folder) / which).read_bytes()

    return sound


def _keystore(folder: Path) -> Path:
    keystore = folder / "keystore"
    if not keystore.is_dir():
        write_keystore(keystore, keystore / "private", permits(()), "/", 10)
    return keystore


def use_authority(which: str) -> Callable[[Path], None]:
    def use(path: Path) -> None:
        keystore = _keystore(path.parent.parent)
        shutil.copyfile(path, keystore / which)
        write_keystore(keystore, keystore / "private", permits(())[:1], "/", 10)

    return use

"""Keys of those who may approve: an answer counts only if the one whom it names has signed it."""

import json
import os
import re
from dataclasses import astuple, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from hrl_core.config import ConfigError

PUBLIC, PRIVATE = ".pub.pem", ".key.pem"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Statement:
    """What stands above a signature: the question as it was asked, and the answer to it.

    `asked`: s and ns of ROS time. With the random id it keeps a signature from serving twice.
    """

    approval: str
    mission: str
    decision: int
    what: str
    asked: tuple[int, int]
    approve: bool
    by: str
    comment: str

    def as_bytes(self) -> bytes:
        return json.dumps(["hrl approval", *astuple(self)]).encode()


class ApproverKey:
    """The private key of one approver."""

    def __init__(self, path: Path):
        """Raises ConfigError where the file is not such a key."""
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"{path}: no key of an approver: {error}") from error
        if not isinstance(key, Ed25519PrivateKey) or not path.name.endswith(PRIVATE):
            raise ConfigError(f"{path}: expected <name>{PRIVATE} of ./hrl secure approver <name>")
        self._key, self.name = key, path.name.removesuffix(PRIVATE)

    def sign(self, statement: Statement) -> bytes:
        return self._key.sign(statement.as_bytes())


class Approvers:
    """Those who may approve, by the public keys in a folder; read once."""

    def __init__(self, folder: Path):
        """Raises ConfigError where a file is no public key, or no file is there."""
        self._keys = {path.name.removesuffix(PUBLIC): _public_key(path) for path in _files(folder)}
        if not self._keys:
            raise ConfigError(
                f"approvers: {folder} has no <name>{PUBLIC}, so that nobody could approve; "
                f"./hrl secure approver <name> makes one"
            )

    @property
    def names(self) -> list[str]:
        return sorted(self._keys)

    def objection(self, statement: Statement, signature: bytes) -> str:
        """Why an answer does not count; empty: it does."""
        by = statement.by
        if by not in self._keys:
            return f"{by!r} is none of the approvers {', '.join(self.names)}"
        if not signature:
            return f"the answer is not signed: {by} has to give the key of an approver"
        try:
            self._keys[by].verify(signature, statement.as_bytes())
        except InvalidSignature:
            return f"the signature is not one of {by} under this answer to this question"
        return ""


def make_approver(name: str, public: Path, private: Path) -> tuple[Path, Path]:
    """Make the keys of a person and return the files of the public and the private one.

    Raises ConfigError for a name that is no file's, and where keys of that name are there.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"approver {name!r}: expected up to 64 of A-Z, a-z, 0-9, _ and -")
    key = Ed25519PrivateKey.generate()
    public_file, private_file = public / f"{name}{PUBLIC}", private / f"{name}{PRIVATE}"
    if public_file.exists():
        raise ConfigError(f"{public_file} is there: remove it, so that the old key counts no more")
    write_secret(private_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.mkdir(parents=True, exist_ok=True)
    public_file.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return public_file, private_file


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; raises ConfigError where it is there already."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already: remove it to have a new one made") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f"approvers: there is no folder {folder}")
    return sorted(folder.glob(f"*{PUBLIC}"))


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: no public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path}: expected a key of Ed25519, as ./hrl secure approver makes it")
    return key

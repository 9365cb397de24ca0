"""Who may use the console, and for what: a token for each person; the file has its hash only."""

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from hrl_core.config import Config, ConfigError, shorten

# A viewer sees everything and may press the stop; each of the others may do more besides.
ROLES = ("viewer", "operator", "approver")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # as approvers' keys are named


@dataclass(frozen=True)
class Person:
    """Who a token belongs to."""

    name: str
    roles: tuple[str, ...]

    def may(self, role: str) -> bool:
        return role == "viewer" or role in self.roles


class _Entry(Config):
    roles: tuple[str, ...] = Field(min_length=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


_FILE = TypeAdapter(dict[str, _Entry])


class Tokens:
    """The file of tokens, read again when it has changed: a token that is removed ends at once."""

    def __init__(self, path: Path):
        """Raises ConfigError where the file is damaged; one that is not there has no tokens."""
        self.path = path.expanduser()
        self._state: tuple[int, int] | None = None
        self._entries: dict[str, _Entry] = {}
        self._read()

    @property
    def people(self) -> list[Person]:
        self._read()
        return [Person(name, entry.roles) for name, entry in sorted(self._entries.items())]

    def person(self, token: str) -> Person | None:
        """Whose token it is; None: nobody's."""
        self._read()
        digest, found = _digest(token), None
        for name, entry in self._entries.items():  # all of them, whichever fits
            if hmac.compare_digest(digest, entry.sha256):
                found = Person(name, entry.roles)
        return found

    def make(self, name: str, roles: Iterable[str]) -> str:
        """A new token for a person, which takes the place of the old one; it is kept nowhere."""
        given = tuple(dict.fromkeys(roles)) or ("viewer",)
        if not _NAME.fullmatch(name):
            raise ConfigError(f"name {name!r}: expected up to 64 of A-Z, a-z, 0-9, _ and -")
        if unknown := [role for role in given if role not in ROLES]:
            raise ConfigError(f"role {unknown[0]!r}: allowed are {', '.join(ROLES)}")
        self._read()
        token = secrets.token_urlsafe(32)
        self._write({**self._entries, name: _Entry(roles=given, sha256=_digest(token))})
        return token

    def remove(self, name: str) -> None:
        self._read()
        if name not in self._entries:
            raise ConfigError(f"{self.path} has no token of {name!r}; of: {sorted(self._entries)}")
        self._write({other: each for other, each in self._entries.items() if other != name})

    def _read(self) -> None:
        try:
            status = self.path.stat()
            state = (status.st_mtime_ns, status.st_ino)
            if state == self._state:
                return
            self._entries = _FILE.validate_json(self.path.read_bytes())
            self._state = state
        except FileNotFoundError:
            self._entries, self._state = {}, None
        except (OSError, ValidationError, ValueError) as error:
            self._entries, self._state = {}, None
            raise ConfigError(
                f"{self.path}: no file of tokens, as ./hrl console token makes it: "
                f"{shorten(ascii(str(error))[1:-1])}"
            ) from error

    def _write(self, entries: dict[str, _Entry]) -> None:
        """Replace the file at once; only its owner may read it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        content = {name: entry.model_dump() for name, entry in sorted(entries.items())}
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
        os.replace(new, self.path)


def _digest(token: str) -> str:
    """The tokens are long and drawn at random: there is nothing that salt or work would slow."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()

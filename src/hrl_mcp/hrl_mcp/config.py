"""Which client may do what, and how often; see config/mcp.yaml."""

import hashlib
import hmac
import re
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field, field_validator

from hrl_core.config import Config, config_dir, load_yaml

NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


class ClientConfig(Config):
    """What one client may do. Patterns: * stands for any part of a name."""

    tools: tuple[str, ...] = Field(default=(), description="tools that it may call")
    skills: tuple[str, ...] = Field(default=("*",), description="skills that it may choose")
    targets: tuple[str, ...] = Field(
        default=("*",), description="bins, stations and waypoints that it may name"
    )
    calls_per_minute: int = Field(default=120, ge=1, le=10000, description="of all tools")
    acts_per_minute: int = Field(
        default=30, ge=1, le=1000, description="of tools that do something, dry runs left out"
    )
    patience: float = Field(
        default=60.0, gt=0, le=3600, description="s of wall time that a call takes at most"
    )
    approves: bool = Field(
        default=False, description="a person at the client may answer what the master asks"
    )
    approver_key: str = Field(
        default="", description="file to sign such answers with, as of ./hrl secure approver"
    )
    token_sha256: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="of its bearer token, as ./hrl mcp --new-token makes it; "
        "empty: it cannot come over HTTP",
    )

    def may_call(self, tool: str) -> bool:
        return _fits(tool, self.tools)

    def may_choose(self, skill: str, target: str) -> bool:
        return _fits(skill, self.skills) and (not target or self.may_name(target))

    def may_name(self, target: str) -> bool:
        return _fits(target, self.targets)


class McpConfig(Config):
    """Clients by name."""

    clients: dict[str, ClientConfig]

    @field_validator("clients")
    @classmethod
    def _names(cls, clients: dict[str, ClientConfig]) -> dict[str, ClientConfig]:
        for name in clients:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r}: a client's name has up to 40 of A-Z a-z 0-9 _ -")
        tokens = [client.token_sha256 for client in clients.values() if client.token_sha256]
        if len(set(tokens)) < len(tokens):
            raise ValueError("two clients have the same token; each needs its own")
        return clients

    def whose(self, token: str) -> str | None:
        """The client whose bearer token this is; None: nobody's."""
        digest = digest_of(token)
        found = None
        for name, client in self.clients.items():  # all of them: the time tells nothing
            if hmac.compare_digest(client.token_sha256, digest):
                found = name
        return found


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def load_config(path: Path | None) -> McpConfig:
    """The file, or config/mcp.yaml; raises ConfigError."""
    return load_yaml(path or config_dir() / "mcp.yaml", McpConfig)


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)

"""The environment in which nodes use a keystore."""

from pathlib import Path

from hrl_bringup.doctor import dds_security
from hrl_core.config import ConfigError


def variables(keystore: Path) -> dict[str, str]:
    """Environment of nodes that use a keystore and meet nobody without keys."""
    return {
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": "Enforce",
        "ROS_SECURITY_KEYSTORE": str(keystore.resolve()),
    }


def security_environment(keystore: Path) -> dict[str, str]:
    """The same, where nodes can use it; raises ConfigError where they cannot."""
    able, where = dds_security()
    if not able:
        raise ConfigError(
            f"--secure {keystore}: no node could check keys: Fast DDS has no security compiled in "
            f"({where}); an installed ROS 2 has it, see docs/security.md"
        )
    if not (keystore / "enclaves" / "governance.p7s").is_file():
        raise ConfigError(f"--secure {keystore}: no keystore; ./hrl secure --out FOLDER makes one")
    return variables(keystore)

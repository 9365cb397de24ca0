"""Files and folders that options name, checked before the work begins whose result goes there."""

import os
from argparse import ArgumentTypeError
from pathlib import Path

from hrl_core.config import ConfigError


class PathError(ConfigError, ArgumentTypeError):
    """A path that cannot be used; argparse shows the sentence beside the option."""


def file_to_write(path: str | Path) -> Path:
    """The path, if a file can be written there; its folder is made. Raises PathError.

    For `type=` of argparse.
    """
    path = Path(path)
    if path.is_dir():
        raise PathError(f"{path} is a folder; allowed is a file")
    folder_to_write(path.parent).mkdir(parents=True, exist_ok=True)
    if path.exists() and not os.access(path, os.W_OK):
        raise PathError(f"{path} may not be written by this user")
    return path


def folder_to_write(path: str | Path) -> Path:
    """The path, if it is a folder to write into, or can be made one. Raises PathError."""
    path = Path(path)
    try:
        there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    except OSError as error:
        raise PathError(f"{path}: {error.strerror}") from error
    if not there.is_dir():
        raise PathError(f"{there} is a file; allowed is a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PathError(f"{there} may not be written into by this user")
    return path

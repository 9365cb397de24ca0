"""Jobs over a Ray cluster of two nodes on this computer."""

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from hrl_core.config import ConfigError
from hrl_training.jobs import cluster
from hrl_training.jobs.cluster import run_on_cluster

pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="requirements/ray.txt is not installed")


@dataclass(frozen=True)
class Fleeting:
    """A worker that is killed once, in the middle of its job number `dies`."""

    notes: Path  # a line per job that was begun
    dies: int = -1

    def run(self, job: int) -> tuple[int, int]:
        with (self.notes / f"{job}").open("a") as file:
            file.write("begun\n")
        if job < 0:
            raise ConfigError("negative")
        begun = len((self.notes / f"{job}").read_text().splitlines())
        if job == self.dies and begun == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        until = time.monotonic() + 0.2
        while time.monotonic() < until:  # a mission takes its time
            pass
        return job * job, begun


@pytest.fixture(scope="module")
def address():
    """Of a cluster of two nodes with a core each."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    nodes.add_node(num_cpus=1)
    yield nodes.address
    nodes.shutdown()


def test_a_killed_worker_loses_no_job_and_counts_none_twice(address, tmp_path):
    results = list(run_on_cluster(lambda: Fleeting(tmp_path, dies=3), range(8), address))
    assert Counter(job for job, _ in results) == Counter(range(8))
    assert all(square == job * job for job, (square, _) in results)
    begun = {job: times for job, (_, times) in results}
    assert begun[3] == 2, "it was run again"
    assert [times for job, times in begun.items() if job != 3] == [1] * 7


def test_what_a_job_raises_stops_all_of_it_with_its_name(address, tmp_path):
    with pytest.raises(ConfigError, match="seed -1: negative"):
        list(run_on_cluster(lambda: Fleeting(tmp_path), [-1], address))


def test_a_node_with_other_code_is_refused(address, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "code_hash", lambda: "of something else")
    with pytest.raises(ConfigError, match="same commit"):
        list(run_on_cluster(lambda: Fleeting(tmp_path), [1], address))


def test_an_address_where_nobody_answers_is_named():
    with pytest.raises(ConfigError, match="no Ray cluster answers there"):
        list(run_on_cluster(lambda: None, [1], "127.0.0.1:1"))

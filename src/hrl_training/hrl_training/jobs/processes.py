"""Jobs over processes, each of which builds its worker once and runs on one thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any

from hrl_core.config import ConfigError

# A second thread makes small networks slower, and sums come out in another order.
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
    "LP_NUM_THREADS",  # OpenGL in software: the same pictures, without waiting for its threads
)


class TrialError(RuntimeError):
    """A trial raised: a fault of ours, which must not pass as a failure of the skill."""


def run_parallel(
    make: Callable[[], Any], jobs: Iterable[Any], workers: int, noun: str = "seed"
) -> Generator[tuple[Any, Any], None, None]:
    """Yield (job, result) as they come; `make` gives each process an object with `run(job)`.

    What a job raises stops all of it and names the job; then, and when the caller stops early,
    the processes are ended at once.
    """
    todo = iter(jobs)
    before = set(multiprocessing.active_children())
    pool_options = {
        "mp_context": multiprocessing.get_context("spawn"),
        "initializer": _start,
        "initargs": (make,),
    }
    with _one_thread_each(), ProcessPoolExecutor(workers, **pool_options) as pool:
        try:
            running = {pool.submit(_run, job): job for job in islice(todo, workers)}
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result = _result(future, running, noun)
                    job = running.pop(future)
                    running.update({pool.submit(_run, more): more for more in islice(todo, 1)})
                    yield job, result
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
            raise


def _result(future: Future, running: dict[Future, Any], noun: str) -> Any:
    job = running[future]
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise TrialError(f"a process died at {noun} {_listed(running.values())}") from error
    except ConfigError as error:
        raise ConfigError(f"{noun} {job}: {error}") from error
    except Exception as error:
        raise TrialError(f"{noun} {job} raised {type(error).__name__}: {error}") from error


def _listed(jobs: Iterable[Any]) -> str:
    return " or ".join(str(job) for job in jobs)


_make: Callable[[], Any] | None = None
_worker: Any = None


def _start(make: Callable[[], Any]) -> None:
    global _make
    _make = make
    # Ctrl-C reaches the whole group of processes: the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in a worker"
    parent.join()
    os._exit(1)


def _run(job: Any) -> Any:
    global _worker
    if _worker is None:  # here and not in _start, where an error would only break the pool
        assert _make is not None
        _worker = _make()
    return _worker.run(job)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes inherit these, and read them when numpy and OpenCV are imported."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

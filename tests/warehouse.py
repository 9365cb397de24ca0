"""The example warehouse system as a process of its own, to be killed and started again."""

import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "warehouse_system"
STOCK = "stock: [{item: can, bin: A2, quantity: 30}, {item: jar, bin: B1, quantity: 0}]\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Warehouse:
    """Runs while the block does."""

    def __init__(self, folder: Path, stock: str = STOCK):
        self.database, self.port = folder / "warehouse.sqlite", free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._stock, self._log = folder / "stock.yaml", folder / "warehouse.log"
        self._stock.write_text(stock)
        self._process: subprocess.Popen | None = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.kill(signal.SIGTERM)

    def start(self) -> None:
        """Returns when it answers."""
        command = [sys.executable, "-m", "warehouse_system.serve", "--port", str(self.port)]
        command += ["--stock", str(self._stock), "--database", str(self.database)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=EXAMPLE, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self._process.poll() is None, self._log.read_text()
            try:
                with urllib.request.urlopen(self.url, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        raise AssertionError(self._log.read_text())

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def rows(self, query: str) -> list[tuple]:
        with closing(sqlite3.connect(self.database, 10)) as db:
            return db.execute(query).fetchall()

"""`./hrl warehouse`: the example warehouse system of examples/warehouse_system, until it is ended.

A new database begins with a stock file, or with the stock that a seed draws for a world.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from hrl_core.config import ConfigError, config_dir
from hrl_core.number_options import integer
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world

EXAMPLE = "examples/warehouse_system"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="./hrl warehouse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--world", default="small_warehouse", help="world name or file")
    parser.add_argument("--seed", type=integer(), default=0, help="of the trial; default: 0")
    parser.add_argument(
        "--stock", type=Path, metavar="FILE", help=f"instead, as {EXAMPLE}/stock.yaml"
    )
    parser.add_argument(
        "--database", type=Path, default=Path("out/warehouse.sqlite"), metavar="FILE",
        help="default: out/warehouse.sqlite; one that is there keeps its own stock",
    )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="default: this computer alone")
    parser.add_argument("--port", type=integer(1, 65535), default=8300, help="default: 8300")
    options = parser.parse_args(arguments)
    folder = config_dir().parent / EXAMPLE
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; the example is in the repository")
    sys.path.insert(0, str(folder))  # it is no package of ours and not installed
    service = import_module("warehouse_system.serve")
    if options.stock is not None:
        stock = service.stock_from(options.stock)
    else:
        trial = draw_trial(load_world(options.world), options.seed)
        lines = [{"item": placed.name, "bin": placed.bin} for placed in trial.stock if placed.bin]
        stock = service.StockFile.model_validate({"stock": lines})
    service.serve(options.database, stock, options.host, options.port)


if __name__ == "__main__":
    main()

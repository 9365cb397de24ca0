"""Starts the service: `./hrl warehouse`, or `python -m warehouse_system.serve` in this folder."""

import argparse
import sys
from pathlib import Path

import uvicorn
import yaml

from warehouse_system.app import make_app
from warehouse_system.models import StockFile
from warehouse_system.store import Store


def stock_from(path: Path) -> StockFile:
    """A stock file; one that is wrong ends the program with a sentence."""
    try:
        return StockFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        sys.exit(2)


def serve(database: Path, stock: StockFile | None, host: str, port: int) -> None:
    """Until SIGINT or SIGTERM."""
    database.parent.mkdir(parents=True, exist_ok=True)
    app = make_app(Store(database, stock))
    print(f"warehouse system on http://{host}:{port}, description at /openapi.json", flush=True)
    uvicorn.run(app, host=host, port=port, log_level="warning")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", type=Path, help="YAML file that a new database begins with")
    parser.add_argument("--database", type=Path, default=Path("warehouse.sqlite"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8300)
    options = parser.parse_args()
    stock = None if options.stock is None else stock_from(options.stock)
    serve(options.database, stock, options.host, options.port)


if __name__ == "__main__":
    main()

"""The picture of docs/site_memory.md: what 60 missions in the fast world have shown of a site.

    .venv/bin/python -m tests.site_picture docs/site_memory.png

It ends with exit status 1 where what was taken down is not where the item stood.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.progress import track

from hrl_bringup.site_memory.command import main as site
from hrl_master.ledger import Ledger
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_training.fast.missions import FastSite, run_mission

WORLD, MISSIONS = "aisles:4+habits7", 60


def main(picture: Path) -> int:
    fast, wrong = FastSite(load_world(WORLD), WORLD), 0
    tree, name = fast.policy("behaviour_tree"), fast.world.site.name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.sqlite")
        with Ledger(path, durable=False) as ledger:
            for seed in track(range(MISSIONS)):
                trial = draw_trial(fast.world, seed, "none")
                run_mission(fast, trial, tree, rng=np.random.default_rng(seed), ledger=ledger)
                found = ledger.searches(name)[-1].found
                wrong += found != trial.item(trial.order.item).bin
        site(["show", "--ledger", str(path), "--world", WORLD, "--out", str(picture)])
    print(f"{wrong} of {MISSIONS} searches are not what the plant knows")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

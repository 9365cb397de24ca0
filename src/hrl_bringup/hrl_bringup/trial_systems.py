"""The stock system of a trial: right about a share of the items, wrong about the others."""

import numpy as np

from hrl_core.errands import Systems
from hrl_sim_bridge.judging.solvable import final_bins
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.world import World
from hrl_systems.fake import FakeWarehouse, Stocks
from hrl_systems.systems import in_process

STREAM = 0x570C  # keeps these draws apart from those of the trial


def stock_of(fraction: float, world: World, trial: Trial) -> Stocks:
    """Pieces by item and bin, as they are booked when the order is given.

    Whoever mislays or takes away an item that the system is right about books it. Of the others it
    has those that were moved where they were before, and those that stand where they belong in
    another bin. Which are which depends on the trial's seed alone.
    """
    rng = np.random.default_rng([trial.seed, STREAM])
    there, stock = final_bins(trial), {}
    for placed in trial.stock:
        right = rng.random() < fraction
        others = [name for name in world.site.bins if name != placed.bin]
        other = others[rng.integers(len(others))] if others else None
        booked = there[placed.name]
        if not right:
            booked = other if booked == (placed.bin or None) else placed.bin or None
        stock[placed.name] = {} if booked is None else {booked: 1}
    return stock


def systems_of(fraction: float, world: World, trial: Trial) -> Systems:
    """See stock_of."""
    return in_process(FakeWarehouse(stock_of(fraction, world, trial)).transport())

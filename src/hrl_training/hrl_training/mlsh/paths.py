"""Where each sub-policy drives in unseen halls, drawn from above."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hrl_core.pages.page import PLOT_STYLE
from hrl_training.mlsh.rollout import Options
from hrl_training.mlsh.tasks.aisles import Aisles
from hrl_training.mlsh.tasks.halls import QUARTERS

EPISODES = 3  # of each option in a hall


def draw_paths(family: Aisles, options: Options, title: str, file: Path, count: int = 3) -> None:
    """The first run's options in the first `count` halls of the test split."""
    tasks = family.tasks_of(0, "test")[:count]
    rng = np.random.default_rng(0)
    with matplotlib.rc_context(fname=PLOT_STYLE):
        figure = Figure(figsize=(4 * count, 3.4), layout="constrained")
        for axes, task in zip(figure.subplots(1, count, squeeze=False)[0], tasks, strict=True):
            hall = family.halls[task // QUARTERS]
            for x0, y0, x1, y1 in hall.boxes:
                axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, color="0.75"))
            for option in range(options.count):
                for path in _paths(family, options, int(task), option, rng):
                    axes.plot(*path.T, color=f"C{option}", linewidth=0.8)
                axes.plot([], [], color=f"C{option}", label=f"sub-policy {option}")
            axes.plot(*hall.goals.T, "k*", markersize=9)
            axes.plot(*hall.start, "ko", markersize=4)
            width, depth = hall.size
            axes.set(xlim=(0, width), ylim=(0, depth), aspect="equal", xlabel="m")
            axes.set(title=f"{title}, aisles:{hall.seed}")
        figure.axes[0].legend(fontsize="xx-small", loc="upper left")
        figure.savefig(file, dpi=100)


@torch.no_grad()
def _paths(
    family: Aisles, options: Options, task: int, option: int, rng: np.random.Generator
) -> np.ndarray:
    """Ways (episodes, steps, 2) m of one option of the first run, held for whole episodes."""
    n = options.seeds * EPISODES
    seen = family.reset(rng, np.full(n, task))
    held, found = torch.full((options.seeds, EPISODES), option), [family.pose[:EPISODES, :2]]
    for _ in range(family.horizon):
        observation = torch.from_numpy(seen).view(options.seeds, EPISODES, -1)
        action, _ = options.act(observation, held)
        seen, _, alive = family.step(action.reshape(n, -1).numpy())
        found.append(family.pose[:EPISODES, :2])
        if not alive.any():
            break
    return np.stack(found, 1)

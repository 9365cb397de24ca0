"""The learned policy: one small network that scores every candidate alike, run in numpy.

A folder holds `weights.pt` and `card.yaml`, in the format of all policies (hrl_core.policy). The
network, with tanh after every layer but the last of a head:

    context (C,)                              -> context_w0, context_b0, ...  -> c
    actions (n, F)                            -> action_w0, action_b0, ...    -> a (n, k)
    [c, a_i, mean of a, max of a over what is allowed] -> score_w0, ...       -> logit of i
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import Field

from hrl_core.config import Config, ConfigError
from hrl_core.policy.card import Sha256, load_card, save_card
from hrl_core.policy.weights import WEIGHTS, read_weights, write_weights
from hrl_master.behaviour_tree import BehaviourTree
from hrl_master.candidate import Candidate
from hrl_master.choice import Choice
from hrl_master.features import ACTION_NAMES, CONTEXT_NAMES, Encoded, encode
from hrl_master.situation import Situation

FOLDER = Path(__file__).parent / "policies" / "default"  # of the policy that is shipped
CARD = "card.yaml"
TRUNKS, HEAD = ("context", "action"), "score"


class MasterCard(Config):
    """What a policy is, where it comes from and how it did."""

    name: str
    context: tuple[str, ...] = Field(description="names of the context's numbers, in order")
    actions: tuple[str, ...] = Field(description="names of a candidate's numbers, in order")
    sha256: Sha256 = Field(description="of weights.pt")
    trained_on: str = Field(description="worlds and disturbances, in words")
    seed: int
    missions: int = Field(ge=0, description="that it was trained on")
    commit: str = Field(default="", description="of the code that trained it")
    figures: dict[str, float] = Field(default_factory=dict, description="name with unit: value")


class Network:
    """The layers of a policy: logits of encoded situations."""

    def __init__(self, weights: Mapping[str, np.ndarray]):
        self._parts = {part: _layers(weights, part) for part in (*TRUNKS, HEAD)}
        for part, layers in self._parts.items():
            if not layers:
                raise ConfigError(f"no layer {part}_w0; there are {sorted(weights)}")
        widths = {part: layers[0][0].shape[0] for part, layers in self._parts.items()}
        for part, names in zip(TRUNKS, (CONTEXT_NAMES, ACTION_NAMES), strict=True):
            if widths[part] != len(names):
                raise ConfigError(f"{part}_w0 takes {widths[part]} numbers, needs {len(names)}")
        c, a = (self._parts[part][-1][0].shape[1] for part in TRUNKS)
        if widths[HEAD] != c + 3 * a:
            raise ConfigError(f"{HEAD}_w0 takes {widths[HEAD]} numbers, needs {c + 3 * a}")

    def logits(self, encoded: Encoded) -> np.ndarray:
        """(n,) of the candidates; -inf where one is not allowed."""
        context, actions, pooled = self._embed(encoded)
        n = (len(actions), 1)
        inputs = np.concatenate([np.tile(context, n), actions, np.tile(pooled, n)], axis=1)
        scores = _run(self._parts["score"], inputs, last=False)[:, 0]
        return np.where(encoded.mask, scores, -np.inf)

    def probabilities(self, encoded: Encoded) -> np.ndarray:
        """(n,) of the candidates; 0 where one is not allowed."""
        logits = self.logits(encoded)
        weights = np.exp(logits - logits.max())
        return weights / weights.sum()

    def _embed(self, encoded: Encoded) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Context (c,), actions (n, k), and mean and maximum over the allowed actions (2 k,)."""
        context = _run(self._parts["context"], encoded.context[None], last=True)[0]
        actions = _run(self._parts["action"], encoded.actions, last=True)
        allowed = actions[encoded.mask]
        return context, actions, np.concatenate([allowed.mean(axis=0), allowed.max(axis=0)])


class LearnedPolicy:
    """Chooses the most probable candidate; the choice of the behaviour tree is an input."""

    def __init__(self, adviser: BehaviourTree, folder: Path | None = None):
        """`folder`: of weights and card; None: the one that is shipped. Raises ConfigError."""
        self._adviser = adviser
        self.card, weights = load_policy(folder or FOLDER)
        try:
            self.network = Network(weights)
        except ConfigError as error:
            raise ConfigError(f"{folder or FOLDER}/{WEIGHTS}: {error}") from error

    def decide(self, situation: Situation, candidates: Sequence[Candidate]) -> Choice:
        probabilities = self.network.probabilities(self.encode(situation, candidates))
        best = int(np.argmax(probabilities))
        order = [int(k) for k in np.argsort(-probabilities)]
        chosen = f"{candidates[best].label} with {100 * probabilities[best]:.0f} %"
        second = next((k for k in order[1:] if candidates[k].allowed), None)
        if second is not None:
            chosen += (
                f", before {candidates[second].label} with {100 * probabilities[second]:.0f} %"
            )
        return Choice(best, probabilities, chosen)

    def encode(self, situation: Situation, candidates: Sequence[Candidate]) -> Encoded:
        """The inputs of the network."""
        return encode(situation, candidates, self._adviser.decide(situation, candidates).index)

    def influences(
        self, situation: Situation, candidates: Sequence[Candidate]
    ) -> list[tuple[str, float, float]]:
        """Numbers that made the difference: name, value, share of the lead that they make.

        The lead is that of the best logit over the second. A number of the context is set to zero,
        one of the best candidate to that of the second, and the lead is taken again.
        """
        encoded = self.encode(situation, candidates)
        logits = self.network.logits(encoded)
        best, *others = [int(k) for k in np.argsort(-logits) if encoded.mask[k]]
        if not others:
            return []
        second = others[0]
        lead = logits[best] - logits[second]
        found = []
        for k, name in enumerate(CONTEXT_NAMES):
            changed = encoded.context.copy()
            changed[k] = 0.0
            found.append((name, encoded.context[k], replace(encoded, context=changed)))
        for k, name in enumerate(ACTION_NAMES):
            changed = encoded.actions.copy()
            changed[best, k] = changed[second, k]
            value = encoded.actions[best, k]
            found.append(
                (f"{name} of {candidates[best].label}", value, replace(encoded, actions=changed))
            )
        shares = []
        for name, value, other in found:
            after = self.network.logits(other)
            share = float(1 - (after[best] - after[second]) / max(lead, 1e-6))
            if abs(share) > 0.01:
                shares.append((name, float(value), share))
        return sorted(shares, key=lambda row: -abs(row[2]))


def load_policy(folder: Path) -> tuple[MasterCard, dict[str, np.ndarray]]:
    """Card and weights of a folder, checked against each other and against the features.

    Raises ConfigError with what is wrong and what is needed.
    """
    for name in (CARD, WEIGHTS):
        if not (folder / name).is_file():
            raise ConfigError(
                f"{folder}: no {name}; a policy's folder holds {CARD} and {WEIGHTS}, "
                "as `./hrl train master` writes them"
            )
    card = load_card(folder / CARD, MasterCard)
    schemas = (("context", card.context, CONTEXT_NAMES), ("actions", card.actions, ACTION_NAMES))
    for what, learned, known in schemas:
        if learned != known:
            differ = sorted(set(learned) ^ set(known)) or "their order"
            raise ConfigError(
                f"{folder / CARD}: {what} was learned on {len(learned)} numbers, this version has "
                f"{len(known)}; what differs: {differ}; train the policy anew"
            )
    return card, read_weights(folder, card.sha256)


def write_policy(
    folder: Path,
    weights: Mapping[str, np.ndarray],
    *,
    name: str,
    trained_on: str,
    seed: int,
    missions: int,
    figures: Mapping[str, float],
    commit: str = "",
) -> MasterCard:
    """Write weights and card of a policy, and return the card."""
    import torch

    arrays = {key: np.ascontiguousarray(array, np.float32) for key, array in weights.items()}
    Network(arrays)  # raises ConfigError where the layers do not fit
    content = write_weights(folder, {key: torch.from_numpy(a) for key, a in arrays.items()})
    card = MasterCard(
        name=name,
        context=CONTEXT_NAMES,
        actions=ACTION_NAMES,
        sha256=hashlib.sha256(content).hexdigest(),
        trained_on=trained_on,
        seed=seed,
        missions=missions,
        commit=commit,
        figures={key: float(value) for key, value in figures.items()},
    )
    save_card(folder, card)
    return card


def _layers(weights: Mapping[str, np.ndarray], part: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The layers of a part of the network: W (in, out) and b (out,)."""
    layers: list[tuple[np.ndarray, np.ndarray]] = []
    while (name := f"{part}_w{len(layers)}") in weights:
        bias = f"{part}_b{len(layers)}"
        w, b = weights[name], weights.get(bias)
        if w.ndim != 2 or b is None or b.shape != (w.shape[1],):
            raise ConfigError(f"{name} {w.shape} needs {bias} of shape ({w.shape[-1]},)")
        if layers and layers[-1][0].shape[1] != w.shape[0]:
            raise ConfigError(f"{name} takes {w.shape[0]}, the layer before gives another number")
        layers.append((w, b))
    return layers


def _run(layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray, last: bool) -> np.ndarray:
    """(n, in) -> (n, out); `last`: tanh after the last layer, too."""
    for k, (w, b) in enumerate(layers):
        x = x @ w + b
        if last or k + 1 < len(layers):
            x = np.tanh(x)
    return x

"""Searches the cheapest exit thresholds that keep the accuracy."""

import dataclasses
import itertools

import numpy as np

from . import statistics

NEVER = np.inf
CELLS = 40_000  # combinations of thresholds that are tried


@dataclasses.dataclass
class Point:
    """Thresholds and what they do to some samples. Costs are in microseconds a sample."""
    thresholds: list
    cost: float
    exits: list
    gained: int
    lost: int
    samples: int

    @property
    def loss(self):
        return (self.lost - self.gained) / self.samples


def run(scores, right, costs, thresholds):
    """The Point of `thresholds`: scores and right are [stages, N], the last stage always answers."""
    stages, samples = right.shape
    place = np.full(samples, stages - 1)
    for stage in reversed(range(stages - 1)):
        place[scores[stage] >= thresholds[stage]] = stage
    answer = right[place, np.arange(samples)]
    exits = np.bincount(place, minlength=stages) / samples
    cost = float(np.cumsum(costs) @ exits)
    return Point(list(thresholds), cost, exits.tolist(), int((answer & ~right[-1]).sum()),
                 int((~answer & right[-1]).sum()), samples)


def candidates(scores, count):
    """Thresholds between the scores at `count` equally spaced ranks, and NEVER."""
    ordered = np.unique(scores.astype(np.float64))
    places = np.unique(np.linspace(0, len(ordered) - 1, count).astype(int))
    below = np.where(places > 0, ordered[np.maximum(places - 1, 0)], ordered[places] - 1e-6)
    return np.append(np.clip((ordered[places] + below) / 2, 0.0, 1.0), NEVER)


def all_points(scores, right, costs):
    """A Point for each combination of candidates."""
    exits = len(costs) - 1
    if exits == 0:
        return [run(scores, right, costs, [])]
    count = min(400, int((CELLS / 10) ** (1 / exits)))
    grids = [candidates(scores[stage], count) for stage in range(exits)]
    return [run(scores, right, costs, list(each)) for each in itertools.product(*grids)]


def choose(points, allowed):
    """(the cheapest Point within the loss, whether this part of the data proves that).

    Proven: the one-sided 95 % bound of the loss is at most `allowed`. Where no early exit can be proven
    the estimate decides. Either way the choice is the best of many, so that only data held out can say
    what it loses.
    """
    never_exits = [point for point in points if point.exits[-1] == 1.0]
    proven = [point for point in points
              if statistics.tango_z(point.gained, point.lost, point.samples, -allowed) >= statistics.ONE_SIDED_95]
    best = min(proven + never_exits, key=lambda point: point.cost)
    if best.exits[-1] < 1.0:
        return best, True
    return min((point for point in points if point.loss <= allowed), key=lambda point: point.cost), False

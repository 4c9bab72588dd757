"""Telling a real difference from noise: paths that differ between prod and a second prod as often as with the shadow.

The idea is Diffy's (Twitter, 2015): run a second copy of prod beside the candidate, and ignore what differs there too.
Diffy calls a field different when it differs more often than between the two prods, and the rates are apart by fixed
thresholds, one relative and one absolute (its ``DifferencesFilterFactory``). Here the rates are compared by an exact
test, so that few observations cannot pass for many. Invariant: a path that never differed against the control is never
called noise.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ..errors import DataError
from .structure import Difference

__all__ = ["NoiseEvidence", "NoiseModel"]

Arm = Literal["control", "shadow"]


@dataclass(frozen=True, slots=True)
class NoiseEvidence:
    """How often one path differed, in each arm, and what follows."""

    path: str
    control_differs: int
    control_pairs: int
    shadow_differs: int
    shadow_pairs: int
    p_value: float
    """Chance of a shadow that differs at least this often although it differs there no more than the control."""
    noise: bool


class NoiseModel:
    """Learns, path by path, how often answers differ without any change.

    ``observe(differences)`` counts one pair of prod against the control; ``observe(differences, arm="shadow")`` one of
    prod against the shadow. A path (with ``*`` for array positions, ``Difference.shape``) is noise when it did
    differ against the control, and the shadow does not differ there significantly more often: one-sided Fisher exact
    test on (differs, does not) × (shadow, control), at ``alpha`` divided by the number of paths that ever differed
    against the control (Bonferroni), so that all real noise together is reported as a difference with a chance of at
    most ``alpha``. Both arms share prod's answers, which makes their rates agree more than independent ones would: the
    test errs towards calling noise, not towards a false alarm. It is a test at one moment, not at every moment: for a
    verdict that is looked at continuously the gate has confidence sequences.

    Without any pair of the shadow, a path is noise when it differs against the control in more than ``floor`` of
    pairs, with 95 % confidence (Wilson 1927), which is what a single pair can be filtered by.
    """

    def __init__(self, *, alpha: float = 0.05, floor: float = 0.01) -> None:
        if not 0.0 < alpha < 1.0:
            raise DataError(f"alpha is {alpha}: it must lie between 0 and 1, like 0.05")
        if not 0.0 <= floor < 1.0:
            raise DataError(f"floor is {floor}: it must lie in [0, 1), like 0.01")
        self._alpha = alpha
        self._floor = floor
        self._differs: dict[Arm, Counter[str]] = {"control": Counter(), "shadow": Counter()}
        self._pairs: dict[Arm, int] = {"control": 0, "shadow": 0}

    def observe(self, differences: Iterable[Difference], *, arm: Arm = "control") -> None:
        """Counts one pair of answers; one without any difference counts too. A path counts once a pair."""
        self._pairs[arm] += 1
        self._differs[arm].update({_shape(difference) for difference in differences})

    def add(self, pairs: int, differs: Mapping[str, int], *, arm: Arm = "control") -> None:
        """Counts ``pairs`` pairs at once, of which ``differs`` says how many differed at each path.

        Raises :class:`~shadowlane.errors.DataError` when a path differed more often than there are pairs.
        """
        for path, count in differs.items():
            if not 0 <= count <= pairs:
                raise DataError(f"{path!r} differed in {count} of {pairs} pairs: use a count from 0 to {pairs}")
        self._pairs[arm] += pairs
        self._differs[arm].update(differs)

    def is_noise(self, path: str) -> bool:
        """Whether a path is noise, by what was observed so far. ``path`` as in ``Difference.shape``."""
        return self.evidence(path).noise

    def filter(self, differences: Iterable[Difference]) -> list[Difference]:
        """The differences that are no noise, in their order."""
        verdicts: dict[str, bool] = {}
        real = []
        for difference in differences:
            shape = _shape(difference)
            if shape not in verdicts:
                verdicts[shape] = self.is_noise(shape)
            if not verdicts[shape]:
                real.append(difference)
        return real

    def evidence(self, path: str) -> NoiseEvidence:
        """The counts behind :meth:`is_noise`, for a report."""
        control, shadow = self._differs["control"][path], self._differs["shadow"][path]
        pairs, shadow_pairs = self._pairs["control"], self._pairs["shadow"]
        p_value = fisher_greater(shadow, shadow_pairs, control, pairs)
        if not control:
            noise = False
        elif shadow_pairs:
            noise = p_value > self._alpha / max(1, len(self._differs["control"]))
        else:
            noise = wilson_lower(control, pairs) > self._floor
        return NoiseEvidence(path, control, pairs, shadow, shadow_pairs, p_value, noise)

    def paths(self) -> list[str]:
        """Every path that ever differed, in either arm, sorted."""
        return sorted(self._differs["control"].keys() | self._differs["shadow"].keys())


def _shape(difference: Difference) -> str:
    return difference.shape or difference.path


def fisher_greater(hits_a: int, trials_a: int, hits_b: int, trials_b: int) -> float:
    """One-sided p of Fisher's exact test (1935): that ``a``'s rate is no greater than ``b``'s, given the margins."""
    trials, hits = trials_a + trials_b, hits_a + hits_b
    if not trials:
        return 1.0
    total = 0.0
    mode = (trials_a + 1) * (hits + 1) / (trials + 2)
    # Upper tail of the hypergeometric distribution of a's hits; beyond its mode the terms only fall.
    for count in range(hits_a, min(hits, trials_a) + 1):
        if hits - count > trials_b:
            continue
        term = math.exp(_log_choose(trials_a, count) + _log_choose(trials_b, hits - count) - _log_choose(trials, hits))
        total += term
        if count > mode and term < total * 1e-16:
            break
    return min(1.0, total)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def wilson_lower(hits: int, trials: int, z: float = 1.6448536269514722) -> float:
    """Lower end of Wilson's score interval (1927) for a rate; ``z`` is the normal quantile, here one-sided 95 %."""
    if not trials:
        return 0.0
    rate, z2 = hits / trials, z * z
    centre = rate + z2 / (2 * trials)
    spread = z * math.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials))
    return max(0.0, (centre - spread) / (1 + z2 / trials))

"""How fast a run goes, how well it uses this computer, and how long it still takes. Seconds, tokens, shares of one."""

from __future__ import annotations

import statistics
from collections import deque
from typing import Any

from studio.records import StepMetrics

RECENT = 20  # steps that figures are taken over


class Pace:
    """Looks at the recent steps.

    Args:
        token_operations: Floating-point operations of training on one token, its share of the head apart.
        head_operations: Those of the head for one learned token.
        peak: Floating-point operations a second of a plain matrix product on this computer.
    """

    def __init__(self, token_operations: float = 0.0, head_operations: float = 0.0, peak: float = 0.0) -> None:
        self.token_operations, self.head_operations, self.peak = token_operations, head_operations, peak
        self._recent: deque[StepMetrics] = deque(maxlen=RECENT)

    def stepped(self, metrics: StepMetrics) -> None:
        """Take a step into account."""
        self._recent.append(metrics)

    def figures(self) -> dict[str, Any]:
        """The fields of a RunStatus that tell speed. `utilisation` counts what had to be computed; padding does not count."""
        seconds = sum(item.seconds for item in self._recent)
        if not seconds:
            return {}
        learned = sum(item.learned_tokens for item in self._recent)
        computed = sum(min(item.computed_tokens or item.tokens, item.tokens) for item in self._recent)
        done = computed * self.token_operations + learned * self.head_operations
        return {
            "tokens_per_second": sum(item.tokens for item in self._recent) / seconds,
            "learned_tokens_per_second": learned / seconds,
            "utilisation": done / seconds / self.peak if self.peak and done else None,
        }

    def left(self, steps: int, checks: float) -> dict[str, float]:
        """The fields of a RunStatus that tell the time left for `steps` steps and `checks` seconds of checks.

        From the median step; its spread from the quartiles, since steps differ in their rows and computers in their moods.
        """
        times = [item.seconds for item in self._recent]
        low, middle, high = statistics.quantiles(times, n=4) if len(times) > 1 else [times[0]] * 3
        return {
            "eta_seconds": middle * steps + checks,
            "eta_low_seconds": low * steps + checks,
            "eta_high_seconds": high * steps + checks,
        }

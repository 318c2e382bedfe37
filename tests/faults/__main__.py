"""`python -m tests.faults [--share 0.1] [--only WORD]`: tries every fault on the tiny model and counts what held."""

from __future__ import annotations

import argparse
import sys
import time

from studio.models.hardware import calm_threads


def main() -> int:
    """Run the suite. Returns 1 when a promise was broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=float, default=1.0, help="of the counts")
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    calm_threads()
    # everything a child needs is imported here once; nothing is computed before the forks
    import studio.training.callbacks
    import studio.training.fused.step
    import studio.training.job
    import studio.training.loop  # noqa: F401
    from tests.faults.bench import Bench
    from tests.faults.scenarios import FAULTS

    bench, broken = Bench(), 0
    try:
        for name, (fault, count) in FAULTS.items():
            if chosen.only not in name:
                continue
            tried, started = max(2, round(count * chosen.share)), time.monotonic()
            held = fault(bench, tried)
            broken += held < tried
            print(f"{name:55} {held:4} of {tried:4}   {time.monotonic() - started:6.0f} s", flush=True)
    finally:
        bench.close()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

"""The plan: epoch-exact, seeded, and free of any state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.training.plan import Plan, check_steps

plans = st.builds(
    Plan,
    rows=st.integers(1, 60),
    batch=st.integers(1, 9),
    accumulation=st.integers(1, 4),
    epochs=st.integers(1, 5),
    seed=st.integers(0, 99),
)


@given(plans)
def test_every_epoch_sees_every_row_once(plan: Plan) -> None:
    for epoch in range(plan.epochs):
        first = epoch * plan.steps_per_epoch + 1
        seen = [row for step in range(first, first + plan.steps_per_epoch) for row in plan.step(step)]
        assert sorted(seen) == list(range(plan.rows))
    assert plan.step(plan.total_steps)


@given(plans, st.lists(st.integers(2, 90), min_size=60, max_size=60))
def test_micro_batches_hold_the_step_and_no_more(plan: Plan, lengths: list[int]) -> None:
    for step in (1, plan.total_steps):
        batches = plan.micro_batches(step, lengths)
        assert sorted(row for rows in batches for row in rows) == sorted(plan.step(step))
        assert all(0 < len(rows) <= plan.batch for rows in batches)


def test_the_seed_decides_and_epochs_differ() -> None:
    plan = Plan(rows=50, batch=5, accumulation=1, epochs=2, seed=1)
    assert plan.order(0) == Plan(50, 5, 1, 2, 1).order(0)
    assert plan.order(0) != plan.order(1)
    assert plan.order(0) != Plan(50, 5, 1, 2, 2).order(0)


@given(st.integers(1, 500), st.integers(1, 100))
def test_checks_are_spread_and_include_the_last_step(total: int, evaluations: int) -> None:
    steps = check_steps(total, evaluations)
    assert total in steps and min(steps) >= 1
    assert len(steps) == min(total, evaluations)

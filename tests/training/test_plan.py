"""The plan: epoch-exact, seeded, and free of any state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.data.encode import READ_ONLY, Encoded
from studio.training.plan import Plan, by_rows, check_steps, learned_tokens, shared_prefix

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


@given(st.lists(st.integers(2, 90), min_size=1, max_size=60), st.integers(1, 9))
def test_batches_hold_every_row_once_and_are_not_too_large(lengths: list[int], batch: int) -> None:
    rows = [Encoded((1,) * length, (1,) * length, index, 0) for index, length in enumerate(lengths)]
    batches = by_rows(rows, batch)
    assert sorted(row.source_row for part in batches for row in part) == list(range(len(rows)))
    assert all(0 < len(part) <= batch for part in batches)


def test_the_first_token_of_a_row_is_never_counted_as_learned() -> None:
    assert learned_tokens([Encoded((5, 6, 7), (5, 6, 7)), Encoded((5, 6, 7), (READ_ONLY, READ_ONLY, 7))]) == 3


def test_a_prefix_never_reaches_into_what_is_learned() -> None:
    same = [Encoded((5, 6, 7, 8, 9), (READ_ONLY, READ_ONLY, 7, 8, 9), 0, 0)] * 2
    assert shared_prefix(same) == 1
    whole = [Encoded((5, 6, 7), (5, 6, 7), 0, 0)] * 2
    assert shared_prefix(whole) == 0


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

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onlay.data import Blocks
from onlay_train.sampler import Plan, PositionedSampler, ShardSampler

plans = st.builds(
    Plan,
    size=st.integers(1, 60),
    batch_size=st.integers(1, 9),
    accumulate=st.integers(1, 3),
    world=st.integers(1, 3),
    seed=st.integers(0, 5),
)


def batches(plan: Plan, rank: int = 0, epoch: int = 0, offset: int = 0) -> list[list[int]]:
    sampler = PositionedSampler(plan, rank)
    sampler.epoch, sampler.offset = epoch, offset
    return [[index for _, index in batch] for batch in sampler]


def test_an_epoch_of_ten_samples_in_batches_of_four() -> None:
    plan = Plan(size=10, batch_size=4)
    assert [len(batch) for batch in batches(plan)] == [4, 4, 2]
    assert plan.steps() == 3
    assert [plan.advance(offset) for offset in (0, 4, 8)] == [4, 8, 10]


def test_a_lone_last_sample_is_left_out_but_a_lone_first_one_is_not() -> None:
    assert [len(batch) for batch in batches(Plan(size=9, batch_size=4))] == [4, 4]
    assert batches(Plan(size=1, batch_size=4)) == [[0]]
    assert len(batches(Plan(size=3, batch_size=1))) == 3


def test_blocks_are_mixed_by_windows() -> None:
    """Of five blocks of 3, 1, 2, 4 and 2 samples two at a time: each window holds whole blocks."""
    blocks = Blocks((3, 1, 2, 4, 2), window=2)
    plan = Plan(size=12, batch_size=4, blocks=blocks)
    place = [0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 4, 4]
    orders = [plan.order(epoch).tolist() for epoch in range(20)]
    for order in orders:
        assert sorted(order) == list(range(12))
        left = [place[index] for index in order]
        for _ in range(3):
            window = list(dict.fromkeys(left))[:2]
            count = sum(left.count(block) for block in window)
            assert set(left[:count]) == set(window)
            left = left[count:]
        assert not left
    assert any(place[a[0]] != place[b[0]] for a, b in pairwise(orders))
    assert orders[3] == Plan(size=12, batch_size=2, world=2, blocks=blocks).order(3).tolist()


def test_a_step_is_split_evenly_over_processes_and_accumulated_batches() -> None:
    plan = Plan(size=22, batch_size=4, accumulate=2, world=2)
    shares = [batches(plan, rank) for rank in range(2)]
    assert [[len(b) for b in share] for share in shares] == [[4, 4], [4, 4]]
    plan = Plan(size=24, batch_size=4, accumulate=2, world=2)
    assert [len(b) for b in batches(plan, rank=1)] == [4, 4, 2, 2]


@given(plans)
def test_every_sample_is_seen_once_but_for_a_rest_too_small_to_share(plan: Plan) -> None:
    seen = Counter(i for rank in range(plan.world) for b in batches(plan, rank) for i in b)
    assert set(seen.values()) <= {1}
    assert plan.size - len(seen) < 2 * plan.parts


@given(plans, st.data())
def test_a_sampler_goes_on_from_any_step_as_if_it_had_never_stopped(
    plan: Plan, data: st.DataObject
) -> None:
    stop = data.draw(st.integers(0, plan.steps()))
    offset = 0
    for _ in range(stop):
        offset = plan.advance(offset)
    whole = batches(plan, epoch=2)
    assert batches(plan, epoch=2, offset=offset) == whole[stop * plan.accumulate :]
    assert plan.steps(offset) == plan.steps() - stop


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    plan = Plan(size=50, batch_size=7)
    assert list(plan.order(3)) == list(Plan(size=50, batch_size=2, world=2).order(3))
    orders = {tuple(Plan(size=50, batch_size=7, seed=s).order(e)) for s in (0, 1) for e in (0, 1)}
    assert len(orders) == 4


@pytest.mark.parametrize("size", [5, 6, 7])
def test_shards_are_equal_and_their_own_samples_cover_the_part_once(size: int) -> None:
    shards = [ShardSampler(size, 2, rank, 3) for rank in range(3)]
    dealt = [[i for batch in shard for i in batch] for shard in shards]
    assert len({len(d) for d in dealt}) == 1
    own = [i for d, shard in zip(dealt, shards, strict=True) for i in d[: shard.own]]
    assert sorted(own) == list(range(size))

"""Packs: the rows of an optimizer step laid end to end without padding, the opening they share written once.

A pack never lets one row see another: the attention plan says which tokens belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch

from studio.data.encode import READ_ONLY, Encoded
from studio.training.plan import shared_prefix

SHORTEST_PREFIX = 8  # tokens; below this the extra index work costs more than it saves
ALIKE = 0.7  # rows at least this share of the longest one's length are attended to together


@dataclass(frozen=True)
class AttentionGroup:
    """Rows of like length whose attention is computed as one padded block.

    `rows` rows of at most `longest` tokens, each also seeing `prefix` shared tokens; their tokens lie at `start`,
    `start + count` of the pack. `gather` [rows * longest] says which token of the pack stands where in the block (short
    rows repeat their last one, which nothing before it can see), `select` [count] brings the real ones back, None when
    the block has no padding. `hidden` [longest, prefix + longest] is True where a token must not look.
    """

    start: int
    count: int
    rows: int
    longest: int
    prefix: int
    gather: torch.Tensor
    select: torch.Tensor | None
    hidden: torch.Tensor


@dataclass(frozen=True)
class Sequences:
    """The rows of a pack one after the other, the shared opening first: what attention in one call is told.

    `seen` [keys] says which token of the pack each key is, for row after row; row i has the queries `query_starts[i]` to
    `query_starts[i + 1]` and the keys `key_starts[i]` to `key_starts[i + 1]`, both [rows + 1] and int32.
    """

    seen: torch.Tensor
    query_starts: torch.Tensor
    key_starts: torch.Tensor
    longest_query: int
    longest_key: int


@dataclass(frozen=True)
class Pack:
    """What one forward and backward is made of.

    `input_ids` and `positions` are [packed tokens]; `keep` [learned] holds the places whose next token is learned, and
    `targets` [learned] those tokens. `spans` are (start, length) of each row's own tokens, in order.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    keep: torch.Tensor
    targets: torch.Tensor
    groups: tuple[AttentionGroup, ...]
    spans: tuple[tuple[int, int], ...]

    @property
    def rows(self) -> int:
        """Rows in the pack."""
        return len(self.spans)

    @cached_property
    def sequences(self) -> Sequences:
        """For attention in one call; on the pack's device."""
        prefix, device = self.spans[0][0], self.input_ids.device
        opening = [(0, 0, prefix)] if prefix else []
        rows = opening + [(prefix, start, length) for start, length in self.spans]  # shared tokens, then its own
        seen = [place for shared, start, length in rows for place in (*range(shared), *range(start, start + length))]
        lengths = [length for _, _, length in rows], [shared + length for shared, _, length in rows]
        starts = [torch.tensor([0, *accumulate(item)], dtype=torch.int32, device=device) for item in lengths]
        return Sequences(torch.tensor(seen, device=device), *starts, *(max(item) for item in lengths))

    @property
    def lengths(self) -> torch.Tensor:
        """Tokens of the row each token belongs to, [packed tokens]. Only of a pack whose rows share nothing."""
        starts = torch.cat([(self.positions == 0).nonzero().flatten(), self.positions.new_tensor([len(self.positions)])])
        return starts.diff().repeat_interleave(starts.diff())

    @property
    def computed(self) -> int:
        """Tokens that go through the model."""
        return self.input_ids.numel()


def make_pack(rows: Sequence[Encoded], device: Any = "cpu", *, share: bool = True) -> Pack:
    """Lay rows end to end, longest first. Without `share` each row keeps its own opening."""
    prefix = shared_prefix(rows) if share and len(rows) > 1 else 0
    prefix = prefix if prefix >= SHORTEST_PREFIX else 0
    ordered = sorted(rows, key=lambda row: len(row.input_ids), reverse=True)
    ids, positions = list(ordered[0].input_ids[:prefix]), list(range(prefix))
    spans, keep, targets = [], [], []
    for row in ordered:
        start, size = len(ids), len(row.input_ids)
        ids += row.input_ids[prefix:]
        positions += range(prefix, size)
        spans.append((start, size - prefix))
        for place in range(max(prefix, 1), size):
            if row.labels[place] != READ_ONLY:
                keep.append(start + place - 1 - prefix)
                targets.append(row.labels[place])
    groups = [_attention_group([(0, prefix)], 0)] if prefix else []
    together: list[tuple[int, int]] = []
    for span in spans:
        if together and span[1] < ALIKE * together[0][1]:
            groups.append(_attention_group(together, prefix))
            together = []
        together.append(span)
    groups.append(_attention_group(together, prefix))
    return Pack(
        input_ids=torch.tensor(ids, device=device),
        positions=torch.tensor(positions, device=device),
        keep=torch.tensor(keep, dtype=torch.long, device=device),
        targets=torch.tensor(targets, dtype=torch.long, device=device),
        groups=tuple(_on(group, device) for group in groups),
        spans=tuple(spans),
    )


def _attention_group(spans: list[tuple[int, int]], prefix: int) -> AttentionGroup:
    """The group of rows at `spans` (start, length), longest first, lying next to each other."""
    longest, count = spans[0][1], sum(length for _, length in spans)
    gather = [start + min(place, length - 1) for start, length in spans for place in range(longest)]
    select = [index * longest + place for index, (_, length) in enumerate(spans) for place in range(length)]
    return AttentionGroup(
        start=spans[0][0],
        count=count,
        rows=len(spans),
        longest=longest,
        prefix=prefix,
        gather=torch.tensor(gather),
        select=None if count == len(gather) else torch.tensor(select),
        hidden=torch.ones(longest, prefix + longest, dtype=torch.bool).triu(prefix + 1),
    )


def _on(group: AttentionGroup, device: Any) -> AttentionGroup:
    if torch.device(device).type == "cpu":
        return group
    moved = {name: value.to(device) for name, value in vars(group).items() if isinstance(value, torch.Tensor)}
    return AttentionGroup(**{**vars(group), **moved})

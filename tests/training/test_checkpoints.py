"""Checkpoints are whole, verified, and bring everything back bit for bit."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from studio.errors import StudioError
from studio.training import checkpoints
from studio.training.optimizers import make_optimizer


class Small(torch.nn.Module):
    """A frozen layer and two that learn, with dropout so that random states matter."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.frozen, self.a, self.b = (torch.nn.Linear(width, width) for _ in range(3))
        self.frozen.requires_grad_(False)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.dropout(torch.relu(self.a(self.frozen(x)))))


def made(optim: str = "adamw") -> tuple[Small, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = Small(6 if optim == "adamw" else 64)  # 8 bit begins at 4,096 numbers; the biases stay below
    return model, make_optimizer(optim, list(checkpoints.trainable(model).values()), 0.01, 0.0)


def train(model: Small, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        loss = model(torch.randn(4, model.a.in_features)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("optim", ["adamw", "adamw_8bit"])
def test_going_on_from_a_checkpoint_is_bit_equal(tmp_path: Path, optim: str) -> None:
    model, optimizer = made(optim)
    train(model, optimizer, 5)
    path = checkpoints.save(tmp_path / "c", model, optimizer, {"step": 5, "note": 0.1 + 0.2})
    expected = train(model, optimizer, 5)
    other, fresh = made(optim)
    state = checkpoints.restore(path, other, fresh)
    assert state["step"] == 5 and state["note"] == 0.1 + 0.2
    assert train(other, fresh, 5) == expected
    for name, item in other.state_dict().items():
        assert torch.equal(item, model.state_dict()[name]), name


def test_only_what_learns_is_stored_and_nothing_is_a_pickle(tmp_path: Path) -> None:
    model, optimizer = made()
    train(model, optimizer, 1)
    path = checkpoints.save(tmp_path / "c", model, optimizer, {"step": 1})
    assert {item.suffix for item in path.iterdir()} == {".safetensors", ".json"}
    assert not any(b"frozen" in item.read_bytes() for item in path.glob("adapter*"))


def test_damage_anywhere_is_seen_and_the_older_one_is_used(tmp_path: Path) -> None:
    model, optimizer = made()
    train(model, optimizer, 1)
    folder = tmp_path / "c"
    first = checkpoints.save(folder, model, optimizer, {"step": 1})
    second = checkpoints.save(folder, model, optimizer, {"step": 2})
    source = random.Random(1)
    assert checkpoints.newest(folder) == (second, [])
    for _ in range(60):
        victim = source.choice([item for item in second.iterdir() if item.name != "manifest.json"])
        whole = victim.read_bytes()
        place = source.randrange(len(whole))
        victim.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << source.randrange(8))]) + whole[place + 1 :])
        assert checkpoints.newest(folder) == (first, [second])
        victim.write_bytes(whole)
    (second / "manifest.json").write_text("{")
    assert checkpoints.newest(folder) == (first, [second])
    (first / "state.json").unlink()
    assert checkpoints.newest(folder)[0] is None


@pytest.mark.long
def test_any_bit_of_the_manifest_matters(tmp_path: Path) -> None:
    model, optimizer = made()
    path = checkpoints.save(tmp_path / "c", model, optimizer, {"step": 1})
    manifest = path / "manifest.json"
    whole = manifest.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            manifest.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
            assert not checkpoints.verified(path), (place, bit)
    manifest.write_bytes(whole)
    assert checkpoints.verified(path)


def test_old_and_half_written_ones_are_cleared(tmp_path: Path) -> None:
    model, optimizer = made()
    train(model, optimizer, 1)
    folder = tmp_path / "c"
    paths = [checkpoints.save(folder, model, optimizer, {"step": step}) for step in (1, 2, 3, 4)]
    (folder / ".staging-step-5").mkdir()
    checkpoints.prune(folder, spare=[paths[0]])
    assert sorted(item.name for item in folder.iterdir()) == [paths[0].name, paths[2].name, paths[3].name]


def test_a_save_that_fails_leaves_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, optimizer = made()
    train(model, optimizer, 1)
    folder = tmp_path / "c"
    first = checkpoints.save(folder, model, optimizer, {"step": 1})
    real, calls = checkpoints.save_file, []

    def full(tensors: dict, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(tensors, path)

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(OSError):
        checkpoints.save(folder, model, optimizer, {"step": 2})
    assert [item.name for item in folder.iterdir()] == [first.name]
    assert checkpoints.newest(folder) == (first, [])


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    model, optimizer = made()
    train(model, optimizer, 1)
    path = checkpoints.save(tmp_path / "c", model, optimizer, {"step": 1})
    model.b.requires_grad_(False)
    with pytest.raises(StudioError):
        checkpoints.restore(path, model, optimizer)

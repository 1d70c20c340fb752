"""Trainers of other people, stopped in the midst of an epoch and gone on with: the same batches."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator, skip_first_batches
from accelerate.utils import DataLoaderConfiguration
from pytorch_lightning import LightningModule
from pytorch_lightning import Trainer as Lightning
from pytorch_lightning.callbacks import ModelCheckpoint
from test_loader import ids, tiny
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader
from transformers import Trainer, TrainingArguments

from edge_glass.core.errors import EdgeGlassError
from edge_glass.train import loader

ROWS, BATCH, EPOCHS = 230, 16, 3
STEPS = 15  # of an epoch, the last one with 6 rows
STOP = STEPS + 7  # in the second epoch


class Killed(Exception):
    """What ends a run as a kill would: nothing is tidied up."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny(tmp_path / "tiny", ROWS)


@pytest.fixture
def whole(folder: Path) -> list[list[int]]:
    """The batches of an undisturbed run."""
    batches = loader(folder, batch_size=BATCH)
    return [batch for _ in range(EPOCHS) for batch in ids(batches)]


class Net(torch.nn.Module):
    """Keeps the rows of each forward pass; dies at one."""

    def __init__(self, dies: int | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[list[int]] = []
        self.dies = dies

    def forward(self, id: torch.Tensor, caption: list[str] | None = None) -> dict[str, Any]:
        assert caption is None or caption == [f"row {row}" for row in id.tolist()]
        if len(self.seen) == self.dies:
            raise Killed
        self.seen.append(id.tolist())
        return {"loss": (self.weight * id.float().mean() / ROWS - 1).square().sum()}


class Batches(Trainer):
    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(**options)
        self.folder = folder

    def get_train_dataloader(self) -> DataLoader[Any]:
        return loader(self.folder, batch_size=BATCH).torch(0)


@pytest.mark.parametrize("saved", [STOP - 2, STEPS - 1, STEPS])
def test_trainer(folder: Path, whole: list[list[int]], tmp_path: Path, saved: int) -> None:
    """`resume_from_checkpoint` goes on with the next batch, wherever the checkpoint was."""
    args = TrainingArguments(
        str(tmp_path / "out"), num_train_epochs=EPOCHS, save_strategy="steps", save_steps=saved,
        report_to=[], disable_tqdm=True, use_cpu=True, save_total_limit=1, logging_steps=500,
    )  # fmt: skip
    net = Net(dies=saved + 2)
    with pytest.raises(Killed):
        Batches(folder, model=net, args=args).train()
    assert net.seen == whole[: saved + 2]
    net = Net()
    result = Batches(folder, model=net, args=args).train(resume_from_checkpoint=True)
    assert net.seen == whole[saved:] and result.global_step == len(whole)


def accelerated(data: Any, net: Net, first: int = 0, skip: int = 0) -> None:
    """The loop of accelerate's own examples."""
    for epoch in range(first, EPOCHS):
        data.set_epoch(epoch)
        for batch in skip_first_batches(data, skip) if skip and epoch == first else data:
            net(batch["id"])


@pytest.mark.parametrize("workers", [0, 2])
def test_accelerate(folder: Path, whole: list[list[int]], workers: int) -> None:
    accelerator, net = Accelerator(cpu=True), Net(dies=STOP)
    data = accelerator.prepare(loader(folder, batch_size=BATCH).torch(workers))
    with pytest.raises(Killed):
        accelerated(data, net)
    assert net.seen == whole[:STOP] and len(data) == STEPS
    data = accelerator.prepare(loader(folder, batch_size=BATCH).torch(workers))
    net = Net()
    accelerated(data, net, first=1, skip=STOP - STEPS)
    assert net.seen == whole[STOP:]


@pytest.mark.parametrize("workers", [0, 2])
def test_accelerates_states(
    folder: Path, whole: list[list[int]], workers: int, tmp_path: Path
) -> None:
    """With `use_stateful_dataloader`, `load_state` finds the batch, without skipping."""
    stateful = DataLoaderConfiguration(use_stateful_dataloader=True)
    accelerator = Accelerator(cpu=True, dataloader_config=stateful)
    data = accelerator.prepare(loader(folder, batch_size=BATCH).torch(workers))
    seen = ids(data)
    for batch in data:
        seen.append(batch["id"].tolist())
        if len(seen) == STOP:
            accelerator.save_state(str(tmp_path / "saved"))
        if len(seen) == STOP + 3:
            break
    assert seen == whole[: STOP + 3]
    accelerator = Accelerator(cpu=True, dataloader_config=stateful)
    data = accelerator.prepare(loader(folder, batch_size=BATCH).torch(workers))
    accelerator.load_state(str(tmp_path / "saved"))
    assert ids(data) == whole[STOP : 2 * STEPS]


class Module(LightningModule):
    def __init__(self, dies: int | None = None) -> None:
        super().__init__()
        self.net = Net(dies)

    def training_step(self, batch: dict[str, Any]) -> torch.Tensor:
        loss: torch.Tensor = self.net(**batch)["loss"]
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01)


def lightning(folder: Path, saved: int) -> Lightning:
    keep = ModelCheckpoint(folder / "kept", every_n_train_steps=saved, save_top_k=-1)
    return Lightning(
        accelerator="cpu", max_epochs=EPOCHS, callbacks=[keep], logger=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
    )  # fmt: skip


@pytest.mark.parametrize("saved, workers", [(STOP - 2, 0), (STOP - 2, 2), (STEPS, 0)])
def test_lightning(
    folder: Path, whole: list[list[int]], tmp_path: Path, saved: int, workers: int
) -> None:
    module = Module(dies=saved + 1)
    with pytest.raises(Killed):
        lightning(tmp_path, saved).fit(module, loader(folder, batch_size=BATCH).torch(workers))
    assert module.net.seen == whole[: saved + 1]
    [checkpoint] = (tmp_path / "kept").iterdir()
    module, data = Module(), loader(folder, batch_size=BATCH).torch(workers)
    lightning(tmp_path, 500).fit(module, data, ckpt_path=checkpoint, weights_only=False)
    assert module.net.seen == whole[saved:]


def stateful(folder: Path, **options: Any) -> StatefulDataLoader[Any]:
    data = loader(folder, batch_size=BATCH).torch()
    return StatefulDataLoader(
        data.dataset, batch_sampler=data.batch_sampler, collate_fn=data.collate_fn, **options
    )


@pytest.mark.parametrize("stop", [3, STEPS - 1, STEPS, STOP])
@pytest.mark.parametrize("workers", [0, 2])
def test_torchdata(folder: Path, whole: list[list[int]], workers: int, stop: int) -> None:
    def batches(data: Any) -> Iterator[list[int]]:
        while True:
            yield from (batch["id"].tolist() for batch in data)

    data = stateful(folder, num_workers=workers)
    drawn = batches(data)
    assert [next(drawn) for _ in range(stop)] == whole[:stop]
    state = data.state_dict()
    assert [next(drawn) for _ in range(2)] == whole[stop : stop + 2]
    data = stateful(folder, num_workers=workers)
    data.load_state_dict(state)
    drawn = batches(data)
    assert [next(drawn) for _ in whole[stop:]] == whole[stop:]


def test_torchdata_says_of_which_data_a_state_is(folder: Path, tmp_path: Path) -> None:
    data = stateful(folder)
    next(iter(data))
    other = stateful(tiny(tmp_path / "other", 300))
    other.load_state_dict(data.state_dict())
    with pytest.raises(EdgeGlassError, match=r"cannot go on: .*other shards than"):
        next(iter(other))


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_plain_dataloader(folder: Path, whole: list[list[int]], context: str) -> None:
    """What a DataLoader offers is passed to it; its parts make another one."""
    options = {
        "multiprocessing_context": context, "persistent_workers": True, "prefetch_factor": 3,
        "pin_memory": torch.cuda.is_available(),
    }  # fmt: skip
    data = loader(folder, batch_size=BATCH).torch(1, **options)
    assert [batch for _ in range(EPOCHS) for batch in ids(data)] == whole
    assert data.persistent_workers and data.prefetch_factor == 3
    parts = {"batch_sampler": data.batch_sampler, "collate_fn": data.collate_fn}
    other = DataLoader(data.dataset, num_workers=1, **parts, **options)
    data.set_epoch(0)
    assert [batch for _ in range(2) for batch in ids(other)] == whole[: 2 * STEPS]
    with pytest.raises(EdgeGlassError, match="another DataLoader takes the batches"):
        data.state_dict()


def test_loaders_that_would_be_wrong_say_what_to_do(folder: Path) -> None:
    batches = loader(folder, batch_size=BATCH)
    wrong = [DataLoader(batches), DataLoader(batches, batch_size=None, num_workers=1)]
    wrong += [StatefulDataLoader(batches), DataLoader(batches.torch().dataset, shuffle=True)]
    for each in wrong:
        with pytest.raises(EdgeGlassError, match=r"iterate over it.*loader\.torch\(workers\)"):
            next(iter(each))
    shared = loader(folder, batch_size=BATCH, rank=1, world=2).torch()
    with pytest.raises(EdgeGlassError, match="rank=0, world=1"):
        Accelerator(cpu=True)
        from accelerate.data_loader import prepare_data_loader

        prepare_data_loader(shared, num_processes=2, process_index=1)


@pytest.mark.parametrize(
    "title",
    [
        "Rows,",
        "A look",
        "The DataLoader",
        "Trainer",
        "accelerate",
        "Lightning",
        "StatefulDataLoader",
    ],
)
def test_the_page_of_each_trainer(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    """Each block runs as it stands, and what it makes has batches; resumed ones run twice."""
    for name in ("pixmo_cap", "librispeech", "clotho"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).symlink_to(built / f"{name}_sample")
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    block = page.split(f"## {title}")[1].split("```python")[1].split("```")[0]
    module = Module()
    module.net = net = Words()
    names: dict[str, Any] = {
        "loader": partial(loader, batch_size=2),
        "model": net,
        "module": module,
    }
    names["optimizer"] = torch.optim.SGD(net.parameters(), 0.01)
    exec(block, names)
    if title == "Rows,":
        speech, mixture = next(iter(names["speech"])), next(iter(names["mixture"]))
        assert speech["audio"].shape[1] == speech["audio_length"].max() and speech["text"][0]
        assert set(mixture) == {"id", "text", "sound"}
    elif title == "A look":
        assert len(names["samples"]) == 8000 and names["data"][:4] == b"fLaC"
    elif title in ("The DataLoader", "StatefulDataLoader"):
        rest = {"The DataLoader": 0, "StatefulDataLoader": 2}  # of that epoch; of the next one
        assert len(list(names["data"])) == rest[title]
    else:
        assert net.seen == {"accelerate": 2}.get(title, 6)
    if title in ("Trainer", "Lightning"):
        exec(block, names)
        assert net.seen == 6  # nothing was left to train on


class Words(torch.nn.Module):
    """Takes the columns of the page; counts its steps."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = 0

    def forward(self, id: list[str], caption: list[str]) -> dict[str, Any]:
        self.seen += 1
        return {"loss": (self.weight - sum(map(len, caption)) / 1000).square().sum()}

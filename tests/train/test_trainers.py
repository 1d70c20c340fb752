"""Trainers of other people, stopped in the midst of an epoch and gone on with: the same batches."""

import json
import os
import signal
import subprocess
import sys
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
from test_loader import flat, ids, tiny
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
    with pytest.raises(EdgeGlassError, match=r"cannot go on: .*not the shards"):
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


RANK = """
import json, sys
import torch, torch.distributed as dist
from edge_glass.train import loader
rank, world, steps, how, folder, out = (int(a) if a.isdigit() else a for a in sys.argv[1:])
dist.init_process_group("gloo", init_method=f"file://{out}/meet-{world}-{how}", rank=rank,
                        world_size=world)
seen = []
if how == "accelerate":
    from accelerate import Accelerator
    data = loader(folder, batch_size=16, lanes=1, rank=0, world=1).torch()
    data = Accelerator(cpu=True).prepare(data)
else:
    data = loader(folder, batch_size=16, even=True, lanes=1).torch()
    state = json.load(open(f"{out}/state.json"))
    if state:
        data.load_state_dict(state)
for batch in data:
    dist.all_reduce(torch.ones(1))  # hangs if a rank has a batch less
    seen.append(batch["id"].tolist())
    if len(seen) == steps:
        break
if how != "accelerate" and rank == 0:
    json.dump(data.state_dict(), open(f"{out}/state.json", "w"))
json.dump(seen, open(f"{out}/{rank}.json", "w"))
dist.barrier()
dist.destroy_process_group()
"""


PATHS = {"PYTHONPATH": os.pathsep.join(sys.path)}  # the tests' own modules


def run(code: list[str], world: int) -> list[int]:
    """The codes that processes of one program end with; RANK is the number of each."""
    env = os.environ | PATHS | {"WORLD_SIZE": str(world)}
    env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}  # not asked: they meet at a file
    running = []
    for rank in map(str, range(world)):
        command = [sys.executable, "-c", *(rank if each == "RANK" else each for each in code)]
        running.append(subprocess.Popen(command, env=env | {"RANK": rank, "LOCAL_RANK": rank}))
    try:
        return [each.wait(300) for each in running]
    finally:
        for each in running:
            each.kill()


def ranks(folder: Path, out: Path, world: int, steps: int, how: str) -> list[list[list[int]]]:
    """The batches of each of several processes, gloo between them."""
    line = [RANK, "RANK", str(world), str(steps), how, str(folder), str(out)]
    assert run(line, world) == [0] * world
    return [json.loads((out / f"{rank}.json").read_text()) for rank in range(world)]


def test_three_world_sizes_go_on_with_one_epoch(folder: Path, tmp_path: Path) -> None:
    """Two ranks stop, three go on, then one: as one process would have had them."""
    (tmp_path / "state.json").write_text("null")
    given = []
    for world, steps in ((2, 3), (3, 1), (1, 99)):
        found = ranks(folder, tmp_path, world, steps, "own")
        given += [rank[at] for at in range(len(found[0])) for rank in found]
    assert given == ids(loader(folder, batch_size=BATCH, lanes=2, rank=0, world=1))


def test_accelerate_shares_out_batches(folder: Path, tmp_path: Path) -> None:
    """Fifteen for two ranks: the last one, 6 rows, is filled up, and the first is given again."""
    one, other = ranks(folder, tmp_path, 2, 99, "accelerate")
    batches = ids(loader(folder, batch_size=BATCH, lanes=1))
    assert [len(one), len(other)] == [8, 8] and one[:7] == batches[:14:2]
    assert other[:7] == batches[1:14:2] and one[7][:6] == batches[14]
    assert set(flat(one)) | set(flat(other)) == set(range(ROWS))


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


TRAINER = """
import json, os, signal, sys
import torch, torch.distributed as dist
from test_trainers import Batches, Net, loader
from transformers import TrainingArguments
rank, folder, out, dies = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
dist.init_process_group("gloo", init_method=f"file://{out}/meet-{dies}", rank=rank, world_size=2)
class Even(Batches):
    def get_train_dataloader(self):
        return loader(self.folder, batch_size=16, even=True).torch()
args = TrainingArguments(f"{out}/run", num_train_epochs=2, save_steps=10, report_to=[],
                         disable_tqdm=True, use_cpu=True, ddp_backend="gloo", logging_steps=500)
class Told(Net):
    def forward(self, id, caption=None):
        if dies and len(self.seen) == dies:
            os.kill(os.getpid(), signal.SIGKILL)
        loss = super().forward(id, caption)
        print(json.dumps(self.seen[-1]), file=told, flush=True)
        return loss
with open(f"{out}/{rank}-{dies}.jsonl", "w") as told:
    Even(folder, model=Told(), args=args).train(resume_from_checkpoint=not dies)
"""


def test_trainer_on_two_ranks(folder: Path, tmp_path: Path) -> None:
    """SIGKILL in the second epoch: two new processes go on, each with batches of its own."""
    killed = run([TRAINER, "RANK", str(folder), str(tmp_path), "12"], world=2)
    assert -signal.SIGKILL in killed and 0 not in killed  # or lost the other one
    assert run([TRAINER, "RANK", str(folder), str(tmp_path), "0"], world=2) == [0, 0]
    for rank in range(2):
        batches = loader(folder, batch_size=BATCH, even=True, rank=rank, world=2)
        whole = [batch for _ in range(2) for batch in ids(batches)]
        first, last = (
            [*map(json.loads, (tmp_path / f"{rank}-{dies}.jsonl").read_text().splitlines())]
            for dies in (12, 0)
        )
        assert len(whole) == 16 and first == whole[:12] and last == whole[10:]


LIGHTNING = """
import json, sys
from test_trainers import Lightning, Module, loader
class Ranked(Module):
    def on_train_end(self):
        json.dump(self.net.seen, open(f"{sys.argv[2]}/{self.global_rank}.json", "w"))
options = json.loads(sys.argv[3])
trainer = Lightning(accelerator="cpu", devices=2, strategy="ddp_fork", max_epochs=1, logger=False,
                    enable_checkpointing=False, enable_progress_bar=False, **options)
Ranked.train_dataloader = lambda self: loader(sys.argv[1], batch_size=16, even=True).torch()
trainer.fit(Ranked())
"""


def test_lightning_on_two_ranks(folder: Path, tmp_path: Path) -> None:
    """It shares nothing out a second time, or says what to do."""
    asked = [sys.executable, "-c", LIGHTNING, str(folder), str(tmp_path)]
    where = {"cwd": Path(__file__).parent, "env": os.environ | PATHS}
    wrong = subprocess.run([*asked, "{}"], capture_output=True, text=True, check=False, **where)
    assert wrong.returncode and "use_distributed_sampler=False" in wrong.stderr
    own = json.dumps({"use_distributed_sampler": False})
    subprocess.run([*asked, own], check=True, capture_output=True, **where)
    for rank in range(2):
        batches = loader(folder, batch_size=BATCH, even=True, rank=rank, world=2)
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == ids(batches)

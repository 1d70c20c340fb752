"""Processes that train together, gloo between them: each row once, whatever shares them out."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_loader import flat, ids, tiny
from test_trainers import BATCH, ROWS

from edge_glass.train import loader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny(tmp_path / "tiny", ROWS)


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

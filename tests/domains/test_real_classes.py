"""Classes of ImageNet as others write them: published frequency files, lists and tables of URLs."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from kit import Cli

from edge_glass.core.errors import EdgeGlassError
from edge_glass.domains.imagenet import caption_match, classes

OLDER = {"eft": "newt", "maillot": "tights", "projectile": "missile", "sunglass": "sunglasses"}
BIRD, MACHINE = "n02012849", "n03126707"


@pytest.fixture
def freqs(real: Path) -> Path:
    return real / "imagenet"


@pytest.mark.parametrize("name", ["incaps_imagenet", "laionet_thresh0.7"])
def test_frequencies_from_the_largest_class_down(freqs: Path, name: str, tmp_path: Path) -> None:
    path = freqs / f"class_frequency_{name}_ori.txt"
    lines = path.read_text().splitlines(keepends=True)
    ranked = tmp_path / "ranked.txt"  # as the source publishes it, too
    ranked.write_text("".join(sorted(lines, key=lambda line: -int(line.split("\t")[1]))))
    assert classes.frequencies(ranked) == classes.frequencies(path)


def test_frequencies_of_imagenet_captions(freqs: Path) -> None:
    path = freqs / "class_frequency_incaps_imagenet_ori.txt"
    found = classes.frequencies(path)
    assert sum(found.values()) == 448_896 and sum(map(bool, found.values())) == 999
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert list(found.values()) == [int(count) for _, count in lines]
    names = {name: c.name for (name, _), c in zip(lines, classes.imagenet(), strict=True)}
    assert {old: new for old, new in names.items() if old != new} == OLDER


def test_frequencies_of_laionet(freqs: Path) -> None:
    found = classes.frequencies(freqs / "class_frequency_laionet_thresh0.7_ori.txt")
    assert sum(found.values()) == 3_256_561 and sum(map(bool, found.values())) == 943
    assert (found[BIRD], found[MACHINE]) == (2918, 0)
    reached = {label for owners in caption_match.lemmas("laionet").values() for label in owners}
    assert {w for w, n in found.items() if n} <= {classes.imagenet()[n].wnid for n in reached}


def test_imagenet_100(freqs: Path) -> None:
    numbers = [int(line) for line in (freqs / "imagenet100_idxs.txt").read_text().split()]
    assert len(numbers) == 100
    assert classes.in100() == tuple(classes.imagenet()[number].wnid for number in numbers)


def write(path: Path, names: list[str]) -> Path:
    path.write_text("".join(f"{name}\t{number}\n" for number, name in enumerate(names)))
    return path


@pytest.mark.parametrize("kind", ["wnid", "torchvision", "transformers", "keras", "words"])
def test_class_order(kind: str, tmp_path: Path) -> None:
    names = {
        "wnid": lambda c: c.wnid,
        "torchvision": lambda c: c.lemmas[0],  # two cranes and two maillots
        "transformers": lambda c: ", ".join(c.lemmas),
        "keras": lambda c: c.lemmas[0].replace(" ", "_"),
        "words": lambda c: "?" if c.wnid < "n0160" else c.name,  # a few that nobody knows
    }[kind]
    found = classes.frequencies(
        write(tmp_path / "a_ori.txt", [names(c) for c in classes.imagenet()])
    )
    assert list(found.values()) == list(range(1000))


def test_names_of_other_lists(tmp_path: Path) -> None:
    others = {
        "crane (machine)": MACHINE, "crane (bird)": BIRD, "eft": "n01631663",
        "sunglasses / dark glasses / shades": "n04356056", "sunglass": "n04355933",
        "projectile": "n04008634", "n02112837": "n02110185",
        "maillot tank suit": "n03710721",
    }  # fmt: skip
    found = classes.frequencies(write(tmp_path / "few.txt", ["tench", *others]))
    assert {w: n for w, n in found.items() if n} == {
        wnid: number for number, wnid in enumerate(others.values(), 1)
    }


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["goldfish", "missile"], "line 2: 'missile' is n03773504, n04008634, or"),
        (["crane"], f"'crane' is {BIRD}, {MACHINE}"),
        (["tench", "goldfish", "n01440764"], "line 3: 'n01440764' is n01440764, or stands there"),
        (["Tinca"], "line 1: expected `name<TAB>count`, found"),
    ],
)
def test_names_that_tell_no_class(names: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeGlassError, match=told):
        classes.frequencies(write(tmp_path / "few.txt", names))


def test_the_lemma_table_of_laionet() -> None:
    # as its authors publish it: 1,825 lemmas, each of one of 995 classes; of two cranes the bird
    owners = caption_match.lemmas("laionet")
    assert len(owners) == 1825 and all(len(labels) == 1 for labels in owners.values())
    assert len(set(owners.values())) == 995
    assert owners[" crane "] == (classes.labels()[BIRD],)
    assert " harp " not in owners and " missile " not in owners  # two classes' still
    for caption, names in (("a crane", ["crane bird"]), ("a construction crane", ["crane bird"])):
        found = caption_match.matcher("laionet")(caption)
        assert [classes.imagenet()[label].name for label in found] == names
    assert classes.imagenet()[classes.labels()["n02085620"]].query.startswith("chihuahua which is")


def test_match_finds_classes_in_any_table_of_captions(real: Path, cli: Cli, tmp_path: Path) -> None:
    # 10,000 rows of URL and TEXT, without the similarity that a release is made of
    raw = tmp_path / "raw"
    raw.mkdir()
    shutil.copy(real / "urls" / "test_10000.parquet", raw)
    told = cli("match", "laion400m", "--raw", raw, "--out", tmp_path / "m", "--json").json
    assert told["outcomes"] == {"kept": 459, "no_class": 9497, "several_classes": 44}
    found = pq.read_table(tmp_path / "m" / "metadata")
    assert found.num_rows == 459 and found["__index_level_0__"].null_count == 0


def test_the_frequencies_of_some_classes(tmp_path: Path) -> None:
    counts = dict.fromkeys(classes.labels(), 2)
    classes.write_frequencies(tmp_path, "few", counts, classes.in100())
    lines = (tmp_path / "few_ori.txt").read_text().splitlines()
    assert lines[:2] == ["American robin\t2", "Gila monster\t2"] and len(lines) == 100
    assert sum(classes.frequencies(tmp_path / "few_ori.txt").values()) == 200

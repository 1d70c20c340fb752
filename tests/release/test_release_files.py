"""What a release says of itself to machines: Croissant, CITATION.cff, the card's own checks."""

import io
import json
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest
from cffconvert import Citation
from etils.epath import Path as EPath
from hub import Hub
from huggingface_hub import DatasetCard, DatasetCardData, snapshot_download
from kit import Cli
from mlcroissant._src.operation_graph.operations import download as mlcroissant_download
from releases import REPO, commit, push

import edge_glass as eg
from edge_glass.core import manifest
from edge_glass.core.columns import is_list, item_of
from edge_glass.corpora import catalog
from edge_glass.release import card, card_section, citation, croissant

DOI = "10.57967/hf/1234"


@pytest.fixture
def released(hub: Hub, built: Path) -> Path:
    """A snapshot of a version that holds every corpus's sample."""
    push(hub, built, "1.0.0", *catalog.samples())
    return Path(snapshot_download(REPO, repo_type="dataset", revision="v1.0.0"))


@pytest.fixture
def described(released: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The version as `mlcroissant` reads it, from its address on the Hub and nowhere else."""
    monkeypatch.setattr(mlcroissant_download.constants, "DOWNLOAD_PATH", EPath(tmp_path))
    return mlcroissant.Dataset(f"{hub.url}/datasets/{REPO}/resolve/v1.0.0/{croissant.FILE}")


def test_croissant_lacks_nothing_once_the_date_of_the_first_version_is_known(
    hub: Hub, built: Path
) -> None:
    """The Hub says so, no clock."""
    for version in ("1.0.0", "1.1.0"):
        push(hub, built, version)
    metadata = json.loads(hub.read(REPO, croissant.FILE, "v1.1.0"))
    assert metadata["datePublished"] == eg.history(REPO)[0].date[:10]
    issues = mlcroissant.Dataset(metadata).metadata.ctx.issues
    assert not issues.errors and not issues.warnings


def test_a_later_version_is_verified_with_the_day_of_the_first(
    hub: Hub, built: Path, cli: Cli
) -> None:
    for version in ("1.0.0", "1.1.0"):
        push(hub, built, version)
        assert cli("verify", f"{REPO}@{version}").code == 0
    wrong = json.loads(hub.read(REPO, croissant.FILE, "v1.1.0")) | {"datePublished": "yesterday"}
    commit(hub, {croissant.FILE: (json.dumps(wrong, indent=0) + "\n").encode()})
    (found,) = cli("verify", f"{REPO}@main", "--json").json
    assert found["where"] == croissant.FILE


def test_croissant_of_a_first_version_lacks_its_date_alone(described: Any) -> None:
    issues = described.metadata.ctx.issues
    assert not issues.errors
    # no clock in what is released: the Hub has the date of a version once it is there
    (lacking,) = issues.warnings
    assert "datePublished" in lacking
    assert described.metadata.ctx.is_v1_1()
    assert "LibriSpeech" in described.metadata.description
    assert described.metadata.creators and described.metadata.data_collection_missing_data
    splits = described.records("clotho_sample/splits")
    assert [row["clotho_sample/splits/name"] for row in splits] == ["train", "validation", "test"]


def test_croissant_reads_every_row_of_every_corpus_from_its_address(
    described: Any, released: Path, hub: Hub
) -> None:
    hub.reset_log()
    for config, folder in manifest.built(released).items():
        made = manifest.read(folder)
        for split, shard in made.shards_by_split():
            records = f"{config}/{shard.file.removesuffix('.parquet')}"
            ours = pq.read_table(folder / shard.file).to_pylist()
            found = [*described.records(records)] if shard.rows else []
            assert len(found) == len(ours) == shard.rows
            for record, row in zip(found, ours, strict=True):
                said = {name.removeprefix(f"{records}/"): v for name, v in record.items()}
                assert said.pop("split").decode() == split
                assert said.keys() == made.features.keys()
                for name, feature in made.features.items():
                    theirs = _theirs(said[name], f"{records}/{name}")
                    assert theirs == _ours(row[name], feature), (records, name)
    fetched = {request.path for request in hub.seen("GET", "/resolve/v1.0.0/")}
    assert len(fetched) == len([*released.glob("*/*-of-*.parquet")])


def _theirs(value: Any, field: str) -> Any:
    """What `mlcroissant` makes of a value, in plain Python."""
    if isinstance(value, PIL.Image.Image):
        return value.size, value.tobytes()
    if isinstance(value, dict):
        return {name.removeprefix(f"{field}/"): _theirs(v, name) for name, v in value.items()}
    if isinstance(value, list | np.ndarray):
        return [_theirs(each, field) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def _ours(value: Any, feature: Any) -> Any:
    """A value of a shard as `mlcroissant` reads it: text as bytes, images decoded."""
    if value is None:
        return None
    if is_list(feature):
        return [_ours(each, item_of(feature)) for each in value]
    if "_type" not in feature:
        return {name: _ours(value[name], part) for name, part in feature.items()}
    if feature["_type"] == "Image":
        image = PIL.Image.open(io.BytesIO(value["bytes"]))
        return image.size, image.tobytes()
    if feature["_type"] == "Audio":
        return value["bytes"]
    return value.encode() if isinstance(value, str) else value


def test_croissant_gives_every_shard_with_its_sha256(released: Path, hub: Hub) -> None:
    told = json.loads((released / croissant.FILE).read_text())
    digests = {node["@id"]: node["sha256"] for node in told["distribution"] if "sha256" in node}
    for config, folder in manifest.built(released).items():
        for shard in manifest.read(folder).shards():
            assert digests[f"{config}/{shard.file}"] == shard.sha256
    urls = {node["contentUrl"] for node in told["distribution"] if "contentUrl" in node}
    shard = "clotho_sample/train-00000-of-00001.parquet"
    assert f"{hub.url}/datasets/{REPO}/resolve/v1.0.0/{shard}" in urls


def test_croissant_speaks_of_nothing_that_it_does_not_define(released: Path) -> None:
    told = json.loads((released / croissant.FILE).read_text())
    nodes = [*told["distribution"], *told["recordSet"]]
    nodes += [field for records in told["recordSet"] for field in _fields(records)]
    defined = [node["@id"] for node in nodes]
    assert len(defined) == len(set(defined))
    named = {key: node for node in nodes for key in _named(node)}
    assert named and named.keys() <= set(defined), named.keys() - set(defined)
    for records in told["recordSet"]:
        assert records["key"]["@id"] in {field["@id"] for field in records["field"]}


def _fields(node: dict[str, Any]) -> list[dict[str, Any]]:
    inner = node.get("field", []) + node.get("subField", [])
    return inner + [part for field in inner for part in _fields(field)]


def _named(value: Any) -> list[str]:
    """The ids that are spoken of below a node: what has an id and nothing else."""
    if isinstance(value, dict):
        found = [value["@id"]] if value.keys() == {"@id"} else []
        return found + [name for inner in value.values() for name in _named(inner)]
    return [name for inner in value for name in _named(inner)] if isinstance(value, list) else []


def test_the_citation_is_valid_and_names_every_corpus(released: Path) -> None:
    text = (released / citation.FILE).read_text()
    Citation(text).validate()
    titles = [ref["title"] for ref in Citation(text).cffobj["references"]]
    assert len(titles) == len(catalog.corpora())
    assert "Clotho: An Audio Captioning Dataset" in titles
    assert "family-names: Montes-y-Gómez" in text


def test_the_card_passes_the_hubs_own_validation(released: Path) -> None:
    DatasetCard.load(released / "README.md").validate(repo_type="dataset")


# of Hugging Face's packages/tasks/src/pipelines.ts: the Hub finds a dataset by these alone
TASKS = """
biology text-classification token-classification table-question-answering question-answering
zero-shot-classification translation summarization feature-extraction text-generation
text2text-generation fill-mask sentence-similarity text-to-speech text-to-audio
automatic-speech-recognition audio-to-audio audio-classification audio-text-to-text
voice-activity-detection depth-estimation image-classification object-detection image-segmentation
text-to-image image-to-text image-to-image image-to-video unconditional-image-generation
video-classification reinforcement-learning robotics tabular-classification tabular-regression
tabular-to-text table-to-text multiple-choice text-ranking text-retrieval time-series-forecasting
text-to-video image-text-to-text visual-question-answering document-question-answering
zero-shot-image-classification graph-ml mask-generation zero-shot-object-detection text-to-3d
image-to-3d image-feature-extraction video-text-to-text keypoint-detection visual-document-retrieval
any-to-any other
"""


def test_the_header_of_the_card_speaks_the_hubs_words(released: Path) -> None:
    header = DatasetCard.load(released / "README.md").data.to_dict()
    assert header["task_categories"] and {*header["task_categories"]} <= {*TASKS.split()}
    said = str(DatasetCardData.__doc__)  # lists what else is known
    for key in ("annotations_creators", "size_categories"):
        assert header[key] and all(f"'{word}'" in said for word in header[key])
    assert header["size_categories"] == ["n<1K"]
    assert {"original", "extended|audioset"} <= {*header["source_datasets"]}
    assert {"edge-glass", "audio", "image"} <= {*header["tags"]}
    assert "other" in header["license"] and header["license_name"] == "each-corpus-has-its-own"
    assert header["license_link"].endswith(f"/datasets/{REPO}")


def test_the_name_and_address_of_other_licences(built: Path) -> None:
    made = {name: manifest.read(folder) for name, folder in manifest.built(built).items()}

    def header(text: str) -> tuple[str, str]:
        data = DatasetCard(text).data.to_dict()
        return data["license_name"], data["license_link"]

    first = card.render([made["clotho_sample"]], REPO, None)
    assert header(first) == ("clotho-v2.1", "https://zenodo.org/records/4783391")
    again = card.render([made["clotho_sample"]], REPO, first)
    assert header(again) == header(first)
    both = card.render([made["cc3m_sample"]], REPO, first)
    assert header(both)[0] == "each-corpus-has-its-own" and header(both)[1].endswith(REPO)
    assert header(card.render([made["clotho_sample"]], REPO, both)) == header(both)
    mine = both.replace(f"license_link: {header(both)[1]}", "license_link: LICENSE")
    assert header(card.render([made["cc3m_sample"]], REPO, mine)) == (header(both)[0], "LICENSE")


@pytest.mark.parametrize(
    ("rows", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**12, "n>1T")]
)
def test_categories_of_size(rows: int, size: str) -> None:
    info = {"splits": [{"num_examples": rows // 2}, {"num_examples": rows - rows // 2}]}
    number = card._size(info)
    assert number is not None and card.SIZES[number] == size
    assert f"'{size}'" in str(DatasetCardData.__doc__)


def test_the_card_describes_columns_licences_and_a_row(released: Path) -> None:
    text = (released / "README.md").read_text()
    titles = [spec.title for spec in map(catalog.spec, catalog.corpora())]
    contents = text.partition(card.CONTENTS[0])[2].partition(card.CONTENTS[1])[0]
    assert [line[3:].split("](#")[0] for line in contents.splitlines() if "](#" in line] == titles
    for folder in manifest.built(released).values():
        made = manifest.read(folder)
        rows = card_section.example_in(text, made)
        assert rows.keys() == made.features.keys()
        first = pq.read_table(folder / made.shards()[0].file, columns=["id"])["id"][0].as_py()
        assert first.startswith(rows["id"].split(" ")[0].removesuffix("…"))
    assert "| CC-BY-3.0 | yes | yes | no | 6 |" in text
    assert "| ? |  | not known | not known | not known | 4 |" in text  # LAIONet's
    assert "| duration | float64 | length in seconds | 1.700249 |" in text


def test_a_doi_in_the_card_is_told_by_the_next_version(
    released: Path, hub: Hub, built: Path
) -> None:
    text = (released / "README.md").read_text().replace("---\n", f"---\ndoi: {DOI}\n", 1)
    commit(hub, {"README.md": text.encode()})
    push(hub, built, "1.1.0")
    folder = Path(snapshot_download(REPO, repo_type="dataset", revision="v1.1.0"))
    assert Citation((folder / citation.FILE).read_text()).cffobj["doi"] == DOI
    told = json.loads((folder / croissant.FILE).read_text())
    assert told["identifier"] == f"https://doi.org/{DOI}"
    assert DatasetCard.load(folder / "README.md").data.to_dict()["doi"] == DOI
    splits = [node for node in told["recordSet"] if node.get("dataType") == "cr:Split"]
    assert len(splits) == len(catalog.samples())

"""What a release says of itself to machines: Croissant, CITATION.cff, the card's own checks."""

import json
from pathlib import Path
from typing import Any

import mlcroissant
import pytest
from cffconvert import Citation
from hub import Hub
from huggingface_hub import DatasetCard, snapshot_download
from releases import REPO, commit, push

from edge_glass.core import manifest
from edge_glass.corpora import catalog
from edge_glass.release import citation, croissant

DOI = "10.57967/hf/1234"


@pytest.fixture
def released(hub: Hub, built: Path) -> Path:
    """A snapshot of a version that holds every corpus's sample."""
    push(hub, built, "1.0.0", *catalog.samples())
    return Path(snapshot_download(REPO, repo_type="dataset", revision="v1.0.0"))


def test_croissant_reads_every_corpus(released: Path, hub: Hub) -> None:
    place = {"repository": str(released)}
    dataset = mlcroissant.Dataset(jsonld=str(released / croissant.FILE), mapping=place)
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    # no clock in what is released: the date of a version stands in the Hub's history
    assert all("datePublished" in warning for warning in issues.warnings)
    for config, folder in manifest.built(released).items():
        made, found = manifest.read(folder), dataset.records(config)
        rows = made.rows
        splits = {row[f"{config}/split"] for row in found} if rows else set()
        assert len(list(found)) == rows
        assert splits == {name.encode() for name, facts in made.splits.items() if facts.rows}


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
    assert len(told["recordSet"]) == len(catalog.samples())

"""Checks of what lies beside builds: cards, Croissant, citations, and the seals of a release."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hub import Hub
from kit import Cli, edit
from releases import REPO, commit, push
from wrong_builds import Mutant, manifest_of

from edge_glass.core import locations, manifest
from edge_glass.core.atomic_files import json_bytes
from edge_glass.release import card, checks_papers, citation, croissant


@pytest.fixture
def release(built: Path, tmp_path: Path) -> Path:
    """A folder of one build as it is on the Hub."""
    out = tmp_path / "out"
    shutil.copytree(built / "clotho_sample", out / "clotho_sample")
    card.write(out)
    say(out)
    assert list(checks_papers.verify(out)) == []
    return out


def say(out: Path) -> None:
    about = ([manifest.read(out / "clotho_sample")], "https://x.org/datasets/o/n", "v1.0.0", None)
    (out / croissant.FILE).write_text(croissant.render(*about))
    (out / citation.FILE).write_text(citation.render(*about))


def unsealed_manifest(out: Path) -> None:
    manifest_of(out / "clotho_sample", lambda made: made.update(builder="0123456789abcdef"))


def outdated_card(out: Path) -> None:
    edit(out / card.FILE, lambda text: text.replace(b"| 5 | 0:00:07 |", b"| 6 | 0:00:07 |"))


def edited_card(out: Path) -> None:
    """In a folder that is no release: there all of it is written by builds."""
    (out / croissant.FILE).unlink()
    (out / citation.FILE).unlink()
    edit(out / card.FILE, lambda text: text.replace(b"the media inside", b"the media insidE"))


def outdated_croissant(out: Path) -> None:
    edit(out / croissant.FILE, lambda text: text.replace(b"11 rows", b"12 rows"))


def outdated_citation(out: Path) -> None:
    edit(out / citation.FILE, lambda text: text.replace(b"version: 1.0.0", b"version: 1.0.1"))


PAPERS: dict[Mutant, tuple[str, str]] = {  # the config or folder, and the file
    unsealed_manifest: ("clotho_sample", manifest.FILE),
    outdated_card: ("out", card.FILE),
    edited_card: ("out", card.FILE),
    outdated_croissant: ("out", croissant.FILE),
    outdated_citation: ("out", citation.FILE),
}


@pytest.mark.parametrize("spoil", PAPERS)
def test_a_paper_that_is_not_current_is_found_by_its_check_alone(
    spoil: Mutant, release: Path
) -> None:
    spoil(release)
    (found,) = checks_papers.verify(release)
    kind = "note" if spoil is edited_card else "error"
    assert (found.kind, found.check) == (kind, spoil.__name__)
    assert (found.config, found.where) == PAPERS[spoil]


def test_a_card_that_is_gone_or_damaged(release: Path) -> None:
    (release / card.FILE).write_text("---\n: [\n---\n")
    (found,) = checks_papers.verify(release)
    assert found.where == card.FILE and "cannot be read" in found.what
    (release / card.FILE).unlink()
    (found,) = checks_papers.verify(release)
    assert (found.where, found.check) == (card.FILE, "outdated_card")


def test_a_card_that_is_gone_comes_back_as_verify_says(
    built: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "out"
    shutil.copytree(built / "clotho_sample", out / "clotho_sample")
    said = cli("verify", out).out
    assert "edge-glass report" in said and "edge-glass build" not in said
    assert cli("report", out).code == 0
    assert list(checks_papers.verify(out)) == []


@pytest.mark.parametrize("text", [b"Built with", b"pretty_name: Edge", b'load_dataset("'])
def test_every_text_of_a_card_that_a_build_wrote_is_compared(
    text: bytes, built: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(built / "clotho_sample", out / "clotho_sample")
    card.write(out)
    shutil.move(out, tmp_path / "renamed")
    assert list(checks_papers.verify(tmp_path / "renamed")) == []
    edit(tmp_path / "renamed" / card.FILE, lambda old: old.replace(text, text[:-1] + b"?"))
    (found,) = checks_papers.verify(tmp_path / "renamed")
    assert found.check == edited_card.__name__


def test_the_seal_is_the_sha256_of_the_manifests_file(release: Path) -> None:
    data = (release / "clotho_sample" / manifest.FILE).read_bytes()
    assert card.sealed((release / card.FILE).read_text()) == {
        "clotho_sample": hashlib.sha256(data).hexdigest()
    }


def test_the_tag_of_a_release_has_the_seal(hub: Hub, built: Path) -> None:
    push(hub, built)
    seal = manifest.read(built / "clotho_sample").seal
    assert hub.store.repos[REPO].tag_messages == {
        "v1.0.0": f"clotho_sample: sha256 of its manifest {seal}"
    }


def test_the_commit_of_a_release_has_the_seal_which_is_held_against_it(
    hub: Hub, built: Path
) -> None:
    push(hub, built)
    assert list(checks_papers.verify(locations.at(f"{REPO}@1.0.0"))) == []
    unpushed_manifest(hub)
    (found,) = checks_papers.verify(locations.at(f"{REPO}@1.0.0"))
    assert (found.check, found.config, found.where, found.kind) == (
        unpushed_manifest.__name__, "clotho_sample", manifest.FILE, "error",
    )  # fmt: skip


def unpushed_manifest(hub: Hub) -> None:
    """The tag is moved to a later commit, whose card has the seal of another manifest."""
    path = "clotho_sample/manifest.json"
    made = manifest.parse(hub.read(REPO, path), path)
    other = replace(made, builder="0123456789abcdef")
    readme = hub.read(REPO, card.FILE).replace(made.seal.encode(), other.seal.encode())
    commit(hub, {path: json_bytes(other.plain()), card.FILE: readme})
    refs = hub.store.repos[REPO].refs
    refs["refs/tags/v1.0.0"] = refs["refs/heads/main"]

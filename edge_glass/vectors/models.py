"""Where a model is, and what it is: told by its name and its config, before any weight is read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from edge_glass.core.errors import ConfigError, HubError, NetworkError, of_the_hub
from edge_glass.core.extras import needs
from edge_glass.core.row import JsonObject

Modality = Literal["image", "text", "audio"]
ALIASES = {
    "clip-vit-b32": "openai/clip-vit-base-patch32",
    "clip-vit-l14": "openai/clip-vit-large-patch14",
    "clip-multilingual": "sentence-transformers/clip-ViT-B-32-multilingual-v1",
    "siglip2": "google/siglip2-base-patch16-224",
    "clap": "laion/clap-htsat-unfused",
    "dinov2": "facebook/dinov2-base",
    "blip2": "Salesforce/blip2-flan-t5-xl",
    "minilm": "sentence-transformers/all-MiniLM-L6-v2",
    "whisper-tiny": "openai/whisper-tiny",
    "whisper-base": "openai/whisper-base",
}
FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]  # no pickles, no code
KINDS = {"blip-2": "blip2", "whisper": "whisper"}
LATE = "ForRetrieval"  # ends the names of classes that give a vector a token: ColPali's, ColQwen2's
# what a model has that takes more than texts; without it, it encodes sentences
PROCESSORS = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class Model:
    """A model on disk."""

    name: str  # as on the Hub, or the path
    revision: str | None  # the commit, for one of the Hub
    folder: Path  # of an ONNX model: the file
    kind: str  # the module of `edge_glass.vectors` that knows it, see MODULES

    def read(self, file: str) -> JsonObject:
        """A JSON file of the model, `{}` if it has none."""
        path = self.folder / file
        if not path.is_file():
            return {}
        settings: JsonObject = json.loads(path.read_text(encoding="utf-8"))
        return settings

    @property
    def config(self) -> JsonObject:
        """The model's own config.json."""
        return self.read("config.json")


def short_name(name: str) -> str:
    """A model's name as that of a folder."""
    path = Path(name)
    return path.stem if path.suffix == ".onnx" or path.exists() else name.replace("/", "--")


def locate(name: str) -> Model:
    """The model of an alias, a name on the Hub (`org/model`, `org/model@revision`) or a path.

    What is not in the Hub's cache is fetched. Raises EdgeGlassError if the model is nowhere, or has
    no safetensors.
    """
    path = Path(name)
    if path.suffix == ".onnx":
        if not path.is_file():
            raise ConfigError(f"--encoder {name}: no such file")
        return Model(name, None, path, "onnx")
    if (path / "config.json").is_file():
        return _model(name, None, path)
    repo, _, revision = ALIASES.get(name, name).partition("@")
    if repo.count("/") != 1 or name.startswith((".", "/")):
        raise ConfigError(
            f"--encoder {name}: neither a folder with a config.json nor one of "
            f"{', '.join(ALIASES)}, nor org/model on the Hub, nor a file .onnx"
        )
    folder = _fetched(repo, revision or None)
    return _model(repo, folder.name, folder)


def _model(name: str, revision: str | None, folder: Path) -> Model:
    if not list(folder.glob("model*.safetensors")):
        raise ConfigError(
            f"{name}: no model.safetensors in {folder}, and nothing else is loaded. If the model "
            "has them on another revision (its Community tab says so), name it: "
            f"--encoder {name}@refs/pr/N"
        )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind, classes = config["model_type"], config.get("architectures") or ()
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{name}: {folder}/config.json names no model: {error}") from None
    if any(str(each).endswith(LATE) for each in classes):
        return Model(name, revision, folder, "late")
    media = any((folder / file).is_file() for file in PROCESSORS)
    if media and (folder / "modules.json").is_file():
        return Model(name, revision, folder, "multimodal")
    return Model(name, revision, folder, KINDS.get(kind, "auto" if media else "sentence"))


def _fetched(repo: str, revision: str | None) -> Path:
    """The snapshot of a model in the Hub's cache, fetched if it can be."""
    needs(repo, "encoders", "torch", "transformers")
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=FILES))
    except (RepositoryNotFoundError, RevisionNotFoundError):
        what = f"{repo}@{revision}" if revision else repo
        raise HubError(f"{what}: no such model, or `hf auth login` is needed for it") from None
    except of_the_hub() as error:
        raise NetworkError(
            f"{repo} is not in the Hub's cache, and the Hub is out of reach. Run `hf download "
            f"{repo}` once while online, or give a folder that has it. ({type(error).__name__})"
        ) from None

"""Classifiers of images, sounds and texts that `transformers` opens: how sure each label is."""

from collections.abc import Callable, Sequence
from typing import Any

from edge_glass.core.errors import ConfigError
from edge_glass.vectors import auto
from edge_glass.vectors.models import Modality, Model

HEADS: dict[Modality, str] = {
    "image": "ImageClassification",
    "audio": "AudioClassification",
    "text": "SequenceClassification",
}


def modalities(model: Model) -> tuple[Modality, ...]:
    """What it takes. Raises ConfigError if the model is no classifier."""
    import transformers

    known, names = type(auto.config(model)), set(model.config.get("architectures") or ())
    for modality, head in HEADS.items():
        kinds = getattr(transformers, f"AutoModelFor{head}")._model_mapping
        kind = kinds.get(known, None) or ()
        if names & {each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,))}:
            return (modality,)
    said = ", ".join(sorted(names)) or "nothing"
    raise ConfigError(f"{model.name}: no classifier of images, sounds or texts: it names {said}")


def labels(model: Model) -> list[str]:
    """What it tells apart, in the order of its numbers. Raises as `modalities`."""
    modalities(model)
    return [str(label) for _, label in sorted(auto.config(model).id2label.items())]


def dim(model: Model, modality: Modality) -> int:
    """How many labels there are."""
    return len(labels(model))


prepare = auto.prepare


def load(model: Model, modality: Modality, device: str) -> Callable[[Sequence[Any]], Any]:
    """The forward pass: probabilities, each by itself where labels do not exclude each other."""
    kind = auto.config(model).problem_type
    alone = kind == "multi_label_classification" or dim(model, modality) == 1

    def probabilities(output: Any) -> Any:
        logits = output.logits.float()
        if kind == "regression":
            return logits
        return logits.sigmoid() if alone else logits.softmax(-1)

    return auto.forward(model, modality, device, f"AutoModelFor{HEADS[modality]}", probabilities)

"""What columns are to a reader, by the features and names alone."""

from typing import Any

import pytest

from edge_glass.core import columns
from edge_glass.core.columns import ColumnRole

TEXT, WHEN = columns.TEXT, {"dtype": "timestamp[s]", "_type": "Value"}
SOUND = {"sampling_rate": None, "_type": "Audio"}
SAMPLES = {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "List"}


def listed(feature: dict[str, Any]) -> dict[str, Any]:
    return {"feature": feature, "_type": "List"}


@pytest.mark.parametrize(
    ("features", "caption"),
    [
        ({"note": TEXT}, ["note"]),  # the one text that there is
        ({"note": TEXT, "other": TEXT}, []),
        ({"url": TEXT}, []),  # as of a list of URLs without captions
        ({"Image_URL": TEXT}, []),
        ({"when": WHEN}, []),  # a time is no text that goes with anything
        ({"when": WHEN, "note": TEXT}, ["note"]),
        ({"text": listed(TEXT)}, []),
        ({"captions": listed(TEXT), "text": TEXT}, ["captions"]),
    ],
)
def test_the_caption_is_a_text(features: dict[str, Any], caption: list[str]) -> None:
    assert columns.with_role({"id": TEXT} | features, ColumnRole.CAPTION) == caption


@pytest.mark.parametrize(
    ("features", "pair"),
    [
        ({"audio": SOUND, "text": TEXT}, ("audio", "text")),
        ({"recording": SOUND, "transcript": TEXT}, ("recording", "transcript")),
        ({"audio": SOUND, "text": TEXT, columns.MODEL_CAPTION: TEXT}, ("audio", "text")),
        ({"audio": SOUND, "caption": TEXT}, None),  # it describes, and says nothing
        ({"audio": listed(SOUND), "text": TEXT}, None),
        ({"audio": SAMPLES, "text": TEXT, "sampling_rate": WHEN}, None),
        ({"audio": SOUND, "text": listed(TEXT)}, None),
        ({"text": TEXT}, None),
    ],
)
def test_speech_is_a_sound_and_what_is_said(
    features: dict[str, Any], pair: tuple[str, str] | None
) -> None:
    assert columns.speech({"id": TEXT} | features) == pair


@pytest.mark.parametrize(
    ("features", "described", "promised"),
    [
        ({"text": TEXT, "word": TEXT}, {}, ["text"]),
        ({"plot": TEXT, "title": TEXT}, {}, ["plot"]),
        ({"text": TEXT, "word": TEXT}, {"text": {"role": "text"}}, []),
        ({"caption": TEXT}, {"alt": {"role": "caption"}}, ["caption"]),
        ({"title": TEXT, "lang": TEXT}, {}, []),
        ({columns.MODEL_CAPTION: TEXT, "caption": TEXT}, {}, []),
    ],
)
def test_captions_that_no_row_lacks(
    features: dict[str, Any], described: dict[str, Any], promised: list[str]
) -> None:
    assert columns.promised_captions(columns.roles(features), described) == promised

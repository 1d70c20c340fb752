"""What a site says when it gives no clip, and which outcome that is."""

import re

from edge_glass.core.ledger import Outcome

# The first line whose pattern is found decides. The sentences are YouTube's own or yt-dlp's.
TABLE: list[tuple[str, Outcome]] = [
    (r"not a bot|captcha|rate-limited|content isn.t available", Outcome.BOT_CHECK),
    (r"confirm your age|age-restricted|inappropriate for some users", Outcome.AGE_GATE),
    (r"private video|video is private|granted access", Outcome.PRIVATE),
    (r"members-only|channel's members|requires payment|premium members", Outcome.PRIVATE),
    (r"available in your country|in your country on copyright|geo.?restrict", Outcome.GEO_BLOCKED),
    (r"available from your location", Outcome.GEO_BLOCKED),
    (r"HTTP Error 451|Server returned 451", Outcome.GEO_BLOCKED),
    (r"video unavailable|video is (not|no longer|un)\s?available", Outcome.REMOVED),
    (r"isn.t available anymore|has been (removed|terminated)|does not exist", Outcome.REMOVED),
    (r"HTTP Error (404|410)|Server returned (404|410)", Outcome.REMOVED),
    (r"does not contain any stream|matches no streams", Outcome.NO_AUDIO),
    (r"Requested format is not available|only images are available", Outcome.NO_AUDIO),
    (r"Unsupported URL|no video formats found|DRM protected", Outcome.UNDECODABLE_MEDIA),
    (r"Invalid data found|could not find codec|moov atom not found", Outcome.UNDECODABLE_MEDIA),
    (r"File too large|File size limit exceeded|larger than max-filesize", Outcome.OVERSIZED_MEDIA),
]
NOISE = [
    r"\x1b\[[0-9;]*m",  # colours
    r"^ERROR:\s*",
    r"^\[[\w:+]+\] (\S+: )?",  # [youtube] id:
    r";? please report this issue on .*",
    r"\(caused by .*",
    r"\bUse --cookies.*|\bSee\s+https?://.*|\bLearn more.*",
    r"https?://\S+",
    r" at 0x[0-9a-f]+",
]
MAX_DETAIL = 200
_STATUS = re.compile(r"(?:HTTP Error|Server returned|HTTP error) (\d{3})\b")


def outcome(message: str) -> Outcome:
    """The outcome that a message stands for; what is not known may heal, as the network does."""
    for pattern, kind in TABLE:
        if re.search(pattern, message, re.IGNORECASE):
            return kind
    return Outcome.NETWORK_ERROR


def status(message: str) -> int | None:
    """The HTTP status that a message speaks of."""
    code = _STATUS.search(message)
    return int(code[1]) if code else None


def sentence(message: str) -> str:
    """A message without what differs from run to run, or tells the reader nothing."""
    if "ffmpeg exited" in message:  # what it says more is full of addresses
        return f"HTTP {status(message)}" if status(message) else "ffmpeg found no clip there"
    text = " ".join(message.split())
    for pattern in NOISE:
        text = re.sub(pattern, "", text)
    return text.strip(" ;:,")[:MAX_DETAIL]

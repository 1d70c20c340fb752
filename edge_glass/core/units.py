"""Sizes and lengths: as a person reads them, and by how much two lengths may differ."""

# seconds by which a clip may differ from its section (cuts lie on frames or keyframes), and what
# decodes fall short of what a header promises
SLACK = 0.5
DURATION_SLACK = 0.05  # seconds between the column `duration` and what decodes
ROUNDED = 0.002  # seconds: the manifest has lengths to a thousandth
START_SLACK = 0.1  # seconds that sound may begin before its picture, as encoders make it
TIME_STEP = 0.001  # seconds: containers count time in steps of up to that
HOURS_SLACK = 0.1  # hours are published to a tenth


def size(count: float) -> str:
    """Bytes, e.g. 5.1 MB; powers of a thousand."""
    return _in((("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("bytes", 1)), count)


def length(seconds: float) -> str:
    """A length of time, e.g. 5.1 min."""
    return _in((("h", 3600), ("min", 60), ("s", 1)), seconds)


def _in(units: tuple[tuple[str, float], ...], value: float) -> str:
    name, one = next((unit for unit in units if value >= unit[1]), units[-1])
    count = value / one
    return f"{count:,.0f} {name}" if count >= 100 or count == int(count) else f"{count:.1f} {name}"

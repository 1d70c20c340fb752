"""Media: probe, decode, transcode."""

from typing import Literal

# what a config may ask for, known without the libraries that do it
Resize = Literal["longest", "smallest", "center_crop", "border"]
MAX_FRAMES = 1000  # of one clip that are kept

"""The parameters of clips of video."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.libraries import np
from edge_glass.core.row import Example, Features
from edge_glass.corpora.params import AudioParams
from edge_glass.media import MAX_FRAMES
from edge_glass.media.features import Image, Sequence, Value, Video


@dataclass
class VideoParams(AudioParams):
    """How clips of video are written: frames and sound, or the clip as it is."""

    frames: Annotated[
        Annotated[int, Field(ge=1, le=MAX_FRAMES)] | Literal["keyframes"],
        Field(description="evenly spaced frames a clip, or the keyframes"),
    ] = 8
    frame_rate: Annotated[
        float | None, Field(gt=0, le=60, description="so many frames a second instead")
    ] = None
    frame_side: Annotated[
        int | None, Field(ge=16, le=8192, description="longest side in pixels; never enlarged")
    ] = 480
    whole_video: Annotated[
        bool, Field(description="the clip's own bytes instead of frames and sound")
    ] = False
    require_audio: Annotated[bool, Field(description="drop clips without a sound track")] = False

    @property
    def format(self) -> str:
        """`audio_format`, or FLAC: sound inside a clip is no file that could be kept."""
        return self.audio_format or "flac"

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        if self.audio_format == "source":
            yield "audio_format source: sound inside a clip is no file; use flac, wav or waveform"
        if self.frame_rate is not None and self.frames == "keyframes":
            yield "frame_rate and frames keyframes ask for different frames: unset one of them"

    def made_with(self) -> dict[str, str]:
        """What decodes clips and writes frames."""
        from edge_glass.media import video

        return super().made_with() | video.libraries()

    def video_features(self) -> Features:
        """The columns that `video_columns` fills."""
        numbers = {"duration": "float64", "width": "int32", "height": "int32", "fps": "float64"}
        sizes = {name: Value(kind) for name, kind in numbers.items()}
        if self.whole_video:
            return {"video": Video()} | sizes
        return {"image_jpegs": Sequence(Image())} | self.audio_features() | sizes

    def video_columns(self, data: bytes, name: str, notes: list[str]) -> Example:
        """The columns of a clip.

        Args:
            data: bytes of a media file.
            name: that the clip gets.
            notes: get what the ledger should say of a row that is kept.

        Returns:
            Frames or the clip itself, sound (None without a track), size in pixels, seconds.

        Raises:
            Dropped: it does not decode to its end, or is not what the config takes.
        """
        from edge_glass.media import audio, container, video

        count = 8 if self.frames == "keyframes" else self.frames
        keyframes = self.frames == "keyframes"
        clip = video.read(data, video.Choice(count, self.frame_rate, keyframes, self.frame_side))
        notes += clip.notes
        start = float(clip.probe.start)
        track = container.beside(data, start, notes) if clip.probe.has_audio else None
        sound = self._sound(track, name, notes)
        if track:
            notes += audio.apart(*track, clip.probe.seconds)
        columns = {"duration": round(clip.probe.seconds, 6), "fps": clip.probe.fps}
        columns |= {"width": clip.width, "height": clip.height}
        if self.whole_video:
            return columns | {"video": {"bytes": data, "path": name}}
        frames = [{"bytes": still.jpeg, "path": None} for still in clip.stills]
        return columns | sound | {"image_jpegs": frames}

    def _sound(
        self, decoded: "tuple[np.ndarray, int] | None", name: str, notes: list[str]
    ) -> dict[str, Any]:
        if decoded:
            from edge_glass.media import audio

            notes += audio.silence(decoded[0])
            return self.sample_columns(*decoded, name, notes)
        if self.require_audio:
            raise Dropped(Outcome.NO_AUDIO, "no sound track")
        notes.append("no sound track")
        return dict.fromkeys(self.audio_features())

    def parts_columns(
        self, jpegs: list[Any], sound: Any, rate: int | None, name: str, notes: list[str]
    ) -> Example:
        """The same columns out of frames and sound that are apart already, but for `duration`.

        Args:
            jpegs: the bytes of frames, which they keep, or dicts of them.
            sound: a file's bytes, a list of numbers, or None.
            rate: of these numbers, in Hz.
            name: that the clip gets.
            notes: get what the ledger should say of a row that is kept.

        Returns:
            What `video_columns` gives, but for `duration`.

        Raises:
            Dropped: there are no frames, or one does not decode.
        """
        from edge_glass.media import audio, stills

        frames = [frame["bytes"] if isinstance(frame, dict) else frame for frame in jpegs or []]
        if not frames:
            raise Dropped(Outcome.EMPTY_MEDIA, "no frames")
        checked = [stills.checked(frame) for frame in frames]
        notes += stills.warnings([still for still, _ in checked])
        width, height = checked[0][1]
        columns = self._sound(audio.listed(sound, rate), name, notes)
        columns |= {"image_jpegs": [{"bytes": frame, "path": None} for frame in frames]}
        return columns | {"width": width, "height": height, "fps": None}

    def audio_size(self, source_bytes: int) -> int:
        """About how many bytes frames and sound of ten seconds will take, to cut shards by."""
        if self.whole_video:
            return source_bytes
        frames = 10 * self.frame_rate if self.frame_rate else self.frames
        frames = 5 if isinstance(frames, str) else frames
        side = min(self.frame_side or 1280, 1280)
        return int(frames * 0.2 * side**2) + super().audio_size(10 * 44100 * 2)

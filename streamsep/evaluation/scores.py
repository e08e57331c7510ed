"""The scores of one song by one method, as they are kept on disk."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["SongScores", "StemScores"]


class StemScores(BaseModel):
    """What one stem of one song scored; None where a figure has no meaning.

    Attributes:
        nsdr_db: nSDR over the whole song; None if the stem is silent throughout.
        false_db: level of the estimate below the mixture in the seconds where the stem is silent;
            None if there are none.
        silent_s: how long the stem is silent, in seconds.
        sdr_db: median of BSS Eval's SDR over frames of one second; None if it was not asked for or
            no frame has one.
        isr_db: the same of the image-to-spatial ratio.
        sir_db: the same of the ratio to interferences.
        sar_db: the same of the ratio to artefacts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    nsdr_db: float | None
    false_db: float | None
    silent_s: float
    sdr_db: float | None = None
    isr_db: float | None = None
    sir_db: float | None = None
    sar_db: float | None = None


class SongScores(BaseModel):
    """What one method scored on one song.

    Attributes:
        song: name of the song.
        method: name of the method.
        duration_s: length of the song, seconds.
        stems: scores by the name of the stem.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    song: str
    method: str
    duration_s: float
    stems: dict[str, StemScores]

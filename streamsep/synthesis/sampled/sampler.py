"""Playing notes on soundfont patches through fluidsynth.

Every call is one run of fluidsynth: notes go in as a MIDI file and raw float audio comes out, as a
file too, because into a pipe fluidsynth writes 64 frames at a time.

A patch is tuned by the oldest trick of samplers, playing the tape at another speed: the notes are
stretched in time by the tuning, rendered at a sample rate divided by it, and read back at the true
rate. Time is right again and everything sounds higher, resonances included, so that one drum kit
becomes many.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamsep.errors import MissingToolError
from streamsep.synthesis.sampled.soundfont import DRUM_BANK, Patch, read_patches
from streamsep.synthesis.sampled.tools import find_program, load_package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamsep.synthesis.score import Note

__all__ = ["Sampler"]

_TICKS_PER_S = 10_000
_PLAYABLE_KITS = 50  # higher drum programs are marching bands and metronomes


class Sampler:
    """Soundfont patches and the program that plays them.

    Args:
        soundfonts: SoundFont 2 files, at least one.
        sample_rate: of the audio, samples per second.

    Raises:
        MissingToolError: fluidsynth or mido is not installed.
        InputError: a file is no soundfont.
    """

    def __init__(self, soundfonts: Sequence[Path], sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._fluidsynth = find_program("fluidsynth")
        self._mido = load_package("mido")
        self._kits: list[Patch] = []
        self._melodic: dict[int, list[Patch]] = {}
        for patch in (patch for path in soundfonts for patch in read_patches(path)):
            if patch.bank == DRUM_BANK and patch.program < _PLAYABLE_KITS:
                self._kits.append(patch)
            elif patch.bank < DRUM_BANK and "Expr" not in patch.name:
                # "Expr." patches stay silent until a breath controller moves.
                self._melodic.setdefault(patch.program, []).append(patch)
        if not self._kits or not self._melodic:
            names = ", ".join(str(path) for path in soundfonts) or "none"
            raise MissingToolError(
                f"the soundfonts given ({names}) hold no drum kit or no instrument; "
                "name at least one General MIDI soundfont"
            )

    def draw_kit(self, programs: Sequence[int], rng: np.random.Generator) -> Patch:
        """A drum kit among those whose program is one of `programs`, else any kit."""
        wanted = [kit for kit in self._kits if kit.program in programs] or self._kits
        return wanted[int(rng.integers(len(wanted)))]

    def draw_patch(self, program: int, rng: np.random.Generator) -> Patch:
        """A patch of any soundfont and bank with this program, else of the nearest one."""
        nearest = min(self._melodic, key=lambda held: (abs(held - program), held))
        patches = self._melodic[nearest]
        return patches[int(rng.integers(len(patches)))]

    def play(
        self, patch: Patch, notes: Sequence[Note], duration_s: float, tuning: float = 1.0
    ) -> NDArray[np.float32]:
        """Play notes on one patch, dry.

        Args:
            patch: what to play them on.
            notes: in any order.
            duration_s: length of the audio, seconds; what rings on is cut.
            tuning: factor on every frequency, about 0.5..2.

        Returns:
            float32 [C=2, T], T = round(duration_s × sample_rate).
        """
        with tempfile.TemporaryDirectory(prefix="streamsep-") as folder:
            midi = Path(folder) / "part.mid"
            self._write_midi(midi, patch, notes, duration_s, tuning)
            raw = Path(folder) / "part.raw"
            self._render(midi, raw, patch.soundfont, round(self.sample_rate / tuning))
            played = np.fromfile(raw, dtype="<f4").reshape(-1, 2).T
        audio = np.zeros((2, round(duration_s * self.sample_rate)), dtype=np.float32)
        played = played[:, : audio.shape[1]]
        audio[:, : played.shape[1]] = played
        return audio

    def _write_midi(
        self, path: Path, patch: Patch, notes: Sequence[Note], duration_s: float, tuning: float
    ) -> None:
        mido = self._mido
        channel = 9 if patch.bank == DRUM_BANK else 0
        at_tick = []
        for note in notes:
            velocity = int(np.clip(round(127 * note.velocity), 1, 127))
            start, end = (
                round(tuning * seconds * _TICKS_PER_S)
                for seconds in (note.start_s, note.start_s + note.duration_s)
            )
            on = mido.Message("note_on", channel=channel, note=note.pitch, velocity=velocity)
            off = mido.Message("note_off", channel=channel, note=note.pitch)
            at_tick += [(start, 1, on), (max(end, start + 1), 0, off)]
        track = mido.MidiTrack()
        if patch.bank != DRUM_BANK:
            track.append(mido.Message("control_change", control=0, value=patch.bank))
        track.append(mido.Message("program_change", channel=channel, program=patch.program))
        now = 0
        for tick, _, message in sorted(at_tick, key=lambda event: event[:2]):
            track.append(message.copy(time=tick - now))
            now = tick
        end = max(round(tuning * duration_s * _TICKS_PER_S), now)
        track.append(mido.MetaMessage("end_of_track", time=end - now))
        # At MIDI's default of half a second per beat.
        mido.MidiFile(tracks=[track], ticks_per_beat=_TICKS_PER_S // 2).save(path)

    def _render(self, midi: Path, raw: Path, soundfont: Path, sample_rate: int) -> None:
        settings = {
            "synth.dynamic-sample-loading": 1,  # reads a few samples instead of half a gigabyte
            "synth.lock-memory": 0,
            "synth.cpu-cores": 1,
            "synth.reverb.active": 0,
            "synth.chorus.active": 0,
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        command = [self._fluidsynth, "-niq", "-g", "0.5", "-r", str(sample_rate), *options]
        command += ["-T", "raw", "-O", "float", "-E", "little", "-F", str(raw)]
        command += [str(soundfont), str(midi)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode or not raw.exists():
            complaint = done.stderr.decode(errors="replace").strip().splitlines()
            raise MissingToolError(
                f"fluidsynth failed with code {done.returncode}: "
                f"{complaint[-1] if complaint else 'no message'}; version 2 is expected"
            )

"""Checks the protocol of an emitted design with cocotb: reset in mid-stream, gaps, back-pressure, framing.

Reads design.json and vectors/ from the folder that the environment variable CODESIGN_DESIGN names. Every test plays
golden vectors in lock step with the clock: inputs are set after a rising edge, settle, and are read by the next one.
"""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

FOLDER = Path(os.environ["CODESIGN_DESIGN"])
SEED = os.environ.get("CODESIGN_SEED", "1")
SAMPLES = int(os.environ.get("CODESIGN_SAMPLES", "48"))
DESIGN = json.loads((FOLDER / "design.json").read_text(encoding="utf-8"))
BARE = DESIGN["interface"] == "bare"
STREAM = DESIGN["interface"] == "axi_stream"
INPUT_BEATS, OUTPUT_BEATS = DESIGN["input_beats"], DESIGN["output_beats"]
LATENCY, INTERVAL = DESIGN["latency_cycles"], DESIGN["initiation_interval"]
INPUT_WIDTH = DESIGN["stream_bits"] if STREAM else DESIGN["input_bits"]
OUTPUT_WIDTH = DESIGN["stream_bits"] if STREAM else DESIGN["output_bits"]
PIPELINE = LATENCY + INPUT_BEATS + OUTPUT_BEATS
PATIENCE = 400 + 40 * PIPELINE  # cycles without an answer after which the design counts as hung
CAPACITY = PIPELINE + 4  # samples that a stalled design can hold, at the very most


def read_vectors():
    """Return (input, answer) pairs of integers, the same choice for every run."""
    columns = []
    for name in ("inputs", "outputs"):
        lines = (FOLDER / "vectors" / f"{name}.hex").read_text(encoding="ascii").splitlines()
        words = [line.split("//")[0].strip() for line in lines]
        columns.append([word for word in words if word])
    pairs = list(zip(*columns, strict=True))
    chosen = random.Random(SEED).sample(pairs, min(SAMPLES, len(pairs)))
    return [(int(a, 16), int(b, 16)) for a, b in chosen]


VECTORS = read_vectors()


class Player:
    """Plays samples into one side of the design and collects answers from the other, one cycle at a time."""

    def __init__(self, dut, name):
        self.random = random.Random(f"{SEED} {name}")
        self.clock = dut.aclk if STREAM else dut.clk
        self.reset_pin, self.in_reset = (dut.aresetn, 0) if STREAM else (dut.rst, 1)
        self.error = dut.frame_error if STREAM else None
        if STREAM:
            self.valid, self.data, self.ready, self.last = (
                dut.s_axis_tvalid, dut.s_axis_tdata, dut.s_axis_tready, dut.s_axis_tlast,
            )  # fmt: skip
            self.out_valid, self.out_data, self.out_ready, self.out_last = (
                dut.m_axis_tvalid, dut.m_axis_tdata, dut.m_axis_tready, dut.m_axis_tlast,
            )  # fmt: skip
        else:
            self.valid, self.data, self.out_valid, self.out_data = (
                dut.in_valid,
                dut.in_data,
                dut.out_valid,
                dut.out_data,
            )
            self.ready, self.out_ready = (None, None) if BARE else (dut.in_ready, dut.out_ready)
            self.last = self.out_last = None
        self.beats = []  # still to be offered: (data, last, first of a sample)
        self.offered = False
        self.held = None  # an answer's beat that was on offer and not accepted
        self.partial = []  # beats of the answer that is coming
        self.answers = []
        self.taken, self.given = [], []  # cycles of each sample's first beat and each answer's last
        self.errors = 0  # cycles with frame_error
        self.cycle = 0
        cocotb.start_soon(Clock(self.clock, 10, unit="ns").start())

    def send(self, samples, *, last=True):
        """Queue whole samples; `last` says whether their last beats carry tlast."""
        for sample in samples:
            for beat in range(INPUT_BEATS):
                word = sample >> (beat * INPUT_WIDTH) & (1 << INPUT_WIDTH) - 1
                self.beats.append((word, last and beat == INPUT_BEATS - 1, beat == 0))

    async def reset(self, cycles=3):
        """Forget everything on both sides, as the design must."""
        self.beats, self.offered, self.held, self.partial = [], False, None, []
        self.answers, self.taken, self.given, self.errors = [], [], [], 0
        self.reset_pin.value = self.in_reset
        for index in range(cycles):
            await self.step(accept=1, resetting=True)
            if index:  # at least one edge after reset began
                assert not self.seen_valid, "an answer is on offer during reset"
        self.reset_pin.value = 1 - self.in_reset

    async def step(self, *, offer=True, accept=True, resetting=False):
        """One clock cycle. Once offered, a beat stays on offer until it is taken."""
        self.offered = bool(self.beats) and (self.offered or bool(offer))
        word, last, first = self.beats[0] if self.offered else (self.random.getrandbits(INPUT_WIDTH), 0, False)
        self.valid.value = int(self.offered)
        self.data.value = word
        if self.last is not None:
            self.last.value = int(last)
        if self.out_ready is not None:
            self.out_ready.value = int(accept)
        await ReadOnly()
        if self.offered and (self.ready is None or int(self.ready.value)):
            self.beats.pop(0)
            self.offered = False
            if first:
                self.taken.append(self.cycle)
        self.seen_valid = int(self.out_valid.value)
        if not resetting:
            self.errors += int(self.error.value) if self.error is not None else 0
            self._answer(accept or BARE)
        await RisingEdge(self.clock)
        self.cycle += 1

    def _answer(self, accept):
        beat = None
        if self.seen_valid:
            last = int(self.out_last.value) if self.out_last is not None else 1
            beat = (int(self.out_data.value), last)
        if self.held is not None:
            assert beat is not None, f"cycle {self.cycle}: an answer was withdrawn before it was accepted"
            assert beat == self.held, f"cycle {self.cycle}: an answer changed before it was accepted"
        self.held = beat if beat is not None and not accept else None
        if beat is None or not accept:
            return
        final = len(self.partial) == OUTPUT_BEATS - 1
        assert beat[1] == int(final), f"cycle {self.cycle}: tlast is {beat[1]} on beat {len(self.partial)} of an answer"
        self.partial.append(beat[0])
        if final:
            self.answers.append(sum(word << (i * OUTPUT_WIDTH) for i, word in enumerate(self.partial)))
            self.given.append(self.cycle)
            self.partial = []

    async def finish(self, count, *, gaps=0.0, stalls=0.0):
        """Play until `count` answers have come, then some more, in which none may come."""
        progress, known = self.cycle, len(self.answers)
        while len(self.answers) < count:
            await self.step(offer=self.random.random() >= gaps, accept=self.random.random() >= stalls)
            if len(self.answers) > known:
                progress, known = self.cycle, len(self.answers)
            waited = self.cycle - progress
            assert waited < PATIENCE, f"no answer for {waited} cycles: {known} of {count} came"
        for _ in range(2 * PIPELINE + 4):
            await self.step()
        assert len(self.answers) == count and not self.partial, "an answer came that no input asked for"

    async def play(self, vectors, *, gaps=0.0, stalls=0.0):
        """Send all `vectors` and check their answers, in order, none lost or repeated."""
        self.send(sample for sample, _ in vectors)
        await self.finish(len(vectors), gaps=gaps, stalls=stalls)
        self.check(vectors)

    def check(self, vectors):
        """Compare the answers that came with those of `vectors`."""
        for index, ((_, wanted), got) in enumerate(zip(vectors, self.answers, strict=True)):
            assert got == wanted, f"answer {index}: wanted {wanted:x}, got {got:x}"


@cocotb.test()
async def full_rate(dut):
    """Inputs without a gap: every answer is right, and latency and interval are those of design.json."""
    player = Player(dut, "full_rate")
    await player.reset()
    await player.play(VECTORS)
    assert player.given[0] - player.taken[0] == LATENCY, f"counted a latency of {player.given[0] - player.taken[0]}"
    distances = {after - before for before, after in zip(player.given, player.given[1:], strict=False)}
    assert distances <= {INTERVAL}, f"answers come at distances of {sorted(distances)}, not {INTERVAL}"


@cocotb.test()
async def gaps_between_inputs(dut):
    """Noise on the data while valid is low must not reach an answer, at any density of inputs."""
    player = Player(dut, "gaps")
    for gaps in (0.2, 0.7):
        await player.reset()
        await player.play(VECTORS, gaps=gaps)
        if BARE:
            waits = {given - taken for taken, given in zip(player.taken, player.given, strict=True)}
            assert waits == {LATENCY}, f"latencies of {sorted(waits)} cycles, not {LATENCY}"


@cocotb.test()
async def silence_without_input(dut):
    """No valid input, no answer, whatever the data pins do."""
    player = Player(dut, "silence")
    await player.reset()
    await player.finish(0)


@cocotb.test()
async def reset_in_mid_stream(dut):
    """A reset drops what is inside, down to half-sent samples; what follows is answered as if nothing had been."""
    player = Player(dut, "reset")
    for length in range(1, PIPELINE + 2 * INPUT_BEATS + 3, max(1, PIPELINE // 6)):
        await player.reset()
        player.send(sample for sample, _ in VECTORS * (1 + length // len(VECTORS)))
        for _ in range(length):
            await player.step(accept=player.random.random() < 0.5)
        await player.reset(cycles=2)
        await player.play(VECTORS[:3])


@cocotb.test(skip=BARE)
async def back_pressure(dut):
    """Answers wait, unchanged, until they are accepted; none is lost or repeated."""
    player = Player(dut, "stalls")
    for stalls in (0.3, 0.8):
        await player.reset()
        await player.play(VECTORS, stalls=stalls)


@cocotb.test(skip=BARE)
async def gaps_and_back_pressure(dut):
    """Both at once, so that every mix of full and empty stages occurs."""
    player = Player(dut, "both")
    for share in (0.25, 0.6):
        await player.reset()
        await player.play(VECTORS, gaps=share, stalls=share)


@cocotb.test(skip=BARE)
async def long_stall(dut):
    """A receiver that stays away: an answer is offered all the same, the design fills up, then stops taking inputs."""
    player = Player(dut, "long stall")
    await player.reset()
    vectors = VECTORS * (1 + 2 * CAPACITY // len(VECTORS))
    player.send(sample for sample, _ in vectors)
    for _ in range((CAPACITY + 2) * max(INPUT_BEATS, OUTPUT_BEATS)):
        await player.step(accept=False)
    assert player.held is not None, "valid waits for ready: no answer was offered"
    assert len(player.taken) <= CAPACITY, f"{len(player.taken)} samples were taken though no answer left"
    before = len(player.beats)
    for _ in range(10):
        await player.step(accept=False)
    assert len(player.beats) == before, "inputs are still taken though the design must be full"
    await player.finish(len(vectors))
    player.check(vectors)


@cocotb.test(skip=not STREAM)
async def tlast_may_be_left_out(dut):
    """Samples are counted in beats, so a source that never sets tlast is understood."""
    player = Player(dut, "no tlast")
    await player.reset()
    player.send((sample for sample, _ in VECTORS), last=False)
    await player.finish(len(VECTORS), gaps=0.2, stalls=0.2)
    player.check(VECTORS)
    assert player.errors == 0, "frame_error though no frame was short"


@cocotb.test(skip=not STREAM or INPUT_BEATS == 1)
async def short_frame_is_dropped(dut):
    """tlast before a sample is whole: its beats are dropped, frame_error tells, and the next sample is answered."""
    player = Player(dut, "short frames")
    await player.reset()
    vectors = VECTORS[:8]
    for index, (sample, _) in enumerate(vectors):
        beats = 1 + index % (INPUT_BEATS - 1)
        player.beats += [(player.random.getrandbits(INPUT_WIDTH), i == beats - 1, False) for i in range(beats)]
        player.send([sample])
    await player.finish(len(vectors), stalls=0.2)
    player.check(vectors)
    assert player.errors == len(vectors), f"{player.errors} cycles of frame_error for {len(vectors)} short frames"

"""Drives a generated engine with cocotb as real masters would: AXI4-Lite control, AXI4-Streams that come and go.

Reads vectors/program.json from the folder that the environment variable CODESIGN_DESIGN names: the program, its
images and answers, and the lengths of all phases. Every run is checked in its answers, its counters and its cycles: the
clocks of waiting that were seen on the streams, put into the cycle law, must give the cycles that the engine counted.
"""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, First, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp, AxiStreamBus, AxiStreamFrame, AxiStreamSink
from cocotbext.axi import AxiStreamSource as Source

FOLDER = Path(os.environ["CODESIGN_DESIGN"])
SEED = os.environ.get("CODESIGN_SEED", "1")
DESIGN = json.loads((FOLDER / "design.json").read_text(encoding="utf-8"))
PROGRAM = json.loads((FOLDER / "vectors" / "program.json").read_text(encoding="utf-8"))
POINT, LAW, REGISTERS, ERRORS = DESIGN["point"], PROGRAM["law"], PROGRAM["registers"], PROGRAM["errors"]
IN_BYTES, OUT_BYTES = PROGRAM["streams"]["in_bits"] // 8, PROGRAM["streams"]["out_bits"] // 8
STREAMED, AHEAD = LAW["streamed"], LAW["double_buffer"]
START, LOAD, CLEAR = 1, 2, 4
BUSY, DONE, FAILED = 1, 2, 4
CLOCKS = int(os.environ.get("CODESIGN_CLOCKS", "50000"))  # a run that takes more is a long one


def frame(beats):
    """One frame of whole beats; tlast stands on its last one."""
    return AxiStreamFrame(b"".join(int(beat, 16).to_bytes(IN_BYTES, "little") for beat in beats))


def expected_cycles(images, image_waits, weight_waits, stalls):
    """The cycle law: clocks of a run, given the clocks of waiting in each load and each image's answers."""

    def at(waits, index):
        return waits[index] if index < len(waits) else 0

    layers, weights = LAW["layers"], LAW["weights"]

    def image_load(begin, image):
        return begin + LAW["image"] + at(image_waits, image)

    def weight_load(begin, number):
        return begin + weights[number % len(layers)] + at(weight_waits, number)

    time, image_ready, weights_ready = 0, image_load(0, 0), weight_load(0, 0)
    for image in range(images):
        time = max(time, image_ready) + 1
        for index, clocks in enumerate(layers):
            number = image * len(layers) + index
            time += LAW["fetch"]
            if STREAMED:
                if not AHEAD:
                    weights_ready = weight_load(time, number)
                time = max(time, weights_ready) + 1
                weights_ready = weight_load(time + 1, number + 1)
            if AHEAD and index == 0:
                image_ready = image_load(time + 1, image + 1)
            time += clocks
        time += LAW["unload"] + at(stalls, image)
        if not AHEAD:
            image_ready = image_load(time, image + 1)
    return time


ONE = expected_cycles(1, [], [], [])
ROOMY = LAW["load"] + ONE < CLOCKS
IMAGES = int(os.environ.get("CODESIGN_IMAGES", "3" if ROOMY else "1"))  # of the runs with gaps and stalls
ALL = PROGRAM["settings"]["IMAGES"]
PATIENCE = 2000 + 60 * (LAW["load"] + IMAGES * ONE + LAW["total"])  # clocks after which a run counts as hung


def some(cases):
    """All cases, or the first one alone where a run takes so long that they would take hours."""
    return list(cases) if ROOMY else list(cases)[:1]


class Watch:
    """Counts the clocks of waiting within each frame of one stream."""

    def __init__(self, dut, name, *, given):
        self.pins = [getattr(dut, f"{name}_{pin}") for pin in ("tvalid", "tready", "tlast", "tdata")]
        self.name, self.given = name, given  # given: by the engine, whose offers must stand until they are taken
        self.clear()

    def clear(self):
        self.waits, self.current, self.offer = [], 0, None

    def look(self):
        valid, ready, last = (int(pin.value) for pin in self.pins[:3])
        beat = (last, int(self.pins[3].value)) if valid else None
        if self.given and self.offer is not None:
            assert beat == self.offer, f"{self.name}: a beat on offer was changed or taken back before it was accepted"
        self.offer = beat if valid and not ready else None
        if self.given:
            self.current += valid and not ready
        else:
            self.current += ready and not valid
        if valid and ready and last:
            self.waits.append(self.current)
            self.current = 0


class Bench:
    """An engine with its masters and watches."""

    def __init__(self, dut, name):
        self.dut, self.random = dut, random.Random(f"{SEED} {name}")
        for pin in ("awvalid", "wvalid", "arvalid", "bready", "rready"):
            getattr(dut, f"s_axi_{pin}").value = 0
        dut.s_axis_data_tvalid.value = dut.s_axis_weight_tvalid.value = dut.m_axis_tready.value = 0
        dut.aresetn.value = 0
        cocotb.start_soon(Clock(dut.aclk, 10, unit="ns").start())
        reset = {"reset": dut.aresetn, "reset_active_level": False}
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, **reset)
        self.data = Source(AxiStreamBus.from_prefix(dut, "s_axis_data"), dut.aclk, **reset)
        self.weight = Source(AxiStreamBus.from_prefix(dut, "s_axis_weight"), dut.aclk, **reset)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, **reset)
        for part in (self.bus, self.data, self.weight, self.sink):
            for owner in (part, getattr(part, "write_if", None), getattr(part, "read_if", None)):
                if owner is not None and hasattr(owner, "log"):
                    owner.log.setLevel("WARNING")
        self.watches = [
            Watch(dut, "s_axis_data", given=False),
            Watch(dut, "s_axis_weight", given=False),
            Watch(dut, "m_axis", given=True),
        ]
        cocotb.start_soon(self.watch())

    async def watch(self):
        """Look at all streams once a clock, after they have settled and before the edge that acts on them."""
        while True:
            await FallingEdge(self.dut.aclk)
            if not int(self.dut.aresetn.value):
                for one in self.watches:
                    one.clear()
                continue
            for one in self.watches:
                one.look()

    async def reset(self, clocks=4):
        self.dut.aresetn.value = 0
        for clock in range(clocks):
            await RisingEdge(self.dut.aclk)
            await FallingEdge(self.dut.aclk)
            assert clock == 0 or not int(self.dut.m_axis_tvalid.value), "an answer is on offer during reset"
        self.dut.aresetn.value = 1
        await self.forget()

    async def forget(self):
        """The masters start anew: what they have not sent is dropped, and what the receiver has."""
        for part in (self.data, self.weight, self.sink):
            part.assert_reset(True)
            part.clear()
        self.pauses(0, 0)
        await ClockCycles(self.dut.aclk, 2)
        for part in (self.data, self.weight, self.sink):
            part.assert_reset(False)
        for one in self.watches:
            one.clear()

    # Control.

    async def write(self, name, value):
        await self.bus.write_dword(REGISTERS[name], value)

    async def read(self, name):
        return await self.bus.read_dword(REGISTERS[name])

    async def idle(self, patience=PATIENCE):
        """Wait until the engine says by its port that it is at rest."""
        for _ in range(patience // 8):
            if not int(self.dut.busy.value):
                break
            await ClockCycles(self.dut.aclk, 8)
        assert not int(self.dut.busy.value), f"still busy after {patience} clocks"
        await ClockCycles(self.dut.aclk, 2)

    async def configure(self, images, **settings):
        """Write the program window and the registers."""
        for layer, words in enumerate(PROGRAM["descriptors"]):
            for word, value in enumerate(words):
                await self.bus.write_dword(PROGRAM["window"] + 64 * layer + 4 * word, int(value, 16))
        for name, value in {**PROGRAM["settings"], "IMAGES": images, **settings}.items():
            await self.write(name, value)

    async def load(self, beats=None):
        """The LOAD command, where there is anything to load; `beats` replaces what is sent."""
        sent = PROGRAM["load"] if beats is None else beats
        if not PROGRAM["load"]:
            return
        await self.weight.send(frame(sent))
        await self.write("CONTROL", LOAD)
        await self.idle()

    def pauses(self, source_percent, sink_percent):
        """Sources are silent, and the receiver away, in so many percent of the clocks."""

        def at_random(percent):
            draws = random.Random(self.random.random())
            while True:
                yield draws.random() * 100 < percent

        for part, percent in ((self.data, source_percent), (self.weight, source_percent), (self.sink, sink_percent)):
            if percent:
                part.set_pause_generator(at_random(percent))
            else:
                part.clear_pause_generator()
                part.pause = False

    # Runs.

    async def send(self, images, *, last_image=None):
        """Queue images and, where they are streamed, the weights of every layer of every image."""
        for image in range(images):
            beats = PROGRAM["images"][image % len(PROGRAM["images"])]
            await self.data.send(frame(beats if image < images - 1 or last_image is None else last_image))
            for weights in PROGRAM["weights"]:
                await self.weight.send(frame(weights))

    async def start(self, images=1, **settings):
        """Program, load, and begin a run whose images are there."""
        await self.configure(images, **settings)
        await self.load()
        await self.send(images)
        for one in self.watches:
            one.clear()
        await self.write("CONTROL", START)

    async def check(self, images):
        """After a run: status, answers, counters, and cycles as the law has them for the waiting that was seen."""
        await self.idle()
        assert await self.read("STATUS") == DONE and await self.read("ERROR") == 0
        for image in range(images):
            wanted = PROGRAM["answers"][image % len(PROGRAM["answers"])]
            got = bytes(self.sink.recv_nowait().tdata)
            due = -(-len(wanted) * 4 // OUT_BYTES) * OUT_BYTES
            assert len(got) == due, f"image {image}: tlast after {len(got)} bytes of answers, not {due}"
            for index, value in enumerate(wanted):
                answer = int.from_bytes(got[4 * index : 4 * index + 4], "little", signed=True)
                assert answer == value, f"image {image}, answer {index}: wanted {value}, got {answer}"
        assert self.sink.empty(), "answers came that no image asked for"
        data, weight, out = (one.waits for one in self.watches)
        counted = [await self.read(name) for name in ("STALL_DATA", "STALL_WEIGHT", "STALL_OUT")]
        assert counted == [sum(data), sum(weight), sum(out)], f"stalls {counted}, seen {[data, weight, out]}"
        cycles = await self.read("CYCLES_LOW") | await self.read("CYCLES_HIGH") << 32
        law = expected_cycles(images, data, weight, out)
        assert cycles == law, f"{cycles} cycles counted, {law} by the law"
        for layer, clocks in enumerate(LAW["layers"]):
            await self.write("LAYER_SELECT", layer)
            found = await self.read("LAYER_CYCLES")
            assert found == clocks, f"layer {layer}: {found} cycles counted, {clocks} by the law"
        return cycles

    async def good_run(self, images=1):
        """A whole run without faults."""
        await self.start(images)
        return await self.check(images)

    async def failed(self, name, *, patience=PATIENCE):
        """The engine has stopped with the error of that name, and says so wherever it can."""
        await self.idle(patience)
        error, status = await self.read("ERROR"), await self.read("STATUS")
        assert error & 15 == ERRORS[name], f"error {error & 15}, wanted {ERRORS[name]} ({name})"
        assert status == FAILED and int(self.dut.failed.value) and not int(self.dut.done.value)
        return error >> 8

    async def recover(self, how):
        """CLEAR or a reset, masters start anew; then a program runs as if nothing had been."""
        if how == "reset":
            await self.reset()
        else:
            await self.forget()
            await self.write("CONTROL", CLEAR)
        assert await self.read("STATUS") == 0 and await self.read("ERROR") == 0
        await self.good_run()


async def fresh(dut, name):
    bench = Bench(dut, name)
    await bench.reset()
    return bench


@cocotb.test()
async def registers(dut):
    """Identity and capabilities; registers keep what is written, whole words alone; accesses follow each other."""
    bench = await fresh(dut, "registers")
    assert (await bench.read("ID")).to_bytes(4, "big") == b"CNG1"
    shape, features, streams = [await bench.read(name) for name in ("SHAPE", "FEATURES", "STREAMS")]
    assert (shape & 255, shape >> 8 & 255) == (POINT["pe"], POINT["simd"])
    assert (shape >> 16 & 15, shape >> 20 & 15) == (POINT["weight_bits"], POINT["activation_bits"])
    assert [features & 1, features >> 1 & 1, features >> 2 & 1] == [
        POINT["dataflow"] == "weight_stationary",
        STREAMED,
        AHEAD,
    ]
    assert (streams & 0xFFFF, streams >> 16) == (POINT["stream_in_bits"], POINT["stream_out_bits"])
    for name, bits in PROGRAM["read_write"].items():
        assert await bench.read(name) == 0, f"{name} is not 0 after a reset"
        for value in (bench.random.getrandbits(32), 0xFFFF_FFFF):
            await bench.write(name, value)
            assert await bench.read(name) == value & (1 << bits) - 1
    known = await bench.read("IMAGES")
    for length in (1, 2, 3):
        reply = await bench.bus.write(REGISTERS["IMAGES"], bytes(length))
        assert reply.resp == AxiResp.SLVERR, "a write of part of a word was accepted"
    assert await bench.read("IMAGES") == known
    await bench.bus.write_dword(REGISTERS["ID"], 0)
    assert (await bench.read("ID")).to_bytes(4, "big") == b"CNG1"
    assert await bench.read("STATUS") == 0
    both = [cocotb.start_soon(bench.write("IMAGES", value)) for value in range(16)]
    reads = [cocotb.start_soon(bench.read("VERSION")) for _ in range(16)]
    for task in (*both, *reads):
        await task
    assert await bench.read("IMAGES") == 15


@cocotb.test()
async def control_that_hesitates(dut):
    """A master that is slow on each of the five channels, one after the other, while a run is under way."""
    bench = await fresh(dut, "hesitation")
    channels = [bench.bus.write_if.aw_channel, bench.bus.write_if.w_channel, bench.bus.write_if.b_channel]
    channels += [bench.bus.read_if.ar_channel, bench.bus.read_if.r_channel]
    for channel in channels:
        draws = random.Random(bench.random.random())
        channel.set_pause_generator(iter(lambda draws=draws: draws.random() < 0.6, None))
    await bench.start()
    for _ in range(20):
        assert await bench.read("STATUS") in (BUSY, DONE)
    await bench.check(1)


@cocotb.test()
async def beats_without_a_gap(dut):
    """Sources and receiver always there: the cycles are those of the program's report."""
    bench = await fresh(dut, "full rate")
    images = max(1, min(ALL, CLOCKS // ONE))
    await bench.configure(images)
    await bench.load()
    if PROGRAM["load"]:
        assert await bench.read("CYCLES_LOW") == LAW["load"] + sum(bench.watches[1].waits)
        assert await bench.read("STATUS") == DONE
    await bench.start(images)
    cycles = await bench.check(images)
    assert images < ALL or cycles == LAW["total"]


@cocotb.test()
async def gaps(dut):
    """Sources that are silent now and then, seldom and often."""
    bench = await fresh(dut, "gaps")
    for percent in some((15, 70)):
        bench.pauses(percent, 0)
        await bench.good_run(IMAGES)
        bench.pauses(0, 0)


@cocotb.test()
async def back_pressure(dut):
    """A receiver that is away now and then: answers wait, unchanged."""
    bench = await fresh(dut, "back-pressure")
    for percent in some((30, 85)):
        bench.pauses(0, percent)
        await bench.good_run(IMAGES)


@cocotb.test()
async def gaps_and_back_pressure(dut):
    """Both at once, over several runs without a reset between them."""
    bench = await fresh(dut, "both")
    for percent in some((20, 50)):
        bench.pauses(percent, percent)
        await bench.good_run(IMAGES)


@cocotb.test()
async def reset_in_mid_layer(dut):
    """A reset at any time, in layers, loads and answers, leaves nothing behind."""
    bench = await fresh(dut, "reset")
    for share in some((0.1, 0.35, 0.6, 0.85, 1.0)):
        await bench.start()
        if share == 1.0:
            bench.pauses(0, 100)
            await ClockCycles(dut.aclk, ONE + 10)
            assert int(dut.m_axis_tvalid.value), "no answer is on offer"
        else:
            await ClockCycles(dut.aclk, max(1, int(share * ONE)))
        assert int(dut.busy.value)
        await bench.reset()
        assert not int(dut.busy.value) and not int(dut.m_axis_tvalid.value)
        await bench.good_run()


@cocotb.test()
async def clear_in_mid_layer(dut):
    """CONTROL.CLEAR stops a run at once; a beat on offer stays until it is taken."""
    bench = await fresh(dut, "clear")
    for share in some((0.3, 0.7)):
        await bench.start()
        await ClockCycles(dut.aclk, max(1, int(share * ONE)))
        await bench.write("CONTROL", CLEAR)
        await bench.idle(64)
        await bench.recover("clear")
    await bench.start()
    bench.pauses(0, 100)
    await ClockCycles(dut.aclk, ONE + 10)
    await bench.write("CONTROL", CLEAR)
    assert await bench.read("STATUS") == BUSY and int(dut.m_axis_tvalid.value)
    bench.pauses(0, 0)
    await bench.idle(64)
    await bench.recover("clear")


@cocotb.test()
async def a_program_that_is_too_long(dut):
    """LAYERS beyond the program window, or 0, or no image: PROGRAM_LENGTH, and nothing is taken from the streams."""
    bench = await fresh(dut, "length")
    for settings in some(({"LAYERS": 65}, {"LAYERS": 0xFFFF}, {"LAYERS": 0}, {"IMAGES": 0})):
        await bench.start(1, **settings)
        assert await bench.failed("PROGRAM_LENGTH") == 0
        await bench.write("CONTROL", START)  # ignored until the error is cleared
        await bench.failed("PROGRAM_LENGTH")
        assert not int(dut.s_axis_data_tready.value)
        await bench.recover("reset" if settings == {"LAYERS": 65} else "clear")


@cocotb.test()
async def a_second_start_while_busy(dut):
    """START or LOAD in the middle of a run stops it with BUSY."""
    bench = await fresh(dut, "busy")
    for command, how in some(((START, "clear"), (LOAD, "reset"), (START | LOAD, "clear"))):
        await bench.start()
        await ClockCycles(dut.aclk, bench.random.randrange(1, ONE - 12))
        await bench.write("CONTROL", command)
        await bench.failed("BUSY", patience=64)
        await bench.recover(how)


@cocotb.test()
async def an_image_that_ends_early_or_late(dut):
    """tlast on another beat of the image than the last."""
    bench = await fresh(dut, "image tlast")
    beats = PROGRAM["images"][0]
    lengths = [(len(beats) + 1, "IMAGE_LATE")] + [(n, "IMAGE_EARLY") for n in {1, len(beats) - 1} if n < len(beats)]
    for length, name in lengths:
        for how in some(("clear", "reset")):
            await bench.configure(1)
            await bench.load()
            await bench.send(1, last_image=(beats + beats)[:length])
            await bench.write("CONTROL", START)
            await bench.failed(name)
            await bench.recover(how)


@cocotb.test(skip=not PROGRAM["load"])
async def a_load_that_ends_early_or_late(dut):
    """The same on the weight stream, in the LOAD command."""
    bench = await fresh(dut, "load tlast")
    beats = PROGRAM["load"]
    for length, name in ((len(beats) + 1, "WEIGHT_LATE"), (len(beats) - 1, "WEIGHT_EARLY")):
        if length == 0:
            continue
        for how in some(("clear", "reset")):
            await bench.configure(1)
            await bench.load((beats + beats)[:length])
            await bench.failed(name)
            await bench.recover(how)


@cocotb.test(skip=not STREAMED)
async def streamed_weights_that_end_early_or_late(dut):
    """The same within a run, in the weights of the first layer and of the last."""
    bench = await fresh(dut, "weights tlast")
    for layer in some({0, len(PROGRAM["weights"]) - 1}):
        for more, name in ((1, "WEIGHT_LATE"), (-1, "WEIGHT_EARLY")):
            right = PROGRAM["weights"][layer]
            if len(right) + more == 0:
                continue
            await bench.configure(1)
            await bench.load()
            await bench.data.send(frame(PROGRAM["images"][0]))
            for index, weights in enumerate(PROGRAM["weights"]):
                await bench.weight.send(frame((right + right)[: len(right) + more] if index == layer else weights))
            await bench.write("CONTROL", START)
            await bench.failed(name)
            await bench.recover("reset" if more < 0 else "clear")


@cocotb.test()
async def descriptors_that_are_none(dut):
    """A descriptor without its tag; one that says it is the last where it is not, or is not where it should be."""
    bench = await fresh(dut, "descriptors")
    last = len(PROGRAM["descriptors"]) - 1
    for layer, flip in some(((0, 1 << 28), (last, 1))):
        await bench.configure(1)
        await bench.load()
        word = int(PROGRAM["descriptors"][layer][0], 16)
        await bench.bus.write_dword(PROGRAM["window"] + 64 * layer, word ^ flip)
        await bench.send(1)
        await bench.write("CONTROL", START)
        assert await bench.failed("DESCRIPTOR") == layer
        await bench.recover("clear")


@cocotb.test()
async def images_that_no_one_sends(dut):
    """The engine waits, counts the waiting, and goes on when the image comes."""
    bench = await fresh(dut, "waiting")
    await bench.configure(1)
    await bench.load()
    for one in bench.watches:
        one.clear()
    await bench.write("CONTROL", START)
    await ClockCycles(dut.aclk, 100)
    assert await bench.read("STATUS") == BUSY and await bench.read("STALL_DATA") > 90
    await bench.send(1)
    await First(RisingEdge(dut.done), ClockCycles(dut.aclk, PATIENCE))
    await bench.check(1)

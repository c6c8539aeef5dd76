"""Proves the laws of an engine's streams and of its register bus on the emitted Verilog, for all time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codesign.errors import ToolFailed
from codesign.resources import resource_dir
from codesign.rtl.engine import EngineDesign
from codesign.verify.formal.clocked import prove_claims
from codesign.verify.formal.elaborate import Module, run_script
from codesign.verify.formal.machine import Machine, Observer
from codesign.verify.formal.result import Proof, Tally

__all__ = ["Watch", "engine_watches", "prove_streams", "prove_watched", "read_watched"]

_KEPT = (
    "engine_core",
    "engine_image_loader",
    "engine_weight_loader",
    "engine_unload",
    "engine_axi_lite",
    *("engine_memory", "engine_accumulator"),
)
"""Modules of which the proofs about streams know the contents; what other instances give is free in every clock."""


@dataclass(frozen=True)
class Watch:
    """An observer (flows/formal/<observer>.v) and how it is bound to a design.

    about:      the stream, for reports. settings: its parameters. binds, ties, follows: see `Observer`.
    shown:      ports of the observer that a counter-example lists.
    """

    observer: str
    about: str
    settings: Mapping[str, int]
    binds: Mapping[str, str]
    shown: Sequence[str]
    ties: Mapping[str, str] = field(default_factory=dict[str, str])
    follows: Mapping[str, str] = field(default_factory=dict[str, str])


def read_watched(
    folder: Path,
    sources: Sequence[str],
    top: str,
    watches: Sequence[Watch],
    *,
    kept: Sequence[str] | None,
    work: Path,
    timeout_s: float,
) -> tuple[dict[str, Module], list[Observer]]:
    """Read an emitted design, flattened, and its observers with yosys; return all modules and the observers.

    kept: file names (without suffix) whose modules are read whole; of the others only the ports. None: all.
    """
    work.mkdir(parents=True, exist_ok=True)
    commands: list[str] = []
    for number, source in enumerate(sources):
        (work / f"source_{number}.v").write_bytes((folder / source).read_bytes())
        whole = kept is None or Path(source).stem in (*kept, top)
        commands.append(f"read_verilog {'' if whole else '-lib '}source_{number}.v")
    lines = ["module formal_bench;", f"  (* keep *) {top} design ();"]
    for number, watch in enumerate(watches):
        text = (resource_dir("flows") / "formal" / f"{watch.observer}.v").read_text(encoding="ascii")
        (work / f"{watch.observer}.v").write_text(text, encoding="ascii")
        settings = ", ".join(f".{name}({value})" for name, value in watch.settings.items())
        lines.append(f"  (* keep *) {watch.observer} {f'#({settings}) ' if settings else ''}observer_{number} ();")
    (work / "bench.v").write_text("\n".join([*lines, "endmodule", ""]), encoding="ascii")
    names = sorted({watch.observer for watch in watches})
    commands += [*(f"read_verilog {name}.v" for name in names), "read_verilog bench.v"]
    # Registers that nothing reads stay, since observers may; so there is no opt_clean.
    commands += [
        "hierarchy -check -top formal_bench",
        "proc",
        f"setattr -mod -set keep_hierarchy 1 {top} " + " ".join(f"*{name}*" for name in names),
        "flatten",
        "opt_expr -keepdc",
        "memory_collect",
        "techmap -D NOLUT",
        "dffunmap",
        "simplemap t:$dff",
        "setattr -unset src */c:*",
    ]
    modules = run_script(commands, work=work, timeout_s=timeout_s)
    bench = {instance.name: instance.module for instance in modules["formal_bench"].instances}
    observers = [
        Observer(watch.about, modules[bench[f"observer_{number}"]], watch.binds, watch.ties, watch.follows)
        for number, watch in enumerate(watches)
    ]
    return modules, observers


def engine_watches(design: EngineDesign) -> list[Watch]:
    """What watches an engine: its image stream, weight stream, answer stream and register bus."""
    of = dict(design.parameters)
    halved = of["STREAMED"] and of["DOUBLE_BUFFER"]
    images, weights, answers, bus = (
        f"core.{name}." for name in ("image_loader", "weight_loader", "unload", "axi_lite")
    )
    lanes = r"core\.unload\.lanes\[\d+\]\..*"
    return [
        Watch(
            "observe_images",
            "images (s_axis_data)",
            {
                "STREAM": of["STREAM_IN"],
                "WORD": of["SIMD"] * of["ACTIVATION_BITS"],
                "BEATS": of["IMAGE_BEATS"],
                "LIMIT": of["BANK_DEPTH"],
            },
            {
                **_stream("s_axis_data", "s"),
                **_inside(images, "clk rst request consume words full early late waiting write address word"),
            },
            ("rst", "request", "words", "s_valid", "s_ready", "s_last", "s_data", "write", "address", "word"),
            _inside(images, "recent=held index=taken beat due_address=address"),
        ),
        Watch(
            "observe_weights",
            "weights (s_axis_weight)",
            {
                "STREAM": of["STREAM_IN"],
                "PARAMETER_BEATS": of["PARAM_BEATS"],
                "WEIGHT_BEATS": of["WEIGHT_CHUNKS"],
                "PARAMETER_LIMIT": of["PARAM_DEPTH"],
                "WEIGHT_LIMIT": of["WEIGHT_DEPTH"] // (2 if halved else 1),
            },
            {
                **_stream("s_axis_weight", "s"),
                **_inside(weights, "clk rst request consume parameters weights full early late waiting"),
                **_inside(weights, "parameter_write parameter_word weight_write weight_chunk weight_data address"),
            },
            ("rst", "request", "parameters", "weights", "s_valid", "s_ready", "s_last", "s_data")
            + ("parameter_write", "weight_write", "address"),
            _inside(
                weights,
                "recent=held index=taken beat due_address=address due_beat=weight_chunk second=in_weights "
                "first_size=parameter_count second_size=weight_count",
            ),
        ),
        Watch(
            "observe_answers",
            "answers (m_axis)",
            {
                "STREAM": of["STREAM_OUT"],
                "LANES": of["ANSWER_LANES"],
                "SLICES": of["ANSWER_SLICES"],
                "LANE_BITS": of["ANSWER_LANE_BITS"],
                "DEPTH_BITS": of["ANSWER_ADDRESS"],
                "WORDS": of["ANSWER_WORDS"],
                "LIMIT": of["ANSWER_DEPTH"],
            },
            {
                **_stream("m_axis", "m"),
                **_inside(answers, "clk rst power_reset write write_address write_data request answers done busy"),
                **_inside(answers, "waiting reading ending next word_last word sender_slice=slice"),
            },
            ("rst", "power_reset", "request", "answers", "m_valid", "m_ready", "m_last", "m_data"),
            {"stored": lanes},
            {lanes: "place"},
        ),
        Watch(
            "observe_control",
            "registers (s_axi)",
            {},
            {
                **{name: f"s_axi_{name}" for name in _BUS},
                **_inside(bus, "clk rst write write_address write_data read_address read_data"),
            },
            ("rst", "awvalid", "awready", "wvalid", "wready", "wstrb", "bvalid", "bready")
            + ("arvalid", "arready", "rvalid", "rready"),
            _inside(bus, "partial=refused answer=s_rdata"),
        ),
        _sums(of),
    ]


def _sums(of: Mapping[str, int]) -> Watch:
    """What watches the accumulators."""
    at, memory = "core.accumulator.", r"core\.accumulator\..*memory.*"
    stationary = of["WEIGHT_STATIONARY"]
    names = "clk rst maximum early early_pixel valid first last sums sums_out previous"
    names += " write=weight_stationary.write write_pixel=weight_stationary.write_pixel" if stationary else ""
    unused = {} if stationary else {"write": at + "rst", "write_pixel": at + "early_pixel"}
    return Watch(
        "observe_sums",
        _SUMS,
        {name: of[name] for name in ("PE", "ACCUMULATOR", "WEIGHT_STATIONARY", "PSUM_DEPTH", "PSUM_ADDRESS")},
        {**_inside(at, names), **unused},
        ("rst", "maximum", "valid", "first", "last", "sums", "sums_out"),
        {"stored": memory, "pixel": at + "weight_stationary.pixel"} if stationary else {},
        {memory: "place"} if stationary else {},
    )


_SUMS = "accumulators"
_NAMES = {_SUMS: "no running sum wraps that fits its accumulator"}


_BUS = (
    *("awaddr", "awvalid", "awready", "wdata", "wstrb", "wvalid", "wready", "bresp", "bvalid", "bready"),
    *("araddr", "arvalid", "arready", "rdata", "rresp", "rvalid", "rready"),
)

_ASSUMED = {
    "images (s_axis_data)": "an image is asked for when the one before is in use, of 1 word to a bank's depth, "
    "and IMAGE_WORDS stays meanwhile",
    "weights (s_axis_weight)": "a load is asked for when the one before is in use, and fits the memories",
    "answers (m_axis)": "answers are asked for when the ones before are out, none is written meanwhile, all lie in "
    "their memory, and ANSWERS stays",
    "accumulators": "each running sum fits, which is proven of the program; a partial sum is read for its next tap, "
    "at least three clocks after the one before, as the order of operands is made",
    "registers (s_axi)": "a write on offer stays on offer until it is taken, as AXI demands of masters",
}


def _stream(port: str, prefix: str) -> dict[str, str]:
    return {f"{prefix}_{name}": f"{port}_t{name}" for name in ("valid", "ready", "last", "data")}


def _inside(at: str, names: str) -> dict[str, str]:
    """Bind "a" to the net a of an instance, and "a=b" to its net b."""
    return {name.partition("=")[0]: at + name.rpartition("=")[2] for name in names.split()}


def prove_streams(
    folder: Path,
    design: EngineDesign,
    *,
    work: Path,
    timeout_s: float,
    waves: Path | None = None,
    watches: Sequence[Watch] | None = None,
) -> Iterator[Tally]:
    """Prove, on the Verilog of `folder`, what flows/formal says of each stream; a tally a stream.

    The modules at the streams stand in the emitted design, with its parameters and its wiring to the ports; all other
    modules are left out, what they give is free. waves: where traces of refuted claims are written. watches: some of
    `engine_watches`; all where None.
    """
    started = time.monotonic()
    watches = engine_watches(design) if watches is None else watches
    modules, observers = read_watched(
        folder, design.sources, design.top, watches, kept=_KEPT, work=work / "read", timeout_s=1800.0
    )
    reading = time.monotonic() - started
    for number, (watch, observer) in enumerate(zip(watches, observers, strict=True)):
        started = time.monotonic() - (reading if not number else 0)
        proofs = prove_watched(
            modules,
            design.top,
            watch,
            observer,
            clock="aclk",
            reset=("aresetn", False),
            work=work / f"stream_{number}",
            timeout_s=timeout_s,
            waves=waves,
        )
        note = f"Assumed: {_ASSUMED[watch.about]}."
        name = _NAMES.get(watch.about, f"law of the stream: {watch.about}")
        yield Tally.of(name, proofs, seconds=time.monotonic() - started, note=note)


def prove_watched(
    modules: Mapping[str, Module],
    top: str,
    watch: Watch,
    observer: Observer,
    *,
    clock: str,
    reset: tuple[str, bool],
    work: Path,
    timeout_s: float,
    waves: Path | None = None,
) -> list[Proof]:
    """Prove what one observer claims of a design that `read_watched` read; a design that cannot be read is not proven.

    clock, reset: the top's inputs, and the value of reset while it is active.
    """
    try:
        machine = Machine(modules[top], [observer], modules=modules, clock=clock, reset=reset)
        return prove_claims(
            machine,
            [0],
            assumed=[(0, "assume")],
            subject=watch.about,
            shown={name: watch.binds[name] for name in watch.shown},
            work=work,
            timeout_s=timeout_s,
            waves=waves,
        )
    except ToolFailed as problem:
        return [Proof(watch.about, "not proven", "", 0, str(problem))]

"""Every reader of foreign text in codesign, with real files of its kind: a result or a named error, always."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fuzz_files as real
import numpy as np
from fuzz_guard import CPU_LIMIT_S, defect

from codesign.errors import CodesignError
from codesign.testing.mutation import (
    Mutator,
    mutate_archive,
    mutate_bytes,
    mutate_checkpoint,
    mutate_json,
    mutate_text,
    mutate_yaml,
)

__all__ = ["PARSERS", "Parser"]


@dataclass(frozen=True)
class Parser:
    """One reader. read: is given the path of the file, alone in its folder, named `file`.

    names_file: whether its errors must name the file, by the name before its suffix (not where it is given text).
    """

    name: str
    file: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[Path], object]
    mutate: Mutator
    names_file: bool = True

    def content(self, seed: int, number: int) -> bytes:
        """Input `number` of a seed; the first ones are the real files themselves."""
        seeds = self.seeds()
        if number < len(seeds):
            return seeds[number]
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode()), number])
        return self.mutate(seeds[int(rng.integers(len(seeds)))], rng)

    def check(self, seed: int, number: int, folder: Path) -> tuple[str, int]:
        """Run one input in an empty folder; return what is wrong, or "", and 1."""
        real_one = number < len(self.seeds())  # the first ones import what is read: they have more time
        limit_s = 60.0 if real_one else CPU_LIMIT_S
        return self.read_once(self.content(seed, number), folder, limit_s=limit_s, must_be_read=real_one), 1

    def read_once(
        self, content: bytes, folder: Path, *, limit_s: float = CPU_LIMIT_S, must_be_read: bool = False
    ) -> str:
        """Read a file of this content in an empty folder, which is empty again afterwards; return what is wrong."""
        path = folder / self.file
        path.write_bytes(content)
        named = path.stem if self.names_file else None
        wrong, read = defect(lambda: self.read(path), named=named, limit_s=limit_s)
        if not wrong and must_be_read and not read:
            wrong = "refuses a real file"
        left = sorted(one.name for one in folder.iterdir())
        if not wrong and left != [self.file]:
            wrong = f"leaves files: {left}"
        if not wrong and path.read_bytes() != content:
            wrong = "changes the file that it reads"
        for one in folder.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        return wrong


def _build(path: Path) -> None:
    from codesign.accel.engine.configured import configured_point
    from codesign.config import BuildConfig, EngineBuildConfig, dump_yaml, parse_build

    config = parse_build(path)
    text = dump_yaml(config.model_dump(mode="json"))
    assert type(config).model_validate(config.model_dump(mode="json")) == config and text
    with contextlib.suppress(CodesignError):  # what the file says may not fit these data
        if isinstance(config, BuildConfig):
            answers = config.topology.layers[-1].width if config.topology.layers else 10
            config.topology.topology(config.name, inputs=64, answers=answers, task="classification")
        elif isinstance(config, EngineBuildConfig):
            configured_point(config.engine)
            shape = config.topology.input
            size = 784 if shape is None else shape[0] * shape[1] * shape[2]
            config.topology.topology(config.name, inputs=size, answers=10)


def _search(path: Path) -> None:
    from codesign.config import parse_model
    from codesign.config.search import SearchConfig
    from codesign.search.luts.config import LutSearchOptions

    config = parse_model(SearchConfig, path)
    with contextlib.suppress(CodesignError):  # it is given a part of the file
        if config.family == "pipeline":
            LutSearchOptions.read(config.network.options)


def _sweep(path: Path) -> None:
    from codesign.config import parse_model
    from codesign.sweep import SweepConfig, points

    points(parse_model(SweepConfig, path))


def _space(path: Path) -> None:
    from codesign.accel.space import read_space

    found = read_space(path)
    assert found.point(found.size - 1) == found.check(found.point(found.size - 1))
    assert found.text()


def _energy(path: Path) -> None:
    from codesign.accel.engine.energy import read_energy_table

    read_energy_table(path)


def _calibration(path: Path) -> None:
    from codesign.accel.engine.resources import read_calibration

    read_calibration(path)


def _device(path: Path) -> None:
    from codesign.accel import device

    device(str(path))


def _network_space(path: Path) -> None:
    from codesign.search.networks.find import read_network_space

    read_network_space(path)


def _topology(path: Path) -> None:
    from codesign.accel import topology_cost
    from codesign.cli.tables import read_topology

    topology_cost(read_topology(path, inputs=16, answers=5))


def _rows(**settings: Any) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        from codesign.config import DataConfig
        from codesign.data import load

        return load(DataConfig(source="file", path=Path(path.name), **settings), folder=path.parent)

    return read


def _idx(path: Path) -> None:
    from codesign.data.arrays import read_idx

    read_idx(path)


def _cells(path: Path) -> None:
    from codesign.synth.netlist import count_cells, read_cell_types

    modules = read_cell_types(path, log=path)
    for types in modules.values():
        count_cells({kind: number for kind, number in types.items() if kind not in modules}, log=path)


def _netlist(path: Path) -> None:
    from codesign.synth.netlist import count_cells, read_netlist

    found = read_netlist(path, "tiny", log=path)
    count_cells(found.types(), log=path)
    found.depth()
    found.luts_by_block(["l0", "l1"], last=["out_data"])


def _gates(path: Path) -> None:
    from codesign.verify.formal.aig import Aig
    from codesign.verify.formal.elaborate import read_modules

    for module in read_modules(path, log=path).values():
        aig = Aig()
        outputs = [bit for name, way in module.directions.items() if way == "output" for bit in module.ports[name]]
        known = {bit: aig.input() for register in module.registers for bit in [register.output]}
        known |= {b: aig.input() for n, way in module.directions.items() if way == "input" for b in module.ports[n]}
        module.build(aig, outputs, known)


def _routed(path: Path) -> None:
    from codesign.tools.nextpnr import no_room, parse_routed

    no_room(path.read_text(encoding="utf-8", errors="replace"))
    parse_routed(path, log=path)


def _utilization(path: Path) -> None:
    from codesign.tools.vivado import parse_utilization

    parse_utilization(path, log=path)


def _timing(path: Path) -> None:
    from codesign.tools.vivado import parse_timing

    _ = parse_timing(path, log=path).fmax_mhz


def _blif(path: Path) -> None:
    from codesign.tools.abc import parse_blif

    parse_blif(path.read_text(encoding="utf-8", errors="replace"), source=path)


def _mapped(path: Path) -> None:
    from codesign.rtl.map_cache import load

    kept = path.parent / "ab" / "abc.json"
    kept.parent.mkdir()
    path.rename(kept)
    try:
        load(path.parent, "abc")
    finally:
        kept.rename(path)
        kept.parent.rmdir()


def _network(path: Path) -> None:
    from codesign.ir import load
    from codesign.ir.text import text

    text(load(path))


def _integer(path: Path) -> None:
    from codesign.ir.integer_store import load_integer

    load_integer(path)


def _model(kind: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        from codesign.nn import load_conv_model, load_model

        return load_model(path.parent) if kind == "tables" else load_conv_model(path.parent)

    return read


def _checkpoint(path: Path) -> None:
    from codesign.config import InputsConfig
    from codesign.nn import build_model, train_model

    config, data = real.train_config(), real.table_data()
    model = build_model(real.TOPOLOGY, inputs=InputsConfig(thresholds="uniform"), train=config, data=data, seed=0)
    content = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / path.name).write_bytes(content)
        train_model(model, data, config=config, folder=Path(folder), seed=0)


def _design(path: Path) -> None:
    from codesign.synth.subject import clock_of, latency_of, load_design, port_widths

    found = load_design(path.parent)
    clock_of(found), latency_of(found), port_widths(found)


def _manifest(path: Path) -> None:
    from codesign.rundir import is_search, read_manifest

    if not is_search(path.parent):
        read_manifest(path.parent)


def _stamp(path: Path) -> None:
    from codesign.rundir import RunFolder

    run = RunFolder(path.parent.parent)
    run.done(path.parent.name, "k", [path.parent.name])
    run.content(path.parent.name)
    run.need(path.parent.name)


def _harness(path: Path) -> None:
    from codesign.simulate.harness import read_report

    read_report(path, "", program=Path("harness"), log=Path("harness.log"))


def _replay(path: Path) -> None:
    from codesign.simulate.engine_replay import read_replayed

    read_replayed(path, "", log=Path("replay.log"))


def _results(path: Path) -> None:
    from codesign.simulate.protocol import read_results

    read_results(path)


def _saif(path: Path) -> None:
    from codesign.simulate.engine_toggles import read_saif

    read_saif(path)


def _engine_table(path: Path) -> None:
    from codesign.synth.engine_sample import read_table

    read_table(path)


def _fmax_table(path: Path) -> None:
    from codesign.synth.engine_place import read_fmax_table

    read_fmax_table(path)


def _lut_table(path: Path) -> None:
    from codesign.search.luts.lut_model import read_rows

    read_rows(path)


def _lines(content: bytes, count: int) -> bytes:
    return b"".join(content.splitlines(keepends=True)[:count])


def _tables(name: str) -> Callable[[], Sequence[bytes]]:
    return lambda: [_lines(text, 12) for text in real.resource("accel_space", f"calibration/{name}")]


_HARNESS = {
    "status": "mismatch",
    "message": "",
    "vectors_checked": 10,
    "vectors_mismatched": 1,
    "first_mismatch": {"vector": 3, "wanted": "a", "got": "b", "fields": [{"name": "y", "wanted": 1, "got": 0}]},
    "protocol_errors": 0,
    "latency_cycles": 3,
    "initiation_interval": 1,
    "cycles": 20,
    "seconds": 0.5,
}
_STAMP = {"stage": "s", "key": "k", "made_from": {}, "seconds": 1.0, "files": {"a": "00", "b/c": "11"}}
_MANIFEST = {"name": "n", "folder": "/", "keys": {}, "config_digest": "0", "family": "pipeline", "versions": {}}
_REPLAY = {"images": 2, "counts": 3, "answers": ["image 0: wanted 1, got 2"], "cycles": []}
_MAPPED = {"input_bits": 3, "outputs": [4, -1], "nodes": [[0, 1, "8"], [2, 3, "6"]]}


def _mock(*names: str) -> Callable[[], Sequence[bytes]]:
    return lambda: [(real.REFERENCE / name).read_bytes() for name in names]


PARSERS: dict[str, Parser] = {
    one.name: one
    for one in (
        Parser("build", "build.yaml", lambda: real.of_family("pipeline"), _build, mutate_yaml),
        Parser("engine-build", "build.yaml", lambda: real.of_family("engine"), _build, mutate_yaml),
        Parser("search", "search.yaml", lambda: real.files("examples", "search_*.yaml"), _search, mutate_yaml),
        Parser("sweep", "sweep.yaml", lambda: [real.SWEEP.encode()], _sweep, mutate_yaml, False),
        Parser("topology", "topology.yaml", lambda: [real.TOPOLOGY_FILE.encode()], _topology, mutate_yaml, False),
        Parser("space", "space.yaml", lambda: real.resource("accel_space", "spaces/*.yaml"), _space, mutate_yaml),
        Parser("device", "device.yaml", lambda: real.resource("accel_space", "devices/*.yaml"), _device, mutate_yaml),
        Parser("energy", "energy.yaml", lambda: real.resource("accel_space", "energy/*.yaml"), _energy, mutate_yaml),
        Parser("calibration", "c.yaml", lambda: real.resource("accel_space", "calibration/engine_xc7.yaml"),
               _calibration, mutate_yaml),
        Parser("networks", "networks.yaml", lambda: real.resource("accel_space", "networks/*.yaml"),
               _network_space, mutate_yaml),
        Parser("csv", "rows.csv", lambda: [real.CELLS.encode(), *real.files("examples", "own_data.csv")],
               _rows(), mutate_text),
        Parser("csv-regression", "rows.txt", lambda: [real.CELLS.replace(",x\n", ",1\n").replace(',"x"', ",3")
               .replace(",y\n", ",2\n").encode()], _rows(task="regression", target=["a", "label"]), mutate_text),
        Parser("csv-no-header", "rows.csv", lambda: ["\n".join(real.CELLS.splitlines()[1:]).encode()],
               _rows(options={"header": False, "group_duplicates": True}), mutate_text),
        Parser("tsv", "rows.tsv", lambda: [real.CELLS.replace(",", "\t").encode()], _rows(target="label"), mutate_text),
        Parser("arff", "rows.arff", lambda: [real.ARFF.encode()], _rows(), mutate_text),
        Parser("npz", "rows.npz", real.npz_files, _rows(), mutate_archive),
        Parser("npy", "rows.npy", real.npy_files, _rows(), mutate_bytes),
        Parser("parquet", "rows.parquet", real.parquet_files, _rows(), mutate_bytes),
        Parser("idx", "rows.idx", real.idx_files, _idx, mutate_bytes),
        Parser("yosys-stat", "parts.json", _mock("ecp5_parts.json", "xilinx_parts.json"), _cells, mutate_json),
        Parser("yosys-netlist", "netlist.json", _mock("ecp5_netlist.json", "xilinx_netlist.json"), _netlist,
               mutate_json),
        Parser("yosys-gates", "modules.json", lambda: real.json_files(real.GATES), _gates, mutate_json),
        Parser("nextpnr", "routed.json", _mock("routed_seed1.json", "routed_seed2.json"), _routed, mutate_json),
        Parser("vivado-utilization", "u.rpt", _mock("vivado_utilization.rpt", "vivado_utilization_2019.rpt"),
               _utilization, mutate_text),
        Parser("vivado-timing", "t.rpt", _mock("vivado_timing.rpt"), _timing, mutate_text),
        Parser("blif", "t.blif", lambda: [real.BLIF.encode()], _blif, mutate_text),
        Parser("mapped-table", "m.json", lambda: real.json_files(_MAPPED), _mapped, mutate_json, False),
        Parser("network", "network.npz", real.network_files, _network, mutate_archive),
        Parser("integer-network", "network.npz", real.integer_files, _integer, mutate_archive),
        Parser("model", "model.safetensors", lambda: [real.trained_files()["tables"]], _model("tables"),
               mutate_checkpoint),
        Parser("conv-model", "model.safetensors", lambda: [real.trained_files()["maps"]], _model("maps"),
               mutate_checkpoint),
        Parser("checkpoint", "checkpoint.safetensors", lambda: [real.trained_files()["checkpoint"]], _checkpoint,
               mutate_checkpoint),
        Parser("design", "design.json", lambda: [real.design_files()["p"]], _design, mutate_json),
        Parser("engine-design", "design.json", lambda: [real.design_files()["e"]], _design, mutate_json),
        Parser("manifest", "manifest.json", lambda: real.json_files(_MANIFEST), _manifest, mutate_json),
        Parser("stage", "stage.json", lambda: real.json_files(_STAMP), _stamp, mutate_json),
        Parser("harness", "run.json", lambda: real.json_files(_HARNESS, {**_HARNESS, "first_mismatch": None}),
               _harness, mutate_json),
        Parser("replay", "replay.json", lambda: real.json_files(_REPLAY),
               _replay, mutate_json),
        Parser("cocotb", "results.xml", lambda: [real.RESULTS.encode()], _results, mutate_text),
        Parser("saif", "a.saif", lambda: [real.SAIF.encode()], _saif, mutate_text),
        Parser("engine-table", "e.csv", _tables("engine_ecp5.csv"), _engine_table, mutate_text),
        Parser("fmax-table", "f.csv", _tables("engine_ecp5_fmax.csv"), _fmax_table, mutate_text),
        Parser("lut-table", "l.csv", _tables("pipeline_xcup.csv"), _lut_table, mutate_text),
    )
}  # fmt: skip
"""Every reader, by name."""

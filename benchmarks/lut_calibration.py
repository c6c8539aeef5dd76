"""Trains and synthesises small LUT networks of many shapes; the laws of codesign.search.luts are fitted to them.

python -m benchmarks.lut_calibration            # held-out errors of the committed table
python -m benchmarks.lut_calibration --networks 48 --write
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np

from codesign.accel import device
from codesign.config import (
    DataConfig,
    InputsConfig,
    LayerConfig,
    RtlConfig,
    SparsityConfig,
    SynthConfig,
    TopologyConfig,
    TrainConfig,
)
from codesign.data import DataSet, load
from codesign.extract import extract
from codesign.nn import build_model, train_model
from codesign.passes import run_passes
from codesign.resources import resource_dir
from codesign.rtl import emit
from codesign.search.luts.content import encoder_luts, network_layers, read_content
from codesign.search.luts.lut_model import COLUMNS, held_out, read_rows, row_of
from codesign.synth import synthesize, write_scripts

DEVICES = {"xcup": "xcvu9p", "ecp5": "ecp5-85f"}


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--family", default="xcup", choices=sorted(DEVICES))
    given.add_argument("--networks", type=int, default=48)
    given.add_argument("--seed", type=int, default=0)
    given.add_argument("--write", action="store_true")
    args = given.parse_args()
    path = resource_dir("accel_space") / "calibration" / f"pipeline_{args.family}.csv"
    if args.write:
        rows = []
        sets = [_digits(), _nid()]
        for number in range(args.networks):
            data, inputs, epochs = sets[number % len(sets)]
            rows += _one(
                f"{data.name}_{number:02d}",
                data,
                inputs,
                epochs,
                args.family,
                np.random.default_rng([args.seed, number]),
            )
            print(f"{number + 1}/{args.networks}: {rows[-1]['network']}, {rows[-1]['luts']} LUTs", flush=True)
        with path.open("w", newline="", encoding="utf-8") as out:
            out.write(
                f"# LUT networks synthesised by yosys for {DEVICES[args.family]}, a row a layer of tables; "
                f"python -m benchmarks.lut_calibration --family {args.family} --networks {args.networks} "
                f"--seed {args.seed} --write\n"
            )
            writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    table(path)


def table(path: Path) -> None:
    found = held_out(read_rows(path))
    luts = np.array([float(one["luts"]) for one in found])
    print(
        f"{len(found)} networks of {luts.min():.0f} to {luts.max():.0f} LUTs, each predicted by laws fitted to others"
    )
    print("| figure | median error | 90 % | worst |\n|---|---|---|---|")
    for name, wanted, guess in (
        ("LUTs, worst case of the shape", "luts", "shape"),
        ("LUTs, calibrated", "luts", "predicted"),
        ("flip-flops, calibrated", "ffs", "ffs_predicted"),
    ):
        error = np.array([abs(float(one[guess]) / float(one[wanted]) - 1) for one in found])
        print(f"| {name} | {np.median(error):.1%} | {np.quantile(error, 0.9):.1%} | {error.max():.1%} |")


def _digits() -> tuple[DataSet, InputsConfig, int]:
    return load(DataConfig(source="digits")), InputsConfig(thresholds="quantile"), 12


def _nid() -> tuple[DataSet, InputsConfig, int]:
    return load(DataConfig(source="unsw_nb15", limit=12000, options={"variant": "columns"})), InputsConfig(), 5


def _one(name: str, data: DataSet, inputs: InputsConfig, epochs: int, family: str, rng: np.random.Generator) -> list:
    answers = 1 if data.answers == 2 else data.answers
    bits = int(rng.choice([1, 2])) if data.name.startswith("digits") else 1
    layers, before = [], bits
    for index in range(int(rng.integers(0, 4)) % 3):
        fan = int(rng.integers(3, 9 if before == 1 else 5))
        own = int(rng.choice([1, 1, 2]))
        layers.append(
            LayerConfig(name=f"l{index}", width=int(rng.choice([24, 48, 96, 160])), fan_in=fan, bits=own, neuron="lut")
        )
        before = own
    fan = int(rng.integers(3, 9 if before == 1 else 5))
    terms = int(rng.integers(6, 41 if answers == 1 else 16))
    layers.append(
        LayerConfig(name="last", width=answers, fan_in=fan, bits=int(rng.choice([1, 1, 2])), neuron="lut", terms=terms)
    )
    topology = TopologyConfig(input_bits=bits, layers=layers).topology(
        name, inputs=data.inputs, answers=data.answers, task=data.task
    )
    if data.word is not None and bits == 1 and data.name.startswith("digits"):
        inputs = InputsConfig(thresholds="uniform")
    config = TrainConfig(
        epochs=epochs,
        batch_size=128,
        learning_rate=0.03,
        threads=1,
        tensorboard=False,
        sparsity=SparsityConfig(method="learned", options={"map_every": 1}),
    )
    seed = int(rng.integers(1 << 30))
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        model = build_model(topology, inputs=inputs, train=config, data=data, seed=seed)
        train_model(model, data, config=config, folder=folder / "train", seed=seed)
        network = extract(model, name="net")
        raw, codes, outs = network_layers(network, data.x_train[:1024])
        raw = [
            type(one)(one.name.removesuffix("_terms"), *(one.sources, one.tables, one.source_bits, one.bits))
            for one in raw
        ]
        content = read_content(raw, codes, answers=outs, encoder=encoder_luts(network.encode))
        small, _ = run_passes(network)
        emit(small, RtlConfig(lut_inputs=device(DEVICES[family]).lut_inputs), folder / "rtl", features=data.x_test[:8])
        write_scripts(folder / "rtl", [device(DEVICES[family])])
        report = synthesize(
            folder / "rtl",
            device(DEVICES[family]),
            work=folder / "synth",
            config=SynthConfig(place_and_route=False, vivado="never"),
        )
    stages = {key.removesuffix("_terms"): value for key, value in report.luts_by_stage.items() if key != "last"}
    parts = report.luts_by_part
    measured = {
        "luts": report.luts,
        "luts_encoder": parts.get("encoder", 0),
        "luts_sums": parts.get("sums", 0),
        "luts_decide": parts.get("decide", 0),
        "ffs": report.ffs,
    }
    return row_of(name, data.name, content, measured, stages)


if __name__ == "__main__":
    main()

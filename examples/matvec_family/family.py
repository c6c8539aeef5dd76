"""An accelerator family of one's own, without editing the library: a serial matrix-vector unit for one dense layer.

`cods space evaluate examples/matvec_family/space.yaml examples/matvec_family/layer.yaml --device ecp5-25f` uses it;
space.yaml names this class. matvec.v is its hardware, bench.v its simulation.
"""

import shutil
from pathlib import Path

import numpy as np

from codesign.accel import AcceleratorFamily, Figure, Simulated, Violation
from codesign.config import Section, Whole, parse_model
from codesign.errors import MismatchError, UnsupportedModel
from codesign.ir.integer import Conv, IntegerNetwork, Levels, MapShape, dense, trace_integer
from codesign.tools import run
from codesign.tools.verilator import find_verilator

HERE = Path(__file__).parent
VECTORS = 8
"""Golden input vectors that a generated folder holds."""
SHARE = 0.9
"""Of a device's DSP blocks and LUTs that a design may use."""


class LayerFile(Section):
    """A dense layer with random weights: what `read_network` reads."""

    inputs: Whole
    outputs: Whole
    weight_bits: Whole
    input_bits: Whole
    seed: Whole = 0


class MatVec(AcceleratorFamily):
    """One dense layer, unsigned inputs, sums as the answer: `rows` outputs at once, an input a clock."""

    def read_network(self, path):
        """Read a LayerFile."""
        layer = parse_model(LayerFile, path)
        top = 1 << (layer.weight_bits - 1)
        weights = np.random.default_rng(layer.seed).integers(-top, top, (layer.outputs, layer.inputs))
        shape = MapShape(layer.inputs, 1, 1)
        only = dense("only", "input", weights, weight_levels=Levels(layer.weight_bits, signed=True), shape=shape)
        return IntegerNetwork("layer", shape, Levels(layer.input_bits), (only,))

    def validate(self, point, network, device=None):
        """Rules: divisibility, weight_bits, input_bits, sum_bits (the exact bound), luts and dsps on a device."""
        outputs, inputs, weights = _layer(network)
        found = []
        if outputs % point["rows"]:
            found.append(
                Violation("divisibility", "only", f"{outputs} outputs, not a multiple of rows {point['rows']}")
            )
        low, high = int(weights.min()), int(weights.max())
        top = 1 << (point["weight_bits"] - 1)
        if low < -top or high >= top:
            text = f"weights are {low} to {high}; weight_bits {point['weight_bits']} hold {-top} to {top - 1}"
            found.append(Violation("weight_bits", "only", text))
        if network.input_levels.bits > point["input_bits"] or network.input_levels.low < 0:
            text = f"inputs are {network.input_levels}; input_bits {point['input_bits']}, unsigned"
            found.append(Violation("input_bits", "only", text))
        most = network.input_levels.high
        least_sum = int(np.minimum(weights, 0).sum(axis=1).min()) * most
        most_sum = int(np.maximum(weights, 0).sum(axis=1).max()) * most
        top = 1 << (point["sum_bits"] - 1)
        if least_sum < -top or most_sum >= top:
            text = f"sums reach {least_sum} to {most_sum}; sum_bits {point['sum_bits']} hold {-top} to {top - 1}"
            found.append(Violation("sum_bits", "only", text))
        if device is not None:
            needed = {"luts": _luts(point, inputs, outputs), "dsps": 0}
            for name, count in needed.items():
                if count > SHARE * getattr(device, name):
                    text = f"{count} needed, {SHARE:.0%} of {getattr(device, name)} on {device.name} allowed"
                    found.append(Violation(name, "", text))
        return tuple(found)

    def cost(self, point, network, device):
        """Cycles by the law, LUTs by a rule of thumb: a multiplier of n x m bits takes n * m, an adder its bits."""
        self.check(point, network, device)
        outputs, inputs, _ = _layer(network)
        return {
            "cycles": Figure(_cycles(point, inputs, outputs), "cycles", "exact"),
            "luts": Figure(_luts(point, inputs, outputs), "LUTs", "estimated"),
        }

    def generate(self, point, network, folder):
        """Write a folder that stands alone: matvec.v and its weights, a bench with golden vectors, Makefile, README."""
        self.check(point, network)
        outputs, inputs, weights = _layer(network)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("matvec.v", "bench.v", "Makefile"):
            shutil.copy(HERE / name, folder / name)
        rows, bits = point["rows"], point["weight_bits"]
        words = weights.reshape(-1, rows, inputs).transpose(0, 2, 1).reshape(-1, rows)  # pass, input, row
        codes = [sum((int(w) % (1 << bits)) << (bits * i) for i, w in enumerate(word)) for word in words]
        (folder / "weights.hex").write_text("".join(f"{code:x}\n" for code in codes))
        settings = {
            "INPUTS": inputs,
            "OUTPUTS": outputs,
            "ROWS": rows,
            "WEIGHT_BITS": bits,
            "INPUT_BITS": point["input_bits"],
            "SUM_BITS": point["sum_bits"],
            "REGISTER_PRODUCT": int(point["register_product"]),
            "INDEX_BITS": max(1, (inputs - 1).bit_length()),
            "WORD_BITS": max(1, (len(codes) - 1).bit_length()),
        }
        text = "".join(f"localparam {name} = {value};\n" for name, value in settings.items())
        (folder / "settings.vh").write_text(text)
        golden = folder / "vectors"
        golden.mkdir(exist_ok=True)
        vectors = np.random.default_rng(0).integers(0, network.input_levels.high + 1, (VECTORS, inputs))
        _write_inputs(golden / "inputs.hex", vectors)
        cycles = _cycles(point, inputs, outputs)
        lines = [" ".join(map(str, (*sums, cycles))) + "\n" for sums in _answers(network, vectors)]
        (golden / "answers.txt").write_text("".join(lines))
        (folder / "README.md").write_text(_readme(settings, self.cost(point, network, None)))

    def simulate(self, folder, network, inputs, *, work):
        """Play (vectors, inputs) through the unit in Verilator."""
        tool = find_verilator()
        vectors = np.asarray(inputs).reshape(len(inputs), -1)
        build = work / "build"
        command = [tool.path, "--binary", "--Wno-fatal", "--Mdir", build, "--top-module", "bench", "-o", "bench"]
        command += ["-CFLAGS", "-std=gnu++20 -fcoroutines"]  # the bench waits for clock edges
        command += ["-MAKEFLAGS", " ".join(tool.make_arguments), f"-GVECTORS={len(vectors)}"]
        command += [f"-I{folder.resolve()}", (folder / "bench.v").resolve(), (folder / "matvec.v").resolve()]
        run(command, work, log="build.log", timeout_s=600, environment=tool.environment)
        shutil.copy(folder / "weights.hex", work / "weights.hex")
        _write_inputs(work / "inputs.hex", vectors)
        run([build / "bench"], work, log="run.log", timeout_s=600)
        told = [line.split() for line in (work / "answers.txt").read_text().splitlines()]
        answers = np.array([[int(word) for word in line[:-1]] for line in told])
        wanted = _answers(network, vectors)
        if answers.shape != wanted.shape:
            raise MismatchError(f"the unit gave {answers.shape} answers, wanted {wanted.shape}")
        cycles = {int(line[-1]) for line in told}
        if len(cycles) != 1:
            raise MismatchError(f"input vectors took different times: {sorted(cycles)} cycles")
        return Simulated(len(vectors), int((answers != wanted).any(axis=1).sum()), cycles.pop())


def _layer(network):
    """Return outputs, inputs and weights (outputs, inputs) of the one layer that this family runs."""
    if len(network.layers) != 1 or not isinstance(network.layers[0], Conv) or network.layers[0].requantize is not None:
        raise UnsupportedModel("a matvec unit runs one dense layer whose sums are the answer")
    weights = network.layers[0].weights.reshape(len(network.layers[0].weights), -1)
    return len(weights), weights.shape[1], weights


def _cycles(point, inputs, outputs):
    """Inputs are loaded, then read once a pass; the last sum stands one clock after its last operand."""
    return inputs + inputs * (outputs // point["rows"]) + 1 + point["register_product"]


def _luts(point, inputs, outputs):
    product = point["weight_bits"] * point["input_bits"]
    memory = -(-outputs * inputs * point["weight_bits"] // 64) + -(-inputs * point["input_bits"] // 64)
    return point["rows"] * (product + point["sum_bits"]) + memory + 40


def _answers(network, vectors):
    """Return the sums (vectors, outputs) of inputs (vectors, inputs) by the network's own arithmetic."""
    return trace_integer(network, vectors.reshape(len(vectors), -1, 1, 1))["only"].reshape(len(vectors), -1)


def _write_inputs(path, vectors):
    path.write_text("".join(f"{int(value):x}\n" for value in vectors.ravel()))


def _readme(settings, cost):
    """Say what the generated folder is: ports, timing, and how it is simulated without anything of ours."""
    text = (HERE / "README.in.md").read_text()
    cycles, luts = (f"{cost[name].value:,} {cost[name].unit} ({cost[name].origin})" for name in ("cycles", "luts"))
    words = settings | {
        "VECTORS": VECTORS,
        "OUT_BITS": settings["ROWS"] * settings["SUM_BITS"],
        "CYCLES": cycles,
        "LUTS": luts,
    }
    words["PASSES"] = settings["OUTPUTS"] // settings["ROWS"]
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text

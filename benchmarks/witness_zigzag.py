"""Asks ZigZag for the cycles of layers on an array. Runs in an environment of its own: JSON in, JSON out.

In:  {"rows": 8, "lanes": 8, "weight_bits", "activation_bits", "layers": [{"name", "out_height", "out_width",
     "channels", "outputs", "kernel", "stride"}]}
Out: {"version", "results": [{"name", "cycles", "seconds"}]}

The array: `rows` rows (unrolled over output channels) of `lanes` multipliers (over input channels) with an adder tree
and a register of sums a row; one memory, wide enough to feed all of them in each clock. ZigZag looks for the best loop
order.
"""

import contextlib
import io
import json
import logging
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import yaml

SUM_BITS = 32


def port(name: str, kind: str, bits: int, *allocation: str) -> dict:
    """One port of a memory."""
    return {
        "name": name,
        "type": kind,
        "bandwidth_min": bits,
        "bandwidth_max": bits,
        "allocation": list(allocation),
    }


def accelerator(request: dict) -> dict:
    """The array and its memories."""
    rows, lanes = request["rows"], request["lanes"]
    weights, activations = rows * lanes * request["weight_bits"], lanes * request["activation_bits"]
    sums = {
        "size": SUM_BITS,
        "r_cost": 0.0,
        "w_cost": 0.0,
        "area": 0.0,
        "latency": 1,
        "operands": ["O"],
        "ports": [
            port("w_port_1", "write", SUM_BITS, "O, fh"),
            port("r_port_1", "read", SUM_BITS, "O, tl"),
            port("w_port_2", "write", SUM_BITS, "O, fl"),
            port("r_port_2", "read", SUM_BITS, "O, th"),
        ],
        "served_dimensions": ["D2"],
    }
    memory = {
        "size": 1 << 27,
        "r_cost": 1.0,
        "w_cost": 1.0,
        "area": 0.0,
        "latency": 1,
        "operands": ["I1", "I2", "O"],
        "ports": [
            port("r_port_1", "read", activations, "I1, tl"),
            port("r_port_2", "read", weights, "I2, tl"),
            port("r_port_3", "read", rows * SUM_BITS, "O, tl"),
            port("w_port_1", "write", activations, "I1, fh"),
            port("w_port_2", "write", weights, "I2, fh"),
            port("w_port_3", "write", rows * SUM_BITS, "O, fl"),
        ],
        "served_dimensions": ["D1", "D2"],
    }
    return {
        "name": "array",
        "memories": {"sums": sums, "memory": memory},
        "operational_array": {
            "input_precision": [request["activation_bits"], request["weight_bits"]],
            "unit_energy": 1.0,
            "unit_area": 1.0,
            "dimensions": ["D1", "D2"],
            "sizes": [rows, lanes],
        },
    }


def workload(layer: dict, request: dict) -> list[dict]:
    """One convolution."""
    stride = layer["stride"]
    dims = ["B", "K", "C", "OY", "OX", "FY", "FX"]
    sizes = [1, layer["outputs"], layer["channels"], layer["out_height"], layer["out_width"], *layer["kernel"]]
    return [
        {
            "id": 0,
            "name": layer["name"],
            "operator_type": "Conv",
            "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
            "dimension_relations": [f"ix={stride}*ox+1*fx", f"iy={stride}*oy+1*fy"],
            "loop_dims": dims,
            "loop_sizes": sizes,
            "operand_precision": {
                "W": request["weight_bits"],
                "I": request["activation_bits"],
                "O": SUM_BITS,
                "O_final": SUM_BITS,
            },
            "operand_source": {"I": 0, "W": 0},
        }
    ]


def mapping(request: dict) -> list[dict]:
    """Rows take output channels, lanes input channels; the loop order is ZigZag's to find."""
    return [
        {
            "name": "default",
            "spatial_mapping": {"D1": [f"K, {request['rows']}"], "D2": [f"C, {request['lanes']}"]},
            "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
        }
    ]


def main() -> None:
    """Answer one request."""
    from zigzag.api import get_hardware_performance_zigzag

    logging.disable(logging.CRITICAL)
    request = json.load(sys.stdin)
    results = []
    for layer in request["layers"]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, value in {
                "array": accelerator(request),
                "layer": workload(layer, request),
                "mapping": mapping(request),
            }.items():
                (folder / f"{file}.yaml").write_text(yaml.safe_dump(value, sort_keys=False))
            begin = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                _, latency, _ = get_hardware_performance_zigzag(
                    workload=str(folder / "layer.yaml"),
                    accelerator=str(folder / "array.yaml"),
                    mapping=str(folder / "mapping.yaml"),
                    opt="latency",
                    dump_folder=str(folder / "out"),
                    pickle_filename=str(folder / "out" / "all.pickle"),
                )
            seconds = time.perf_counter() - begin
        results.append({"name": layer["name"], "cycles": int(latency), "seconds": seconds})
    json.dump({"version": version("zigzag-dse"), "results": results}, sys.stdout)


if __name__ == "__main__":
    main()

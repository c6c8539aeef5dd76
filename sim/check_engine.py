"""Plays vectors/script.txt on a compiled engine and compares answers and counters with vectors/program.json.

Usage: python check_engine.py PROGRAM FOLDER [SEED [REPORT]]. Prints cycles by the law and as counted, layer by layer;
exits with 0 only where all answers are bit-exact and all counts are equal. SEED is of what registers hold before reset,
REPORT a JSON file that gets the counts and the differences.
"""

import json
import subprocess
import sys
from pathlib import Path


def read_replies(text):
    """Return (register reads, answer beats as (last, value)); complaints end the program."""
    reads, beats = [], []
    for line in text.splitlines():
        kind, *rest = line.split()
        if kind == "A":
            beats.append((int(rest[0]), int(rest[1], 16)))
        elif kind == "R":
            reads.append(int(rest[1], 16))
        elif kind in "EL":
            sys.exit(f"the engine broke a rule: {line[2:] or 'it is still busy'}")
    return reads, beats


def answers_of(beats, width, count):
    """Return the first `count` numbers of 32 bits that the beats of one image hold."""
    whole = sum(value << (width * i) for i, (_, value) in enumerate(beats))
    words = [whole >> (32 * i) & 0xFFFF_FFFF for i in range(count)]
    return [word - (1 << 32) if word >> 31 else word for word in words]


def main():
    program, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    golden = json.loads((folder / "vectors" / "program.json").read_text(encoding="utf-8"))
    script = folder / "vectors" / "script.txt"
    seed = sys.argv[3] if len(sys.argv) > 3 else "1"
    report = sys.argv[4] if len(sys.argv) > 4 else ""
    done = subprocess.run([program, script, seed], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{program} ended with {done.returncode}: {done.stderr}")
    reads, beats = read_replies(done.stdout)
    load, low, high, *waits, error = reads[: -len(golden["law"]["layers"])]
    layers = reads[-len(golden["law"]["layers"]) :]
    wrong, uneven = [], []
    width, images = golden["streams"]["out_bits"], golden["answers"]
    each = golden["law"]["unload"] - 1
    if len(beats) != each * len(images):
        sys.exit(f"{len(beats)} beats of answers came, {each * len(images)} were due")
    for index, wanted in enumerate(images):
        part = beats[index * each : (index + 1) * each]
        if [last for last, _ in part] != [0] * (each - 1) + [1]:
            wrong.append(f"image {index}: tlast is not on the last of its {each} beats alone")
        got = answers_of(part, width, len(wanted))
        pairs = enumerate(zip(wanted, got, strict=True))
        wrong += [f"image {index}, answer {n}: wanted {a}, got {b}" for n, (a, b) in pairs if a != b]
    law = golden["law"]
    rows = [("load", law["load"], load if golden["load"] else 0)]
    rows += [(f"layer {n}", a, b) for n, (a, b) in enumerate(zip(law["layers"], layers, strict=True))]
    rows += [(f"{len(images)} images", law["total"], low | high << 32)]
    for name, wanted, counted in rows:
        sys.stdout.write(f"{name:>12}: {wanted:>12} cycles by the law, {counted:>12} counted\n")
        if wanted != counted:
            uneven.append(f"{name}: {wanted} cycles by the law, {counted} counted")
    if error or any(waits):
        uneven.append(f"error {error}, clocks of waiting {waits}, all must be 0")
    if report:
        found = {"images": len(images), "counts": len(rows), "answers": wrong, "cycles": uneven}
        Path(report).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    wrong += uneven
    sys.stdout.write("\n".join(wrong or [f"{len(images)} images: all answers bit-exact, all cycles equal"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

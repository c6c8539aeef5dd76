"""Plays vectors/script.txt on a compiled engine and compares answers and counters with vectors/program.json.

Usage: python check_engine.py PROGRAM FOLDER [SEED [REPORT [+NAME=VALUE ...]]]. Prints cycles by the law and as counted,
layer by layer; exits with 0 only where all answers are bit-exact and all counts are equal. SEED is of what registers
hold before reset, REPORT a JSON file that gets the counts and the differences; what begins with + goes to the
simulation (engine_watch.sv).
"""

import json
import subprocess
import sys
from pathlib import Path


def read_replies(text):
    """Return (register reads, answer beats as (last, value), complaints)."""
    reads, beats, complaints = [], [], []
    for line in text.splitlines():
        kind, *rest = line.split()
        if kind == "A":
            beats.append((int(rest[0]), int(rest[1], 16)))
        elif kind == "R":
            reads.append(int(rest[1], 16))
        elif kind in "EL":
            complaints.append(line[2:] or "it is still busy, long after the law says that it is done")
    return reads, beats, complaints


def answers_of(beats, width, count):
    """Return the first `count` numbers of 32 bits that the beats of one image hold."""
    whole = sum(value << (width * i) for i, (_, value) in enumerate(beats))
    words = [whole >> (32 * i) & 0xFFFF_FFFF for i in range(count)]
    return [word - (1 << 32) if word >> 31 else word for word in words]


def compare(golden, beats):
    """Return what is wrong with the answers, and the first image that has something wrong (None where none has)."""
    wrong, first = [], None
    width, images = golden["streams"]["out_bits"], golden["answers"]
    each = golden["law"]["unload"] - 1
    for index, wanted in enumerate(images):
        before = len(wrong)
        part = beats[index * each : (index + 1) * each]
        if len(part) < each:
            wrong.append(f"image {index}: {len(part)} of its {each} beats of answers came")
        else:
            if [last for last, _ in part] != [0] * (each - 1) + [1]:
                wrong.append(f"image {index}: tlast is not on the last of its {each} beats alone")
            pairs = enumerate(zip(wanted, answers_of(part, width, len(wanted)), strict=True))
            wrong += [f"image {index}, answer {n}: wanted {a}, got {b}" for n, (a, b) in pairs if a != b]
        if first is None and len(wrong) > before:
            first = index
        if len(part) < each:
            break
    if len(beats) > each * len(images):
        wrong.append(f"{len(beats)} beats of answers came, {each * len(images)} were due")
    return wrong, first


def main():
    program, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    golden = json.loads((folder / "vectors" / "program.json").read_text(encoding="utf-8"))
    script = folder / "vectors" / "script.txt"
    seed = sys.argv[3] if len(sys.argv) > 3 else "1"
    report = sys.argv[4] if len(sys.argv) > 4 else ""
    done = subprocess.run([program, script, seed, *sys.argv[5:]], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{program} ended with {done.returncode}: {done.stderr}")
    reads, beats, complaints = read_replies(done.stdout)
    count = len(golden["law"]["layers"])
    if len(reads) != 7 + count:
        sys.exit(f"{len(reads)} registers were read, {7 + count} should have been")
    load, low, high, *waits, error = reads[:7]
    layers = reads[7:]
    wrong, first = compare(golden, beats)
    wrong = [f"the engine broke a rule: {complaint}" for complaint in dict.fromkeys(complaints)] + wrong
    if error:
        names = {code: name for name, code in golden["errors"].items()}
        wrong.append(f"the engine stopped with {names.get(error & 15, error & 15)} in layer {error >> 8}")
    law, images = golden["law"], len(golden["answers"])
    rows = [("load", law["load"], load if golden["load"] else 0)]
    rows += [(f"layer {n}", a, b) for n, (a, b) in enumerate(zip(law["layers"], layers, strict=True))]
    rows += [(f"{images} images", law["total"], low | high << 32)]
    uneven = []
    for name, wanted, counted in rows:
        sys.stdout.write(f"{name:>12}: {wanted:>12} cycles by the law, {counted:>12} counted\n")
        if wanted != counted:
            uneven.append(f"{name}: {wanted} cycles by the law, {counted} counted")
    if any(waits):
        uneven.append(f"clocks of waiting {waits}, all must be 0")
    if report:
        late = next((n for n, (a, b) in enumerate(zip(law["layers"], layers, strict=True)) if a != b), None)
        found = {"images": images, "counts": len(rows), "answers": wrong, "cycles": uneven}
        found |= {"image": first, "layer": late}  # the first with a wrong answer, and the first with a wrong count
        Path(report).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    wrong += uneven
    sys.stdout.write("\n".join(wrong or [f"{images} images: all answers bit-exact, all cycles equal"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

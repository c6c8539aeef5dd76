"""The job of a network on any family, a user's own too: generated, simulated, and (an engine) synthesised.

It stands apart from the loop, whose libraries a worker need not load for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from codesign.accel import AcceleratorFamily, Device, Figure
from codesign.accel.engine import EnginePoint
from codesign.accel.family import Refusal
from codesign.config import Flag, Section, Whole
from codesign.errors import MismatchError, UnsupportedModel
from codesign.families import find_family
from codesign.families.engine import EngineFamily
from codesign.ir.integer import IntegerNetwork
from codesign.search.job_kinds import synthesised
from codesign.search.jobs import JobKind

__all__ = ["FamilyJob", "draw_inputs"]


def draw_inputs(family: AcceleratorFamily, network: Any, count: int, *, rng: np.random.Generator) -> NDArray[Any]:
    """Inputs to simulate with: of the family's own `draw_inputs(network, count, rng=...)`, or of an integer network."""
    own: Any = getattr(family, "draw_inputs", None)
    if own is not None:
        return np.asarray(own(network, count, rng=rng))
    if not isinstance(network, IntegerNetwork):
        raise UnsupportedModel(
            f"family {family.space.family!r}: to be simulated in a search it needs a method "
            "`draw_inputs(network, count, *, rng)`, since its network is none of ours"
        )
    levels, shape = network.input_levels, network.input_shape
    size = (count, shape.channels, shape.height, shape.width)
    return 2 * rng.integers(0, 2, size) - 1 if levels.bipolar else rng.integers(levels.low, levels.high + 1, size)


class FamilySpec(Section):
    """What a job of this kind says."""

    space: str
    network: str
    point: dict[str, int | bool | str]
    device: str
    images: Annotated[Whole, Field(gt=0)] = 4
    seed: Annotated[Whole, Field(ge=0)] = 0
    synth: Flag = False
    route: Flag = False


class FamilyJob(JobKind):
    """A network on any family: generated, simulated, and (an engine) synthesised."""

    def perform(self, spec: Mapping[str, Any], folder: Path) -> dict[str, Figure]:
        """Generate in `folder`/design and simulate; any wrong answer is an error."""
        from codesign.accel import device

        given = FamilySpec.model_validate(spec)
        family = find_family(given.space)
        network, target = family.read_network(Path(given.network)), device(given.device)
        design, work = folder / "design", folder / "simulate"
        work.mkdir(parents=True, exist_ok=True)
        if isinstance(family, EngineFamily):
            _generate_engine(EnginePoint.from_dict(given.point), network, target, design, work)
        else:
            family.generate(family.check(given.point, network, target), network, design)
        inputs = draw_inputs(family, network, given.images, rng=np.random.default_rng([given.seed, 1]))
        ran = family.simulate(design, network, inputs, work=work)
        if ran.mismatched:
            raise MismatchError(f"{ran.mismatched} of {ran.inputs} inputs have a wrong answer")
        found = {
            "cycles": Figure(ran.cycles, "cycles", "simulated"),
            "vectors_checked": Figure(ran.inputs, "samples", "simulated"),
            "vectors_mismatched": Figure(ran.mismatched, "samples", "simulated"),
        }
        if not isinstance(family, EngineFamily):
            _describe(design, given, found, inputs)
        if given.synth:
            found |= synthesised(design, given.device, work=folder / "synth", route=given.route)
        return found


def _generate_engine(point: EnginePoint, network: Any, target: Device, design: Path, work: Path) -> None:
    """Generate and lint an engine; its settings need not be values of any space."""
    from codesign.accel.engine.validate import validate
    from codesign.rtl.engine import generate
    from codesign.simulate.engine_stage import lint_engine

    if broken := validate(point, network, target):
        raise Refusal(*broken)
    generate(point, design)
    lint_engine(design, work=work / "lint")


def _describe(folder: Path, given: FamilySpec, figures: Mapping[str, Figure], inputs: NDArray[Any]) -> None:
    """Write what we know of a design whose family wrote no README.md: settings, figures, inputs that were played."""
    readme = folder / "README.md"
    if readme.exists():
        return
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    np.savetxt(folder / "inputs.txt", inputs.reshape(len(inputs), -1), fmt="%.17g")
    settings = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.point.items()}
    lines = [
        f"# A design of the space {Path(given.space).name}",
        "",
        f"Generated for the network {Path(given.network).name} on {given.device}, and simulated: {len(inputs)} inputs, "
        f"{figures['cycles'].value:,g} cycles an input, every answer as the network's own arithmetic has it. The",
        f"inputs are in `inputs.txt`, one a line. The family's files: {', '.join(f'`{name}`' for name in files)}. It "
        "wrote no README of its own, so ports and timing are described there alone.",
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in settings.items()),
        "",
    ]
    readme.write_text("\n".join(lines), encoding="utf-8")

"""Decides where pipeline registers stand: after every k-th stage, or by logic depth with the fewest flip-flops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codesign.config import RegistersConfig
from codesign.rtl.logic import StageLogic

__all__ = ["Block", "plan_registers", "stretches"]


@dataclass(frozen=True)
class Block:
    """Levels `start` to `stop` of one stage as one combinational module; `register` says whether one follows it.

    stage: index into the stages that hold logic.
    """

    stage: int
    start: int
    stop: int
    register: bool


def plan_registers(stages: Sequence[StageLogic], config: RegistersConfig) -> tuple[Block, ...]:
    """Return the blocks of the pipeline in order.

    every k: one register after each k-th stage that holds logic, and one after the last.
    depth d: no stretch between registers is deeper than d LUT levels, but for a level that alone is deeper; among the
    plans with the fewest registers in a row, the one with the fewest flip-flops. The answer is registered.
    Neither: no register; the pipeline is combinational.
    """
    if config.depth is None:
        k = config.every
        return tuple(
            Block(i, 0, len(s.depths), k is not None and ((i + 1) % k == 0 or i == len(stages) - 1))
            for i, s in enumerate(stages)
        )
    levels = [(i, k) for i, s in enumerate(stages) for k in range(len(s.depths))]
    cuts = _cuts([stages[i].depths[k] for i, k in levels], [stages[i].widths[k + 1] for i, k in levels], config.depth)
    blocks: list[Block] = []
    start = 0
    for at, (i, k) in enumerate(levels):
        last = k == len(stages[i].depths) - 1
        if at in cuts or last:
            blocks.append(Block(i, start, k + 1, at in cuts))
            start = 0 if last else k + 1
    return tuple(blocks)


def _cuts(depths: Sequence[int], widths: Sequence[int], limit: int) -> set[int]:
    """Return the levels that a register follows: fewest registers first, then fewest bits in them."""
    best: list[tuple[int, int, int]] = [(0, 0, -1)]  # after n levels: registers, bits, where the last stretch began
    for end in range(1, len(depths) + 1):
        choices: list[tuple[int, int, int]] = []
        total = 0
        for begin in range(end - 1, -1, -1):
            total += depths[begin]
            if total > limit and begin < end - 1:
                break
            choices.append((best[begin][0] + 1, best[begin][1] + widths[end - 1], begin))
        best.append(min(choices))
    cuts: set[int] = set()
    end = len(depths)
    while end > 0:
        cuts.add(end - 1)
        end = best[end][2]
    return cuts


def stretches(stages: Sequence[StageLogic], blocks: Sequence[Block]) -> tuple[int, ...]:
    """Return the LUT levels of each combinational stretch, from port or register to the next register or port."""
    out = [0]
    for block in blocks:
        out[-1] += sum(stages[block.stage].depths[block.start : block.stop])
        if block.register:
            out.append(0)
    return tuple(out[:-1]) if len(out) > 1 and blocks[-1].register else tuple(out)

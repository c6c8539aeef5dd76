"""Finds a bank and an address for every feature map: no map that is still needed is overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codesign.accel.engine.point import Refusal, refuse
from codesign.ir.integer import INPUT, IntegerNetwork

__all__ = ["Place", "place_maps"]

Place = tuple[int, int, int]
"""Bank, first word, number of words."""

_EFFORT = 200_000


@dataclass
class _Search:
    """Depth-first over the layers; remembers what stood in the way where it came furthest."""

    network: IntegerNetwork
    sizes: Mapping[str, int]
    banks: int
    depth: int
    steps: int = 0
    furthest: int = -1
    problem: Refusal | None = None

    def run(self) -> dict[str, Place]:
        words = self.sizes[INPUT]
        if words > self.depth:
            raise refuse("bank_depth", INPUT, f"the image needs {words} words, a bank holds {self.depth}")
        found = self._place(0, {INPUT: (0, 0, words)})
        if found is None:
            assert self.problem is not None
            raise self.problem
        return found

    def _place(self, index: int, places: dict[str, Place]) -> dict[str, Place] | None:
        layer = self.network.layers[index]
        if index == len(self.network.layers) - 1:
            return places
        self.steps += 1
        live = self._live(index)
        read = {places[source][0] for source in layer.sources}
        words, full = self.sizes[layer.name], True
        for bank in range(self.banks):
            if bank in read or self.steps > _EFFORT:
                continue
            full = False
            base = _gap([places[name][1:] for name in live if places[name][0] == bank], words, self.depth)
            if base is None:
                continue
            found = self._place(index + 1, {**places, layer.name: (bank, base, words)})
            if found is not None:
                return found
        if index > self.furthest:
            self.furthest = index
            self.problem = self._complaint(index, places, live, full)
        return None

    def _live(self, index: int) -> list[str]:
        """Maps that layer `index` or a later one reads."""
        read = {source for layer in self.network.layers[index:] for source in layer.sources}
        made = [INPUT, *(layer.name for layer in self.network.layers[:index])]
        return [name for name in made if name in read]

    def _complaint(self, index: int, places: dict[str, Place], live: list[str], full: bool) -> Refusal:
        layer = self.network.layers[index]
        where = ", ".join(f"{name!r} in bank {places[name][0]} ({places[name][2]} words)" for name in live)
        if full:
            text = f"all {self.banks} banks are read ({where}), so none can be written; use more banks"
            return refuse("bank_conflict", layer.name, text)
        text = (
            f"its result needs {self.sizes[layer.name]} words in a bank that it does not read, of {self.depth} words "
            f"each; still needed are {where}. Use deeper or more banks"
        )
        rule = "bank_depth" if self.sizes[layer.name] > self.depth else "bank_conflict"
        return refuse(rule, layer.name, text)


def place_maps(network: IntegerNetwork, sizes: Mapping[str, int], *, banks: int, depth: int) -> dict[str, Place]:
    """Return the place of the input (bank 0, word 0) and of every layer's result but the last one's.

    sizes: words of each map by name. Raises SpaceError "bank_depth" or "bank_conflict", with the names and sizes.
    """
    return _Search(network, sizes, banks, depth).run()


def _gap(taken: list[tuple[int, int]], words: int, depth: int) -> int | None:
    """Return the lowest address at which `words` fit between what is taken, or None."""
    base = 0
    for start, size in sorted(taken):
        if base + words <= start:
            break
        base = max(base, start + size)
    return base if base + words <= depth else None

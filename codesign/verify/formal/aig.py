"""And-inverter graphs: what proofs are about, built of tables and gates, evaluated, and written as AIGER for ABC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FALSE", "TRUE", "Aig"]

FALSE, TRUE = 0, 1
"""The constant literals. A literal is twice a node's number, plus one where it is inverted."""


class Aig:
    """A graph of two-input ANDs with inverters on its edges; equal nodes are one (structural hashing).

    Words are lists of literals, lowest bit first. Node 0 is the constant false.
    """

    def __init__(self) -> None:
        self._left: list[int] = [-1]
        self._right: list[int] = [-1]
        self._known: dict[tuple[int, int], int] = {}

    # Building.

    def input(self) -> int:
        """Return the literal of a new free input."""
        self._left.append(-1)
        self._right.append(-1)
        return 2 * (len(self._left) - 1)

    def word(self, bits: int) -> list[int]:
        """Return a word of new free inputs."""
        return [self.input() for _ in range(bits)]

    def is_input(self, literal: int) -> bool:
        """Whether the literal is a free input, inverted or not."""
        return literal > TRUE and self._left[literal >> 1] < 0

    def and_(self, a: int, b: int) -> int:
        """Return a AND b."""
        if a > b:
            a, b = b, a
        if a == FALSE or a ^ b == 1:
            return FALSE
        if a in (TRUE, b):
            return b
        key = (a, b)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = 2 * len(self._left)
            self._left.append(a)
            self._right.append(b)
        return found

    def or_(self, a: int, b: int) -> int:
        """Return a OR b."""
        return self.and_(a ^ 1, b ^ 1) ^ 1

    def xor_(self, a: int, b: int) -> int:
        """Return a XOR b."""
        if a <= TRUE or b <= TRUE:
            return b ^ a if a <= TRUE else a ^ b
        if a >> 1 == b >> 1:
            return (a ^ b) & 1
        flip = (a ^ b) & 1
        a, b = a & ~1, b & ~1
        return self.or_(self.and_(a, b ^ 1), self.and_(a ^ 1, b)) ^ flip

    def mux(self, choose: int, one: int, zero: int) -> int:
        """Return `one` where `choose` holds, else `zero`."""
        if one == zero:
            return one
        if choose <= TRUE:
            return one if choose else zero
        if one == zero ^ 1:
            return self.xor_(choose, zero)
        return self.or_(self.and_(choose, one), self.and_(choose ^ 1, zero))

    def all_(self, literals: Iterable[int]) -> int:
        """Return the AND of all literals; true where there are none."""
        layer = sorted(set(literals))
        while len(layer) > 1:
            pairs = [self.and_(a, b) for a, b in zip(layer[::2], layer[1::2], strict=False)]
            layer = pairs + ([layer[-1]] if len(layer) % 2 else [])
        return layer[0] if layer else TRUE

    def any_(self, literals: Iterable[int]) -> int:
        """Return the OR of all literals; false where there are none."""
        return self.all_(a ^ 1 for a in literals) ^ 1

    def differ(self, a: Sequence[int], b: Sequence[int]) -> int:
        """Return whether two words of equal width differ."""
        return self.any_(self.xor_(x, y) for x, y in zip(a, b, strict=True))

    def table(self, column: ArrayLike, address: Sequence[int]) -> int:
        """Return the bit of `column` (2**n rows of 0 and 1) at `address` (n literals, lowest bit first).

        A tree of multiplexers in which equal sub-tables are one, as in an ordered binary decision diagram.
        """
        rows: NDArray[np.int64] = np.asarray(column).astype(np.int64)
        for choose in address:
            pairs = rows.reshape(-1, 2)
            keys, place = np.unique(pairs[:, 0] << 32 | pairs[:, 1], return_inverse=True)
            made = [self.mux(choose, key & 0xFFFFFFFF, key >> 32) for key in keys.tolist()]
            rows = np.asarray(made, dtype=np.int64)[place.reshape(-1)]
        return int(rows[0])

    def at_least(self, word: Sequence[int], value: int, *, signed: bool) -> int:
        """Return whether a word, read as unsigned or two's complement, is at least the constant `value`."""
        if signed:
            value += 1 << (len(word) - 1)
            word = [*word[:-1], word[-1] ^ 1]
        if value <= 0:
            return TRUE
        if value >= 1 << len(word):
            return FALSE
        result = TRUE
        for k, bit in enumerate(word):
            result = self.and_(bit, result) if value >> k & 1 else self.or_(bit, result)
        return result

    def add(self, a: Sequence[int], b: Sequence[int]) -> list[int]:
        """Return a + b modulo two to their common width."""
        carry = FALSE
        out: list[int] = []
        for x, y in zip(a, b, strict=True):
            half = self.xor_(x, y)
            out.append(self.xor_(half, carry))
            carry = self.or_(self.and_(x, y), self.and_(half, carry))
        return out

    # Reading.

    def cone(self, literals: Iterable[int]) -> list[int]:
        """Return the nodes that the literals depend on, inputs included, each after those it reads."""
        left, right = self._left, self._right
        seen: set[int] = set()
        stack = [literal >> 1 for literal in literals]
        while stack:
            node = stack.pop()
            if node in seen or not node:
                continue
            seen.add(node)
            if left[node] >= 0:
                stack += (left[node] >> 1, right[node] >> 1)
        return sorted(seen)  # a node is made after those that it reads

    def support(self, literals: Iterable[int]) -> list[int]:
        """Return the inputs (as literals) that the literals depend on, in the order in which they were made."""
        return [2 * node for node in self.cone(literals) if self._left[node] < 0]

    def evaluate(self, literals: Sequence[int], inputs: Mapping[int, int], *, samples: int = 1) -> list[int]:
        """Return each literal's value on many samples at once, as an integer that holds sample k in bit k.

        inputs: the value of each input literal, likewise; an input that is not named is 0.
        """
        ones = (1 << samples) - 1
        values: dict[int, int] = {0: 0}
        for node in self.cone(literals):
            a, b = self._left[node], self._right[node]
            if a < 0:
                values[node] = inputs.get(2 * node, 0)
                continue
            x = values[a >> 1] ^ ones if a & 1 else values[a >> 1]
            values[node] = x & (values[b >> 1] ^ ones if b & 1 else values[b >> 1])
        return [values[literal >> 1] ^ (ones if literal & 1 else 0) for literal in literals]

    def exhaust(self, literal: int, inputs: Sequence[int]) -> int | None:
        """Return the least assignment of `inputs` (bit k: input k) that makes the literal true, or None.

        All 2**len(inputs) assignments are evaluated; the literal may depend on no other input.
        """
        samples = 1 << len(inputs)
        patterns = {x: _pattern(k, samples) for k, x in enumerate(inputs)}
        found = self.evaluate([literal], patterns, samples=samples)[0]
        return (found & -found).bit_length() - 1 if found else None

    def copy_into(self, other: Aig, literals: Sequence[int], inputs: Mapping[int, int]) -> list[int]:
        """Return the literals as built anew in another graph, with `inputs` (input literal to literal there)."""
        made: dict[int, int] = {0: FALSE}
        for node in self.cone(literals):
            a, b = self._left[node], self._right[node]
            made[node] = inputs[2 * node] if a < 0 else other.and_(made[a >> 1] ^ (a & 1), made[b >> 1] ^ (b & 1))
        return [made[literal >> 1] ^ (literal & 1) for literal in literals]

    def write(self, literal: int, path: Path) -> list[int]:
        """Write the circuit of one literal as binary AIGER; return its inputs, as literals, in the file's order."""
        nodes = self.cone([literal])
        inputs = [node for node in nodes if self._left[node] < 0]
        self.write_file(path, inputs, [], [], [node for node in nodes if self._left[node] >= 0], literal)
        return [2 * node for node in inputs]

    def write_file(
        self,
        path: Path,
        inputs: Sequence[int],
        latches: Sequence[int],
        following: Sequence[int],
        gates: Sequence[int],
        literal: int,
    ) -> None:
        """Write a circuit of these nodes as binary AIGER; `gates` must be in the order in which they were made.

        following: the literal of each latch's next value; all latches begin with 0. literal: the one output.
        """
        number = {0: 0, **{node: i for i, node in enumerate([*inputs, *latches, *gates], 1)}}

        def code(one: int) -> int:
            return 2 * number[one >> 1] + (one & 1)

        sizes = f"{len(number) - 1} {len(inputs)} {len(latches)} 1 {len(gates)}"
        lines = [f"aig {sizes}", *(str(code(one)) for one in following), str(code(literal)), ""]
        body = bytearray("\n".join(lines).encode())
        for node in gates:
            x, y = code(self._left[node]), code(self._right[node])
            high, low = max(x, y), min(x, y)
            for delta in (2 * number[node] - high, high - low):
                while delta >= 128:
                    body.append(delta & 127 | 128)
                    delta >>= 7
                body.append(delta)
        path.write_bytes(bytes(body))


def _pattern(index: int, samples: int) -> int:
    """Return, for every sample number below `samples`, its bit `index`, as an integer that holds sample k in bit k."""
    half = 1 << index
    block = ((1 << half) - 1) << half
    width = 2 * half
    while width < samples:
        block |= block << width
        width *= 2
    return block

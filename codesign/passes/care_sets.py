"""Finds which addresses each table can meet; all the others become don't-cares."""

from __future__ import annotations

from codesign.ir import LutNetwork, Neuron, Stage, Sums, Tables
from codesign.passes.base import Details, lossless
from codesign.passes.codes import product_rows
from codesign.passes.cones import Cones

__all__ = ["care_sets"]


@lossless("finds the addresses that each table can meet; the others become don't-cares")
def care_sets(network: LutNetwork) -> tuple[LutNetwork, Details]:
    """Narrow every neuron's care set to the addresses that some input leads to, as far as that can be computed.

    Stage by stage, the joint codes of a neuron's sources are found by joining the relations of the network before
    it (see cones): equal origins, thermometer codes, encoders with fewer thresholds than codes and the values that
    sums can take all rule addresses out. What cannot be joined within limits counts as independent, so a care set
    may hold more than can occur, never less. A care set that a neuron brings is kept: the result is within it.

    Details: neurons_exact, neurons_joint, neurons_bounded, neurons_product (how each set was found, see
    cones.Method), rows, rows_reached.
    """
    cones = Cones(network)
    details: Details = dict.fromkeys(
        ("neurons_exact", "neurons_joint", "neurons_bounded", "neurons_product", "rows", "rows_reached"), 0
    )
    stages: list[Stage] = [network.encode] if network.encode else []
    for stage in network.core:
        if isinstance(stage, Tables):
            stage = Tables(stage.name, tuple(_narrowed(n, cones, details) for n in stage.neurons))
        stages.append(stage)
        if isinstance(stage, Tables | Sums):
            cones.append(stage)
    return LutNetwork(network.name, tuple(stages), network.inputs), details


def _narrowed(neuron: Neuron, cones: Cones, details: Details) -> Neuron:
    rows, method = cones.rows(neuron.sources)
    if method != "exact":
        rows = rows & product_rows(neuron.sources, cones.formats[-1], cones.reached[-1])
    if neuron.care is not None:
        rows = rows & neuron.care
    details[f"neurons_{method}"] += 1
    details["rows"] += rows.size
    details["rows_reached"] += int(rows.sum())
    return Neuron(neuron.sources, neuron.table, neuron.format, None if rows.all() else rows)

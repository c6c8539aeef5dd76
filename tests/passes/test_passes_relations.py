"""Projection of relations: exact against a full join, a bound when joins are split, and its cost foretold."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.passes.relations import Relation, Variable, cost, join, project


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[Relation], frozenset[Variable], dict[Variable, int]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    variables = [(0, i) for i in range(draw(st.integers(1, 7)))]
    sizes = {v: draw(st.integers(1, 3)) for v in variables}
    relations: list[Relation] = []
    for _ in range(draw(st.integers(0, 6))):
        scope = tuple(sorted(draw(st.sets(st.sampled_from(variables), max_size=4))))
        shape = tuple(sizes[v] for v in scope)
        relations.append(Relation(scope, rng.random(shape) < draw(st.sampled_from((0.3, 0.6, 0.9)))))
    targets = frozenset(draw(st.sets(st.sampled_from(variables), max_size=4)))
    return relations, targets, sizes


def whole(relations: list[Relation], targets: frozenset[Variable], sizes: dict[Variable, int]) -> np.ndarray:
    """The projection by its definition: join everything, then leave all but the targets out."""
    scope = tuple(sorted(sizes))
    axes = tuple(i for i, v in enumerate(scope) if v not in targets)
    return np.any(join(relations, scope, sizes), axis=axes)


def joined(relations: list[Relation], targets: frozenset[Variable], sizes: dict[Variable, int]) -> np.ndarray:
    return join(relations, tuple(sorted(targets)), sizes)


def contradiction(relations: list[Relation], sizes: dict[Variable, int]) -> bool:
    return not whole(relations, frozenset(), sizes).any()


@settings(max_examples=150, deadline=None)
@given(problems())
def test_without_a_limit_the_projection_is_exact(problem):
    relations, targets, sizes = problem
    if contradiction(relations, sizes):
        # A network always has an input, so that its relations can be met together; nothing is promised otherwise.
        return
    found, exact = project(relations, targets, sizes, 1 << 20)
    assert exact and all(set(r.scope) <= targets for r in found)
    assert joined(found, targets, sizes).tolist() == whole(relations, targets, sizes).tolist()


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from((1, 4, 12)))
def test_within_a_limit_the_projection_is_a_bound(problem, limit):
    relations, targets, sizes = problem
    found, exact = project(relations, targets, sizes, limit)
    got, wanted = joined(found, targets, sizes), whole(relations, targets, sizes)
    assert not (wanted & ~got).any()
    if exact and not contradiction(relations, sizes):
        assert got.tolist() == wanted.tolist()


@settings(max_examples=100, deadline=None)
@given(problems())
def test_a_cost_within_the_limit_needs_no_split(problem):
    relations, targets, sizes = problem
    price = cost([frozenset(r.scope) for r in relations], targets, sizes)
    assert 1 <= price <= math.prod(sizes.values())
    # Relations that allow everything are dropped, so that the true join may be smaller, never larger.
    assert project(relations, targets, sizes, price)[1]


def test_join_by_hand():
    a, b, c = (0, 0), (0, 1), (0, 2)
    sizes = {a: 2, b: 2, c: 2}
    equal, unequal = np.eye(2, dtype=bool), ~np.eye(2, dtype=bool)
    relations = [Relation((a, b), equal), Relation((c, b), unequal)]
    found = join(relations, (c, b, a), sizes)
    assert np.argwhere(found).tolist() == [[0, 1, 1], [1, 0, 0]]
    projected, exact = project(relations, frozenset((a, c)), sizes, 8)
    assert exact and join(projected, (a, c), sizes).tolist() == unequal.tolist()


def test_a_chain_of_many_variables_stays_cheap():
    variables = [(0, i) for i in range(200)]
    sizes = dict.fromkeys(variables, 4)
    step = np.triu(np.ones((4, 4), dtype=bool))
    relations = [Relation((a, b), step) for a, b in zip(variables, variables[1:], strict=False)]
    ends = frozenset((variables[0], variables[-1]))
    assert cost([frozenset(r.scope) for r in relations], ends, sizes) == 64
    found, exact = project(relations, ends, sizes, 64)
    assert exact and join(found, (variables[0], variables[-1]), sizes).tolist() == step.tolist()

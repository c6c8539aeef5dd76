"""Relations between signals as boolean tensors, and their projection by (mini-)bucket elimination.

A relation says which combinations of codes can occur together. To find what a few signals can take jointly, all
relations that bind them are joined and every other variable is projected out, one at a time, the cheapest first
(bucket elimination; Dechter, "Bucket elimination", 1999). Where a join would be too large, its relations are split
into groups that are projected apart (mini-buckets; Dechter and Rish, 2003): the result then allows more, never less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Relation", "Variable", "cost", "join", "project"]

Variable: TypeAlias = tuple[int, int]
"""(stage, signal): see cones."""


@dataclass(frozen=True, eq=False)
class Relation:
    """Which combinations of the variables' values can occur; axis i of `allowed` runs over the values of scope[i]."""

    scope: tuple[Variable, ...]
    allowed: NDArray[np.bool_]


def join(relations: Sequence[Relation], scope: tuple[Variable, ...], sizes: dict[Variable, int]) -> NDArray[np.bool_]:
    """Return the conjunction of relations as one tensor over `scope`, which must hold all their variables."""
    place = {v: i for i, v in enumerate(scope)}
    out = np.ones(tuple(sizes[v] for v in scope), dtype=np.bool_)
    for relation in relations:
        order = sorted(range(len(relation.scope)), key=lambda i: place[relation.scope[i]])
        shape = [1] * len(scope)
        for i in order:
            shape[place[relation.scope[i]]] = sizes[relation.scope[i]]
        out &= relation.allowed.transpose(order).reshape(shape)
    return out


def project(
    relations: Iterable[Relation], targets: frozenset[Variable], sizes: dict[Variable, int], limit: int
) -> tuple[list[Relation], bool]:
    """Project relations onto the target variables.

    Returns relations over targets whose conjunction is the projection, and whether it is exact: with joins of more
    than `limit` entries split, it may allow combinations that cannot occur.
    """
    live: dict[int, Relation] = {}
    users: dict[Variable, set[int]] = {}
    exact = True
    counter = 0

    def add(relation: Relation) -> None:
        nonlocal counter
        if relation.scope and not relation.allowed.all():
            live[counter] = relation
            for v in relation.scope:
                users.setdefault(v, set()).add(counter)
            counter += 1

    for relation in relations:
        add(relation)
    while candidates := [v for v, keys in users.items() if keys and v not in targets]:
        scopes = {key: frozenset(relation.scope) for key, relation in live.items()}
        chosen = min(candidates, key=lambda v: (_scope_size(users[v], scopes, sizes), v))
        bucket = sorted(users[chosen], key=lambda k: (-live[k].allowed.size, k))
        taken = [live.pop(key) for key in bucket]
        for relation, key in zip(taken, bucket, strict=True):
            for v in relation.scope:
                users[v].discard(key)
        groups = _groups(taken, sizes, limit)
        exact = exact and len(groups) == 1
        for group in groups:
            scope = tuple(sorted({v for relation in group for v in relation.scope}))
            axis = scope.index(chosen)
            joined = group[0].allowed if group[0].scope == scope and len(group) == 1 else join(group, scope, sizes)
            left: NDArray[np.bool_] = np.any(joined, axis=axis, keepdims=False)
            add(Relation(scope[:axis] + scope[axis + 1 :], left))
    return list(live.values()), exact


def _groups(bucket: list[Relation], sizes: dict[Variable, int], limit: int) -> list[list[Relation]]:
    """Split a bucket, largest relation first, into groups whose joins stay within the limit."""
    groups: list[tuple[set[Variable], list[Relation]]] = []
    for relation in bucket:
        for scope, members in groups:
            union = scope | set(relation.scope)
            if math.prod(sizes[v] for v in union) <= limit:
                scope.update(relation.scope)
                members.append(relation)
                break
        else:
            groups.append((set(relation.scope), [relation]))
    return [members for _, members in groups]


def cost(scopes: Iterable[frozenset[Variable]], targets: frozenset[Variable], sizes: dict[Variable, int]) -> int:
    """Return the largest join that `project` would make of relations with these scopes, without making any."""
    live = dict(enumerate(scopes))
    users: dict[Variable, set[int]] = {}
    for key, scope in live.items():
        for v in scope:
            users.setdefault(v, set()).add(key)
    size = {v: _scope_size(users[v], live, sizes) for v in users if v not in targets}
    counter = len(live)
    worst = 1
    while size:
        chosen = min(size, key=lambda v: (size[v], v))
        worst = max(worst, size.pop(chosen))
        bucket = users.pop(chosen)
        union = frozenset(v for key in bucket for v in live.pop(key)) - {chosen}
        for v in union:
            users[v] -= bucket
            users[v].add(counter)
        live[counter] = union
        counter += 1
        for v in union:
            if v in size:
                size[v] = _scope_size(users[v], live, sizes)
    return worst


def _scope_size(keys: set[int], scopes: dict[int, frozenset[Variable]], sizes: dict[Variable, int]) -> int:
    return math.prod(sizes[v] for v in frozenset[Variable]().union(*(scopes[k] for k in keys)))

"""The environment: gymnasium's and stable-baselines3's checks, and masks that are exact."""

from __future__ import annotations

from itertools import product

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_toys import SPACE, toy_problem

from codesign.accel import Knob, Space
from codesign.errors import ConfigError
from codesign.search import Completions
from codesign.search.environment import ENVIRONMENT, PENALTY, AcceleratorEnv

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:stable_baselines3", "ignore::DeprecationWarning")


@pytest.mark.parametrize("raw", [False, True])
def test_passes_the_checks_of_stable_baselines3(raw):
    from stable_baselines3.common.env_checker import check_env

    check_env(AcceleratorEnv([toy_problem(1000), toy_problem(50)], raw=raw))


def test_gymnasium_knows_it():
    env = gymnasium.make(f"codesign.search.environment:{ENVIRONMENT}", problems=toy_problem())
    seen, _ = env.reset(seed=1)
    assert env.observation_space.contains(seen)
    by_name = gymnasium.make(
        ENVIRONMENT, space="engine-agent", network="mnist-dense", device="ecp5-85f", objective="cycles"
    )
    assert by_name.unwrapped.encoding.steps == 15 and by_name.action_space.n == 6  # type: ignore[attr-defined]


def brute_force(valid: np.ndarray, space: Space, settings_so_far: list[int]) -> list[bool]:
    """Which values of the next knob some valid point has that begins with these settings."""
    sizes = [len(knob.values) for knob in space.knobs]
    strides = np.cumprod([1, *sizes])[:-1]
    made = len(settings_so_far)
    answer = []
    for value in range(sizes[made]):
        rest = product(*(range(size) for size in sizes[made + 1 :]))
        answer.append(any(valid[np.dot([*settings_so_far, value, *more], strides)] for more in rest))
    return answer


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.floats(0.02, 0.6), st.integers(0, 2**31))
def test_masks_equal_brute_force(sizes, share, seed):
    rng = np.random.default_rng(seed)
    space = Space("any", "any", tuple(Knob(f"k{i}", tuple(range(size))) for i, size in enumerate(sizes)))
    valid = rng.random(space.size) < share
    valid[rng.integers(space.size)] = True
    completions = Completions(space, valid)
    removed = completions.copy()
    for number in rng.permutation(np.flatnonzero(valid))[: valid.sum() // 2]:
        removed.remove(int(number))
        valid[number] = False
        assert removed.count == valid.sum()
    if not removed.count:
        return
    made: list[int] = []
    prefix = 0
    for knob in range(len(sizes)):
        mask = removed.allowed(np.array([prefix]), knob)[0]
        assert mask.tolist() == brute_force(valid, space, made)
        made.append(int(rng.choice(np.flatnonzero(mask))))
        prefix += made[-1] * removed.strides[knob]
    assert valid[prefix]


def test_with_masks_every_episode_ends_at_a_valid_point():
    env = AcceleratorEnv([toy_problem(1000), toy_problem(30)])
    rng, met = np.random.default_rng(0), set()
    for seed in range(150):
        env.reset(seed=seed)
        ended = False
        while not ended:
            mask = env.action_masks()
            made = [int(i) for i in env.problem.space.indices(np.array([env.number]))[0]]
            knob = env.encoding.knobs[env.made]
            assert mask[: env.encoding.sizes[env.made]].tolist() == brute_force(env.problem.valid, SPACE, made[:knob])
            assert not mask[env.encoding.sizes[env.made] :].any()
            _, reward, ended, _, info = env.step(rng.choice(np.flatnonzero(mask)))
        assert info["trial"].done and env.problem.valid[info["trial"].number]
        assert reward == pytest.approx(env.reward(info["trial"]))
        met.add((env.problem.name, info["trial"].number))
    assert len(met) > 60 and env.evaluations == len(met)


def test_raw_reaches_invalid_points_with_a_penalty():
    env = AcceleratorEnv(toy_problem(), raw=True)
    rng, states = np.random.default_rng(0), []
    for seed in range(60):
        env.reset(seed=seed)
        ended = False
        while not ended:
            assert env.action_masks().sum() == env.encoding.sizes[env.made]
            _, reward, ended, _, info = env.step(rng.choice(np.flatnonzero(env.action_masks())))
        states.append(info["trial"].state)
        assert (reward == PENALTY) == (info["trial"].state == "invalid")
    assert {"done", "invalid"} == set(states)


def test_a_forbidden_action_ends_the_episode():
    env = AcceleratorEnv(toy_problem())
    env.reset(seed=0)
    env.step(np.int64(4))  # 16 rows; 16 lanes too would be more than fit
    assert env.made == 1 and not env.action_masks()[4]
    _, reward, ended, _, info = env.step(np.int64(4))
    assert (reward, ended, info) == (PENALTY, True, {"forbidden": True})


def test_what_cannot_be_an_environment_is_named():
    with pytest.raises(ConfigError, match="at least one problem"):
        AcceleratorEnv([])
    other = toy_problem()
    other.space = Space("one", "toy", (Knob("rows", (1,)),))
    with pytest.raises(ConfigError, match="there is nothing to choose"):
        AcceleratorEnv(other)
    with pytest.raises(ConfigError, match="one space"):
        AcceleratorEnv([toy_problem(), other])

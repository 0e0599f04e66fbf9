"""Random tensors: their distributions, seeds, generators and refusals."""

import copy
import pickle
import threading

import numpy as np
import pytest

import autodiff
from autodiff import Generator, manual_seed, tensor

N = 40_000

DRAWS = {
    "rand": lambda g=None: autodiff.rand(3, generator=g),
    "randn": lambda g=None: autodiff.randn(3, generator=g),
    "randint": lambda g=None: autodiff.randint(1000, (3,), generator=g),
    "randperm": lambda g=None: autodiff.randperm(10, generator=g),
    "normal": lambda g=None: autodiff.normal(0.0, 1.0, (3,), generator=g),
    "bernoulli": lambda g=None: autodiff.bernoulli(autodiff.full((50,), 0.5), generator=g),
    "multinomial": lambda g=None: autodiff.multinomial(autodiff.ones(100), 3, generator=g),
    "multinomial again": lambda g=None: autodiff.multinomial(
        autodiff.ones(100), 3, True, generator=g
    ),
    "poisson": lambda g=None: autodiff.poisson(autodiff.full((9,), 50.0), generator=g),
    "rand_like": lambda g=None: autodiff.rand_like(autodiff.ones(3), generator=g),
    "randn_like": lambda g=None: autodiff.randn_like(autodiff.ones(3), generator=g),
    "randint_like": lambda g=None: autodiff.randint_like(autodiff.ones(3), 999, generator=g),
    "normal_": lambda g=None: autodiff.empty(3).normal_(generator=g),
    "uniform_": lambda g=None: autodiff.empty(3).uniform_(generator=g),
    "exponential_": lambda g=None: autodiff.empty(3).exponential_(generator=g),
    "bernoulli_": lambda g=None: autodiff.empty(50).bernoulli_(generator=g),
    "random_": lambda g=None: autodiff.empty(3).random_(generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_determines_the_draws(name):
    draw = DRAWS[name]
    manual_seed(3)
    first, second = draw(), draw()
    manual_seed(3)
    assert first.equal(draw())
    assert second.equal(draw())
    assert not first.equal(second)


@pytest.mark.parametrize("name", DRAWS)
def test_a_generator_draws_independently_of_the_default_one(name):
    draw, g = DRAWS[name], Generator().manual_seed(3)
    before = autodiff.get_rng_state()
    first = draw(g)
    assert autodiff.get_rng_state().equal(before)
    assert first.equal(draw(Generator().manual_seed(3)))
    with pytest.raises(TypeError, match="Generator"):
        draw(3)


def moments(x):
    a = x.numpy().astype(float)
    return a.mean(), a.std()


@pytest.mark.parametrize("dtype", [autodiff.float16, autodiff.float32, autodiff.float64])
def test_distributions_have_their_moments(dtype):
    def empty():
        return autodiff.empty(N, dtype=dtype)

    for x, mean, deviation in (
        (autodiff.rand(N, dtype=dtype), 0.5, 12**-0.5),
        (autodiff.randn(N, dtype=dtype), 0, 1),
        (autodiff.normal(2.0, 3.0, (N,), dtype=dtype), 2, 3),
        (empty().normal_(2, 3), 2, 3),
        (empty().uniform_(-1, 3), 1, 4 * 12**-0.5),
        (empty().exponential_(2.0), 0.5, 0.5),
        (empty().bernoulli_(0.3), 0.3, 0.21**0.5),
        (autodiff.bernoulli(autodiff.full((N,), 0.3, dtype=dtype)), 0.3, 0.21**0.5),
        (empty().random_(10), 4.5, (99 / 12) ** 0.5),
    ):
        assert x.dtype is dtype
        assert moments(x) == pytest.approx((mean, deviation), abs=0.05)


def test_integers_cover_their_range_evenly():
    x = autodiff.randint(2, 5, (N,))
    assert x.dtype is autodiff.int64
    assert np.bincount(x.numpy()).tolist()[:2] == [0, 0]
    np.testing.assert_allclose(np.bincount(x.numpy())[2:] / N, 1 / 3, atol=0.02)
    assert set(autodiff.randint(0, 2, (99,), dtype=autodiff.bool).tolist()) == {True, False}
    assert set(autodiff.randint(2, size=(99,)).tolist()) == {0, 1}
    assert autodiff.randint_like(autodiff.ones(9), 2, 3).tolist() == [2.0] * 9
    byte = autodiff.empty(N, dtype=autodiff.uint8).random_()
    assert (int(byte.numpy().min()), int(byte.numpy().max())) == (0, 255)


def test_permutations_hold_every_number_once():
    assert sorted(autodiff.randperm(100).tolist()) == list(range(100))
    assert autodiff.randperm(0).tolist() == []
    assert autodiff.randperm(3, dtype=autodiff.int32).dtype is autodiff.int32


def test_multinomial_draws_in_proportion_and_without_repeats():
    weights = tensor([1.0, 0.0, 3.0])
    drawn = autodiff.multinomial(weights, N, replacement=True).numpy()
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / N, [0.25, 0, 0.75], atol=0.02)
    rows = autodiff.multinomial(weights.expand(N, 3), 2)
    assert rows.shape == (N, 2)
    assert rows.dtype is autodiff.int64
    assert np.all(np.sort(rows.numpy()) == [0, 2])
    np.testing.assert_allclose((rows.numpy()[:, 0] == 2).mean(), 0.75, atol=0.02)
    first = autodiff.multinomial(tensor([1.0, 2.0, 5.0]).expand(N, 3), 2).numpy()[:, 0]
    np.testing.assert_allclose(np.bincount(first) / N, [1 / 8, 2 / 8, 5 / 8], atol=0.02)
    assert autodiff.multinomial(tensor([[0.0, 1.0], [1.0, 0.0]]), 4, True).tolist() == [
        [1] * 4,
        [0] * 4,
    ]


def test_bernoulli_is_certain_at_0_and_1():
    assert autodiff.bernoulli(tensor([0.0, 1.0]).expand(50, 2)).tolist() == [[0.0, 1.0]] * 50


def test_normal_takes_tensors_for_mean_and_deviation():
    mean, std = tensor([0.0, 100.0], requires_grad=True), tensor([0.0, 1.0])
    x = autodiff.normal(mean, std)
    assert x[0].item() == 0
    assert 90 < x[1].item() < 110
    assert not x.requires_grad
    assert autodiff.normal(mean, 1.0).shape == (2,)
    assert autodiff.normal(5.0, tensor([[0.0], [0.0]])).tolist() == [[5.0], [5.0]]


def test_like_functions_take_shape_and_dtype_from_their_argument():
    x = autodiff.ones(2, 3, dtype=autodiff.float64)
    for draw in (autodiff.rand_like, autodiff.randn_like):
        assert draw(x).dtype is autodiff.float64
        assert draw(x, dtype=autodiff.float32, requires_grad=True).requires_grad
        assert draw(x).shape == (2, 3)


REFUSED = """
t.rand(2, dtype=t.int64)
t.rand(-1)
t.rand()
t.rand(2, generator=3)
t.randn(2, dtype=t.int32)
t.randint(5, 2, (2,))
t.randint(5, 5, (2,))
t.randint(0, 5, 2)
t.randint(0.0, 5.0, (2,))
t.randint(0, 300, (2,), dtype=t.uint8)
t.randperm(-1)
t.randperm(4.0)
t.normal(0.0, 1.0)
t.normal(0.0, -1.0, (2,))
t.bernoulli(t.tensor([1.5]))
t.bernoulli(t.tensor([float("nan")]))
t.bernoulli(t.tensor([1]))
t.multinomial(t.tensor([0.1, 0.9]), 3)
t.multinomial(t.tensor([0.0, 0.0]), 1)
t.multinomial(t.tensor([[1.0, 1.0], [0.0, 0.0]]), 1)
t.multinomial(t.tensor([-1.0, 1.0]), 1)
t.multinomial(t.tensor([-1.0, 3.0]), 1)
t.multinomial(t.tensor([1.0, float("inf")]), 1)
t.multinomial(t.tensor([1.0, float("nan")]), 1)
t.multinomial(t.tensor([1, 1]), 1)
t.multinomial(t.tensor([1.0]), 0)
t.multinomial(t.ones(2, 2, 2), 1)
t.rand_like(t.tensor([1]))
t.rand_like([1.0])
t.tensor([1]).normal_()
t.tensor([1.0]).normal_(0, -1)
t.tensor([1.0]).uniform_(3, 2)
t.tensor([1]).uniform_()
t.tensor([1.0]).exponential_(0)
t.tensor([1]).exponential_()
t.tensor([1.0]).bernoulli_(1.3)
t.tensor([1]).random_(5, 3)
t.tensor([1.0], requires_grad=True).normal_()
t.manual_seed("a")
t.manual_seed(2**65)
""".strip().split("\n")


@pytest.mark.parametrize("expression", REFUSED)
def test_what_pytorch_refuses_is_refused(expression, torch):
    with pytest.raises((TypeError, ValueError, RuntimeError)) as theirs:
        eval(expression, {"t": torch})
    kinds = (theirs.type, RuntimeError) if theirs.type is NotImplementedError else theirs.type
    with pytest.raises(kinds):
        eval(expression, {"t": autodiff})


def test_a_refusal_draws_nothing():
    x, before = tensor([1.0, 2.0], requires_grad=True), autodiff.get_rng_state()
    with pytest.raises(RuntimeError):
        x.normal_()
    assert autodiff.get_rng_state().equal(before)


def test_seeds_and_states():
    assert manual_seed(7) is autodiff.default_generator
    assert autodiff.initial_seed() == 7
    assert manual_seed(-1).initial_seed() == 2**64 - 1
    assert autodiff.seed() == autodiff.initial_seed()
    g = Generator()
    autodiff.randn(5, generator=g)
    state = g.get_state()
    assert state.dtype is autodiff.uint8
    expected = autodiff.randn(3, generator=g)
    assert autodiff.randn(3, generator=g.set_state(state)).equal(expected)
    before = autodiff.get_rng_state()
    a = autodiff.rand(3)
    autodiff.set_rng_state(before)
    assert autodiff.rand(3).equal(a)
    with pytest.raises(RuntimeError, match="get_state"):
        g.set_state(tensor([1, 2]))
    with pytest.raises(RuntimeError, match="CPU"):
        Generator("cuda")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_a_copied_generator_goes_on_from_the_same_place(duplicate):
    g = Generator().manual_seed(1)
    autodiff.rand(3, generator=g)
    other = duplicate(g)
    assert autodiff.rand(3, generator=g).equal(autodiff.rand(3, generator=other))
    assert other.initial_seed() == 1


def test_seeding_keeps_the_numpy_generator():
    g = Generator()
    source = g.numpy
    autodiff.rand(2, generator=g)
    assert g.manual_seed(5).numpy is source
    assert autodiff.rand(2, generator=g).equal(
        autodiff.rand(2, generator=Generator().manual_seed(5))
    )


def test_generators_can_be_shared_by_threads():
    g, drawn = Generator().manual_seed(0), []

    def work():
        drawn.extend(autodiff.rand(100, generator=g).tolist() for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({tuple(row) for row in drawn}) == 200


def test_draws_in_place_cut_the_graph():
    x = tensor([1.0, 2.0], requires_grad=True)
    for write in ("normal_", "uniform_", "exponential_", "bernoulli_", "random_"):
        y = x * 2
        assert getattr(y, write)() is y
        y.sum().backward()
        assert x.grad.tolist() == [0.0, 0.0]


def test_random_takes_all_integers_that_a_float_holds_without_a_gap():
    draws = autodiff.empty(2000).random_()
    assert 2**23 < draws.max().item() <= 2**24
    assert draws.min().item() >= 0

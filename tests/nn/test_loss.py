import math
import warnings

import numpy as np
import pytest

import autodiff
import nn
from nn import functional as F
from tests.nn.twins import check_functions, check_modules

REDUCTIONS = ("mean", "sum", "none")
each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)


def check_loss(torch, name, *arguments, **settings):
    """The functional and, made with the same settings, what PyTorch gives."""
    check_functions(
        torch,
        lambda *a: getattr(F, name)(*a, **settings),
        lambda *a: getattr(torch.nn.functional, name)(*a, **settings),
        *arguments,
    )


@pytest.fixture
def x(rng):
    return rng.normal(size=(5, 4))


@pytest.fixture
def t(rng):
    return rng.normal(size=(5, 4))


@each_reduction
def test_regression_losses_equal_pytorch(torch, x, t, reduction):
    x[0, 0] = t[0, 0]  # a kink, or a minimum
    x[1, 1] = t[1, 1] + 1.0
    x[2, 2] = t[2, 2] - 0.5
    check_loss(torch, "mse_loss", x, t, reduction=reduction)
    check_loss(torch, "l1_loss", x, t, reduction=reduction)
    for beta in (1.0, 0.5, 0.0):
        check_loss(torch, "smooth_l1_loss", x, t, reduction=reduction, beta=beta)
    for delta in (1.0, 0.5):
        check_loss(torch, "huber_loss", x, t, reduction=reduction, delta=delta)


@each_reduction
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_regression_losses_with_weights_equal_pytorch(torch, rng, x, t, name, reduction):
    weight = rng.uniform(0.5, 2.0, size=x.shape)
    check_functions(
        torch,
        lambda x, t, w: getattr(F, name)(x, t, reduction=reduction, weight=w),
        lambda x, t, w: getattr(torch.nn.functional, name)(x, t, reduction=reduction, weight=w),
        x,
        t,
        weight,
    )


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_shapes_that_differ_are_broadcast_with_a_warning(torch, rng, x, name):
    with pytest.warns(UserWarning, match=rf"{name}: input of shape \(5, 4\) and target of shape"):
        ours = getattr(F, name)(autodiff.tensor(x), autodiff.zeros(4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(torch.nn.functional, name)(torch.tensor(x), torch.zeros(4))
    assert ours.item() == pytest.approx(theirs.item())


@each_reduction
@pytest.mark.parametrize("log_input", [True, False])
@pytest.mark.parametrize("full", [True, False])
def test_poisson_nll_loss_equals_pytorch(torch, rng, x, log_input, full, reduction):
    counts = rng.poisson(2.0, size=x.shape).astype(float)
    assert {0.0, 1.0} < set(counts.ravel())
    settings = {"log_input": log_input, "full": full, "reduction": reduction}
    rates = x if log_input else np.exp(x)
    check_functions(
        torch,
        lambda x: F.poisson_nll_loss(x, autodiff.tensor(counts), **settings),
        lambda x: torch.nn.functional.poisson_nll_loss(x, torch.tensor(counts), **settings),
        rates,
    )


@each_reduction
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", [(5, 4), (5, 1), (1, 4), (5,)])
def test_gaussian_nll_loss_equals_pytorch(torch, rng, x, t, shape, full, reduction):
    var = rng.uniform(0.5, 2.0, size=shape)
    var.flat[0] = 1e-9  # below eps
    check_loss(torch, "gaussian_nll_loss", x, t, var, full=full, reduction=reduction)
    check_loss(torch, "gaussian_nll_loss", x, t, 0.5, full=full, reduction=reduction)


def test_gaussian_nll_loss_refuses_variances_that_do_not_fit():
    x = autodiff.zeros(5, 4)
    with pytest.raises(ValueError, match=r"var of shape \(3,\)"):
        F.gaussian_nll_loss(x, x, autodiff.ones(3))
    with pytest.raises(ValueError, match="negative"):
        F.gaussian_nll_loss(x, x, -1.0)


# Class indices

SHAPES = [((5, 4), (5,)), ((4,), ()), ((3, 4, 2), (3, 2)), ((2, 4, 3, 2), (2, 3, 2))]


def check_class_loss(torch, name, x, t, weight=None, **settings):
    """As check_loss, with a weight for each class."""

    def loss(functional, make):
        w = None if weight is None else make(weight)
        return lambda x, t: getattr(functional, name)(x, t, w, **settings)

    check_functions(torch, loss(F, autodiff.tensor), loss(torch.nn.functional, torch.tensor), x, t)


@each_reduction
@pytest.mark.parametrize(("shape", "target_shape"), SHAPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_equals_pytorch(
    torch, rng, shape, target_shape, smoothing, weighted, reduction
):
    x, t = rng.normal(size=shape), np.array(rng.integers(0, 4, size=target_shape))
    weight = rng.uniform(0.5, 2.0, size=4) if weighted else None
    settings = {"reduction": reduction, "label_smoothing": smoothing}
    check_class_loss(torch, "cross_entropy", x, t, weight, **settings)
    if t.size > 1:
        ignored = int(t.flat[0])
        check_class_loss(torch, "cross_entropy", x, t, weight, ignore_index=ignored, **settings)


@each_reduction
@pytest.mark.parametrize(("shape", "target_shape"), SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_nll_loss_equals_pytorch(torch, rng, shape, target_shape, weighted, reduction):
    x, t = rng.normal(size=shape), np.array(rng.integers(0, 4, size=target_shape))
    weight = rng.uniform(0.5, 2.0, size=4) if weighted else None
    check_class_loss(torch, "nll_loss", x, t, weight, reduction=reduction)


@each_reduction
@pytest.mark.parametrize("shape", [(5, 4), (4,), (3, 4, 2)])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_of_probabilities_equals_pytorch(
    torch, rng, shape, smoothing, weighted, reduction
):
    x, t = rng.normal(size=shape), rng.uniform(size=shape)
    weight = rng.uniform(0.5, 2.0, size=4) if weighted else None
    settings = {"reduction": reduction, "label_smoothing": smoothing}
    check_class_loss(torch, "cross_entropy", x, t, weight, **settings)


def test_a_single_sample_may_have_its_class_in_a_vector():
    x = autodiff.full((4,), 2.0)
    assert F.nll_loss(x, autodiff.tensor([1]), reduction="none").tolist() == -2.0


def test_cross_entropy_does_not_overflow():
    x = autodiff.tensor([[1000.0, -1000.0]], requires_grad=True)
    loss = F.cross_entropy(x, autodiff.tensor([1]))
    loss.backward()
    assert loss.item() == 2000.0
    assert x.grad.tolist() == [[1.0, -1.0]]


def test_the_mean_over_no_counted_target_is_nan():
    x = autodiff.zeros(3, 4)
    assert math.isnan(F.cross_entropy(x, autodiff.full((3,), -100)).item())
    assert F.cross_entropy(x, autodiff.full((3,), -100), reduction="sum").item() == 0.0
    assert math.isnan(F.cross_entropy(x[:0], autodiff.zeros(0, dtype=autodiff.int64)).item())


def test_an_ignored_row_has_no_gradient_even_where_it_is_infinite():
    log_p = autodiff.tensor([[-math.inf, 0.0], [-1.0, -2.0]], requires_grad=True)
    loss = F.nll_loss(log_p, autodiff.tensor([-100, 1]))
    loss.backward()
    assert loss.item() == 2.0
    assert log_p.grad.tolist() == [[0.0, 0.0], [0.0, -1.0]]


def test_the_gradient_of_cross_entropy_is_softmax_minus_one_hot(rng):
    x = autodiff.tensor(rng.normal(size=(1, 3)), requires_grad=True)
    F.cross_entropy(x, autodiff.tensor([2])).backward()
    expected = F.softmax(x.detach(), 1).numpy() - [[0.0, 0.0, 1.0]]
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12)


def test_no_counted_target_has_a_gradient_of_0(torch):
    for functional, module in ((F, autodiff), (torch.nn.functional, torch)):
        x = module.zeros(3, 4, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            functional.cross_entropy(x, module.full((3,), -100)).backward()
        assert (x.grad == 0).all()


@pytest.mark.parametrize("columns", [10, 40])
def test_the_mean_of_cross_entropy_is_that_of_the_rows(rng, columns):
    x = autodiff.tensor(rng.normal(size=(7, columns)), requires_grad=True)
    t = autodiff.tensor([3, 1, -100, 9, 0, -100, 9])
    rows = F.cross_entropy(x, t, reduction="none")
    whole = autodiff.autograd.grad(F.cross_entropy(x, t), x, create_graph=True)[0]
    parts = autodiff.autograd.grad(rows.sum() / 5, x, create_graph=True)[0]
    np.testing.assert_allclose(whole.tolist(), parts.tolist(), rtol=1e-12, atol=1e-15)
    second = [autodiff.autograd.grad((g * g).sum(), x)[0].tolist() for g in (whole, parts)]
    np.testing.assert_allclose(*second, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ([0, 4, 1], IndexError, "from 0 to 3"),
        ([0, -1, 1], IndexError, "from 0 to 3"),
        ([0.0, 1.0, 2.0], RuntimeError, r"must be integers.*\.long\(\)"),
        ([0, 1], ValueError, r"needs a target of shape \(3,\), got \(2,\)"),
        ([[0], [1], [2]], RuntimeError, r"needs a target of shape \(3,\), got \(3, 1\)"),
    ],
)
def test_class_targets_that_do_not_fit_are_refused_as_pytorch_does(
    torch, name, target, error, message
):
    with pytest.raises(error):
        getattr(torch.nn.functional, name)(torch.zeros(3, 4), torch.tensor(target))
    with pytest.raises(error, match=message):
        getattr(F, name)(autodiff.zeros(3, 4), autodiff.tensor(target))


def test_cross_entropy_refuses_bad_settings():
    x, t = autodiff.zeros(3, 4), autodiff.zeros(3, dtype=autodiff.int64)
    with pytest.raises(RuntimeError, match=r"\[0, 1\]"):
        F.cross_entropy(x, t, label_smoothing=1.5)
    with pytest.raises(RuntimeError, match="each of 4 classes"):
        F.cross_entropy(x, t, weight=autodiff.ones(3))
    with pytest.raises(RuntimeError, match="class indices have no axis 1"):
        F.cross_entropy(x, autodiff.zeros(3, 4, dtype=autodiff.int64))
    with pytest.raises(ValueError, match="axis of classes"):
        F.nll_loss(autodiff.tensor(0.0), autodiff.tensor(0))


# Probabilities


@each_reduction
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy_equals_pytorch(torch, rng, reduction, weighted):
    x, t = rng.uniform(0.01, 0.99, size=(5, 4)), rng.uniform(size=(5, 4))
    weight = rng.uniform(0.5, 2.0, size=4)
    check_functions(
        torch,
        lambda x, t: F.binary_cross_entropy(
            x, t, autodiff.tensor(weight) if weighted else None, reduction=reduction
        ),
        lambda x, t: torch.nn.functional.binary_cross_entropy(
            x, t, torch.tensor(weight) if weighted else None, reduction=reduction
        ),
        x,
        t,
    )


@pytest.mark.parametrize(
    ("x", "t", "what"),
    [(1.1, 1.0, "input"), (-0.1, 0.0, "input"), (math.nan, 0.0, "input"), (0.5, 1.5, "target")],
)
def test_binary_cross_entropy_refuses_what_is_no_probability(torch, x, t, what):
    for functional, module in ((F, autodiff), (torch.nn.functional, torch)):
        with pytest.raises(RuntimeError, match=f"{what}.* be"):
            functional.binary_cross_entropy(module.tensor([x, 0.5]), module.tensor([t, 0.0]))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("cross_entropy", NotImplementedError),
        ("binary_cross_entropy", (RuntimeError, NotImplementedError)),
        ("binary_cross_entropy_with_logits", NotImplementedError),
    ],
)
def test_integers_are_refused_as_pytorch_does(torch, name, error):
    for functional, module in ((F, autodiff), (torch.nn.functional, torch)):
        x = module.ones(3, 4, dtype=module.int64)
        t = module.zeros(3, dtype=module.int64) if name == "cross_entropy" else x
        with pytest.raises(error):
            getattr(functional, name)(x, t)


def test_binary_cross_entropy_takes_each_logarithm_as_minus_100_at_least():
    x = autodiff.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(x, autodiff.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    assert loss.tolist() == [100.0, 100.0, 0.0, 0.0]
    loss.sum().backward()
    assert x.grad.isfinite().all()


@each_reduction
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_binary_cross_entropy_with_logits_equals_pytorch(torch, rng, reduction, weighted, positive):
    x = np.concatenate([rng.normal(size=(4, 4)), [[-500.0, 500.0, 0.0, 30.0]]])
    t = rng.uniform(size=(5, 4))
    weight, pos_weight = rng.uniform(0.5, 2.0, size=(2, 4))

    def loss(functional, make):
        return lambda x, t: functional.binary_cross_entropy_with_logits(
            x,
            t,
            make(weight) if weighted else None,
            reduction=reduction,
            pos_weight=make(pos_weight) if positive else None,
        )

    check_functions(torch, loss(F, autodiff.tensor), loss(torch.nn.functional, torch.tensor), x, t)


def test_logits_far_out_keep_their_digits():
    x = autodiff.tensor([50.0], dtype=autodiff.float64)
    loss = F.binary_cross_entropy_with_logits(x, autodiff.ones_like(x))
    assert loss.item() == pytest.approx(math.exp(-50), rel=1e-12)


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_kl_div_equals_pytorch(torch, rng, x, log_target, reduction):
    t = rng.uniform(0.1, 1.0, size=x.shape)
    check_loss(
        torch,
        "kl_div",
        x,
        np.log(t) if log_target else t,
        reduction=reduction,
        log_target=log_target,
    )


def test_kl_div_is_0_where_the_target_is_0():
    x, t = autodiff.tensor([-1.0, -2.0], requires_grad=True), autodiff.tensor([0.0, 1.0])
    loss = F.kl_div(x, t, reduction="sum")
    loss.backward()
    assert loss.item() == 2.0
    assert x.grad.tolist() == [0.0, -1.0]


def test_kl_div_warns_that_the_mean_is_not_the_divergence():
    with pytest.warns(UserWarning, match="batchmean"):
        F.kl_div(autodiff.zeros(2, 3), autodiff.ones(2, 3))


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_binary_losses_refuse_a_target_of_another_shape(name):
    with pytest.raises(ValueError, match=r"shape \(5, 4\) needs a target of the same shape"):
        getattr(F, name)(autodiff.full((5, 4), 0.5), autodiff.zeros(5))


# Pairs


@each_reduction
def test_pair_losses_equal_pytorch(torch, rng, x, t, reduction):
    signs = rng.choice([-1, 1], size=x.shape)
    check_loss(torch, "hinge_embedding_loss", x, signs, margin=0.5, reduction=reduction)
    check_loss(torch, "soft_margin_loss", x, signs, reduction=reduction)
    check_loss(torch, "margin_ranking_loss", x, t, signs, margin=0.5, reduction=reduction)
    check_loss(torch, "cosine_embedding_loss", x, t, signs[:, 0], margin=0.1, reduction=reduction)
    check_loss(
        torch, "cosine_embedding_loss", x[0], t[0], np.array(signs[0, 0]), reduction=reduction
    )
    negative = rng.normal(size=x.shape)
    for settings in ({}, {"swap": True}, {"p": 1, "margin": 2.0}):
        check_loss(torch, "triplet_margin_loss", x, t, negative, reduction=reduction, **settings)


def test_pair_losses_refuse_what_does_not_fit():
    x = autodiff.zeros(3, 4)
    with pytest.raises(RuntimeError, match="as many axes"):
        F.margin_ranking_loss(x, x, autodiff.ones(3))
    with pytest.raises(RuntimeError, match=r"\(N, D\)"):
        F.cosine_embedding_loss(x, x, autodiff.ones(3, 1))
    with pytest.raises(ValueError, match="margin must be positive"):
        F.triplet_margin_loss(x, x, x, margin=0.0)


def test_distances_equal_pytorch(torch, rng, x, t):
    check_modules(torch, nn.CosineSimilarity(), torch.nn.CosineSimilarity(), x, t)
    check_modules(torch, nn.CosineSimilarity(0), torch.nn.CosineSimilarity(0), x, t)
    for settings in ({}, {"p": 1.0, "keepdim": True}):
        ours, theirs = nn.PairwiseDistance(**settings), torch.nn.PairwiseDistance(**settings)
        check_modules(torch, ours, theirs, x, t)
    check_loss(torch, "normalize", x)
    check_loss(torch, "normalize", x, p=1.0, dim=0)


# All of them

MODULES = {
    "MSELoss": {},
    "L1Loss": {},
    "SmoothL1Loss": {"beta": 0.5},
    "HuberLoss": {"delta": 0.5},
    "PoissonNLLLoss": {"log_input": False, "full": True},
    "BCEWithLogitsLoss": {},
    "KLDivLoss": {"log_target": True},
    "HingeEmbeddingLoss": {"margin": 0.5},
    "SoftMarginLoss": {},
}


@each_reduction
@pytest.mark.parametrize(("name", "settings"), MODULES.items(), ids=str)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_loss_modules_equal_pytorch(torch, rng, name, settings, reduction):
    ours = getattr(nn, name)(reduction=reduction, **settings)
    theirs = getattr(torch.nn, name)(reduction=reduction, **settings)
    x, t = rng.uniform(0.1, 0.9, size=(2, 5, 4))
    if name in ("HingeEmbeddingLoss", "SoftMarginLoss"):
        t = np.sign(t - 0.5).astype(np.int64)
    check_modules(torch, ours, theirs, x, t)


def test_class_weights_are_buffers():
    weight = autodiff.ones(3)
    loss = nn.CrossEntropyLoss(weight)
    assert list(loss.state_dict()) == ["weight"]
    assert loss.double().weight.dtype == autodiff.float64
    assert list(nn.BCEWithLogitsLoss(pos_weight=weight).state_dict()) == ["pos_weight"]
    assert list(nn.NLLLoss().state_dict()) == []


@pytest.mark.parametrize(
    "name",
    [
        *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss", "kl_div"),
        *("binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy"),
        *("soft_margin_loss", "hinge_embedding_loss"),
    ],
)
def test_an_unknown_reduction_is_refused(name):
    x = autodiff.full((3, 4), 0.5)
    with pytest.raises(ValueError, match="'none', 'mean' or 'sum', got 'average'"):
        getattr(F, name)(x, x, reduction="average")


def test_the_two_older_arguments_still_say_the_reduction():
    x, t = autodiff.tensor([1.0, 3.0]), autodiff.zeros(2)
    with pytest.warns(UserWarning, match="reduction='sum'"):
        assert F.mse_loss(x, t, size_average=False).item() == 10.0
    with pytest.warns(UserWarning, match="reduction='none'"):
        assert nn.MSELoss(reduce=False)(x, t).tolist() == [1.0, 9.0]


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.BCELoss(), nn.SmoothL1Loss(), nn.HuberLoss()])
def test_losses_keep_float32(loss):
    x = autodiff.full((3,), 0.5)
    assert loss(x, x).dtype == autodiff.float32


@pytest.mark.parametrize("compiled", [False, True])
def test_losses_of_float16_are_means_though_sums_exceed_its_range(compiled):
    target = autodiff.zeros(70_000, dtype=autodiff.float16)
    x = autodiff.full((70_000,), 20.0, dtype=autodiff.float16, requires_grad=True)
    for name, value in (("mse_loss", 400.0), ("l1_loss", 20.0), ("huber_loss", 19.5)):
        loss = getattr(F, name)
        found = (autodiff.compile(loss, fullgraph=True) if compiled else loss)(x, target)
        assert (found.dtype, found.item()) == (autodiff.float16, value)

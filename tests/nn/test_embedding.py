import numpy as np
import pytest

import autodiff
from autodiff import tensor
from nn import functional as F
from tests.autodiff.compiler.scenarios import agree
from tests.autodiff.composed.expressions import listed
from tests.nn.expressions import check_like_torch

EXPRESSIONS = listed(
    """
    F.embedding(i, table); F.embedding(i32, table); F.embedding(i, table, 0);
    F.embedding(i, table, 2); F.embedding(i, table, -3); F.embedding(i[0, 0], table);
    F.embedding(i[:0], table); F.embedding(i16, table); F.embedding(i>0, table);
    F.embedding(m, table); F.embedding(i, w); F.embedding(i, x); F.embedding(i+9, table);
    F.embedding(i-1, table); F.embedding(i, table.long()); F.embedding(i[:0], table[:0]);
    F.embedding(i[:0], table[:, :0]); F.embedding(i, table[:, :0]);
    F.embedding(i, table.float(), 1); F.embedding(i[:, None], table, 4);
    F.embedding(i, var32.reshape(3, 1)*T(np.array([3, 4], np.float32)), max_norm=1.0);
    F.embedding(i, table, max_norm=1.0); (F.embedding(i, table, max_norm=1.0), table);
    (F.embedding(i, table, max_norm=0.7, norm_type=1.0), table);
    (F.embedding(T([1, 1, 4]), table, 4, 0.5, float("inf")), table);
    F.embedding(i, table*1, max_norm=1.0); F.embedding(i, table, max_norm=0.0);
    F.embedding(i[:0], table, max_norm=1.0)
    """,
    """
    F.one_hot(i); F.one_hot(i, 5); F.one_hot(i, 2); F.one_hot(i-1, 5); F.one_hot(i-1);
    F.one_hot(i32, 5); F.one_hot(m, 5); F.one_hot(i>0, 5); F.one_hot(i[0, 1]); F.one_hot(i[:0]);
    F.one_hot(i[:0], 5); F.one_hot(i[:0], 0); F.one_hot(i, 0); F.one_hot(i, -2);
    F.one_hot(i, num_classes=3)
    """,
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_embedding_and_one_hot_equal_pytorch(torch, expression):
    check_like_torch(torch, expression)


@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("indices", [[0, 2, 1, 2], [1, 1, 1, 2, 0], [[3, 3], [3, 3]]])
def test_gradients_scaled_by_frequency_equal_pytorch(torch, rng, padding, indices):
    rows, g = rng.normal(size=(5, 3)), rng.normal(size=(*np.shape(indices), 3))
    found = []
    for functional, library in ((F, autodiff), (torch.nn.functional, torch)):
        weight = library.tensor(rows, requires_grad=True)
        out = functional.embedding(
            library.tensor(indices), weight, padding, scale_grad_by_freq=True
        )
        out.backward(library.tensor(g))
        found.append((out.tolist(), weight.grad.tolist()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-12)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-12)


def test_a_padding_row_gets_no_gradient_however_it_is_numbered():
    for padding in (1, -2):
        weight = autodiff.ones(3, 2, requires_grad=True)
        F.embedding(tensor([0, 1, 1, 2, 2]), weight, padding).sum().backward()
        assert weight.grad.tolist() == [[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]]


def test_rows_asked_for_are_bounded_in_the_table_itself():
    weight = tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]], requires_grad=True)
    out = F.embedding(tensor([1, 0, 0]), weight, max_norm=1.0)
    expected = [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]]
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(out.detach().numpy(), [expected[i] for i in (1, 0, 0)], rtol=1e-6)
    out.sum().backward()
    assert weight.grad.tolist() == [[2.0, 2.0], [1.0, 1.0], [0.0, 0.0]]


def test_nothing_is_written_for_an_index_that_is_refused():
    weight = tensor([[3.0, 4.0], [0.3, 0.4]])
    for indices in ([0, 2], [0, -1]):
        with pytest.raises(IndexError):
            F.embedding(tensor(indices), weight, max_norm=1.0)
    assert weight[0].tolist() == [3.0, 4.0]
    with pytest.raises(ValueError, match="padding_idx=2 is no row of 2"):
        F.embedding(tensor([0]), weight, padding_idx=2)


def test_sparse_gives_the_same_numbers(rng):
    rows = rng.normal(size=(4, 2))
    dense, sparse = (tensor(rows, requires_grad=True) for _ in range(2))
    i = tensor([1, 1, 3])
    F.embedding(i, dense).square().sum().backward()
    F.embedding(i, sparse, sparse=True).square().sum().backward()
    assert (dense.grad == sparse.grad).all()


@pytest.mark.parametrize(
    "options", [{}, {"padding_idx": 1}, {"max_norm": 1.0}, {"scale_grad_by_freq": True}], ids=str
)
def test_a_compiled_embedding_is_the_eager_one(options):
    def scenario(run):
        rng = np.random.default_rng(0)
        weight = tensor(rng.normal(size=(6, 3)), requires_grad=True)

        @run.compile
        def step(i):
            out = F.embedding(i, weight, **options)
            return out, autodiff.autograd.grad((out * out).sum(), weight)[0]

        for _ in range(4):
            run.note(step(tensor(rng.integers(0, 6, 8))), weight)

    agree(scenario)


def test_one_hot_of_known_classes():
    assert F.one_hot(tensor([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert F.one_hot(tensor(1), 2).tolist() == [0, 1]

"""Looking at the tape: its nodes, its table and its diagrams."""

import pytest

import autodiff
import nn
from autodiff import autograd, tensor
from autodiff.diagram import multiply_adds


@pytest.fixture
def loss():
    x = tensor([[1.0, 2.0]], requires_grad=True)
    w = tensor([3.0, 4.0], dtype=autodiff.float64, requires_grad=True)
    return (x * w).exp().sum()


def test_the_nodes_are_in_the_order_of_recording(loss):
    tape = autodiff.tape(loss)
    assert [node.operation for node in tape if node.parents] == ["multiply", "exp", "sum"]
    assert tape[-1] is loss.grad_fn
    assert [node.number for node in tape] == sorted(node.number for node in tape)


def test_the_table_tells_shapes_dtypes_inputs_and_what_is_saved():
    x = autodiff.ones(40, 50, requires_grad=True)
    assert str(autodiff.tape((x * x).exp())).splitlines() == [
        "   operation  shape     dtype    from  saved",
        "0  leaf       (40, 50)  float32        0 B",
        "1  multiply   (40, 50)  float32  0, 0  8 kB",
        "2  exp        (40, 50)  float32  1     8 kB",
    ]


def test_under_anomaly_detection_the_table_names_the_lines():
    x = tensor([1.0], requires_grad=True)
    with autograd.detect_anomaly():
        y = x.exp()  # this line
    head, _, row = str(autodiff.tape(y)).splitlines()
    assert head.endswith("recorded at")
    assert row.endswith("y = x.exp()  # this line")


def test_what_a_backward_pass_released_is_no_longer_saved():
    x = tensor([1.0], requires_grad=True)
    y = x.exp()
    y.backward()
    assert str(autodiff.tape(y)).splitlines()[-1].endswith(" 0 B")


def test_several_results_share_one_tape(loss):
    tape = autodiff.tape(loss, loss * 2)
    assert [node.operation for node in tape].count("exp") == 1
    assert tape[-1].operation == "multiply"


def test_diagrams_join_each_node_to_its_inputs():
    x = tensor([1.0], requires_grad=True)
    tape = autodiff.tape((x * x).exp())
    assert tape.mermaid() == (
        "flowchart TD\n"
        '    n0["leaf<br>float32 (1,)"]\n'
        '    n1("multiply<br>float32 (1,)")\n'
        "    n0 --> n1\n    n0 --> n1\n"
        '    n2("exp<br>float32 (1,)")\n'
        "    n1 --> n2"
    )
    dot = tape.dot()
    assert dot.startswith("digraph tape {")
    assert dot.count(" -> ") == 3
    assert '    n0 [label="leaf\\nfloat32 (1,)", style=filled]' in dot.splitlines()


def test_what_was_not_recorded_has_no_tape():
    with pytest.raises(RuntimeError, match="nothing was recorded"):
        autodiff.tape(tensor([1.0]))
    with pytest.raises(TypeError, match="float"):
        autodiff.tape(1.0)


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda x: x @ x.T, 3 * 4 * 3),
        (lambda x: x @ autodiff.ones(4), 3 * 4),
        (lambda x: autodiff.ones(2, 5, 3) @ x, 2 * 5 * 3 * 4),
        (lambda x: x[0] @ x[1], 4),
        (lambda x: autodiff.einsum("ij,kj->ik", x, x), 3 * 4 * 3),
        (lambda x: autodiff.einsum("...j,kj,k", autodiff.ones(2, 5, 4), x, x[:, 0]), 10 * 4 * 3),
        (lambda x: autodiff.einsum("i j->j i", x), 3 * 4),
        (lambda x: nn.functional.linear(x, autodiff.ones(2, 4)), 3 * 4 * 2),
        (lambda x: nn.functional.linear(autodiff.ones(2, 4), x), 3 * 4 * 2),
        (lambda x: nn.functional.conv1d(x[None], autodiff.ones(2, 3, 2)), 2 * 3 * 3 * 2),
        (lambda x: nn.functional.conv_transpose1d(x[None], autodiff.ones(3, 2, 2)), 12 * 2 * 2),
        (lambda x: nn.functional.conv_transpose1d(autodiff.ones(1, 3, 4), x[:, :, None]), 48),
        (lambda x: (x * x).exp().sum(), 0),
    ],
)
def test_multiply_adds_are_counted(compute, expected):
    x = autodiff.ones(3, 4, requires_grad=True)
    assert sum(map(multiply_adds, autodiff.tape(compute(x)))) == expected


def test_multiply_adds_are_counted_before_the_backward_pass():
    out = autodiff.ones(2, 2, requires_grad=True) @ autodiff.ones(2)
    out.sum().backward()
    with pytest.raises(RuntimeError, match="count before"):
        multiply_adds(out.grad_fn)

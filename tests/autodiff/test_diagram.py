"""Looking at the tape: its nodes, its table and its diagrams."""

import pytest

import autodiff
from autodiff import autograd, tensor


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

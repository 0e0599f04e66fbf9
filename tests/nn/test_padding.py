import pytest

import autodiff
from autodiff import tensor
from nn import functional as F
from tests.autodiff.compiler.scenarios import agree
from tests.autodiff.composed.expressions import listed
from tests.nn.expressions import check_like_torch

EXPRESSIONS = listed(
    """
    F.pad(u, (1, 2)); F.pad(x, (1, 2), value=2.5); F.pad(image, (1, 0, 2, 1), "constant", -1.0);
    F.pad(image, (1, 1, 1, 1, 1, 0)); F.pad(x, (-1, 2)); F.pad(signal, (-2, -1));
    F.pad(signal, (-4, -4)); F.pad(x, (1,)); F.pad(u, (1, 1, 1, 1)); F.pad(x, ());
    F.pad(none, (1, 1, 0, 2)); F.pad(none[:, :, 0], (1, 1)); F.pad(ints, (1, 1));
    F.pad(ints, (1, 1), value=2.5); F.pad(i>0, (1, 1)); F.pad(i>0, (1, 1), value=1);
    F.pad(floats, [1, 1]); F.pad(image, (-1, 1, 2, -3), value=3.0); F.pad(x, (0, 0));
    F.pad(s, (1, 1)); F.pad(x, (1, 1), "mirror"); F.pad(image, (1, 1, 1, 1, 1, 1, 1, 1));
    F.pad(u, (1, 2), "reflect"); F.pad(m, (1, 2), "reflect"); F.pad(signal, (1, 2), "reflect");
    F.pad(signal, (6, 0), "reflect"); F.pad(signal, (0, 6), "reflect");
    F.pad(signal, (7, 0), "reflect"); F.pad(signal, (8, 0), "reflect");
    F.pad(signal, (1, 1, 1, 0), "reflect"); F.pad(image, (1, 1), "reflect");
    F.pad(image, (1, 2, 1, 2), "reflect"); F.pad(image, (1, 1, 1, 1, 1, 0), "reflect");
    F.pad(volume, (1, 1, 1, 1, 0, 1), "reflect"); F.pad(signal, (-1, 2), "reflect");
    F.pad(signal, (2, -3), "reflect"); F.pad(signal, (-4, 3), "reflect");
    F.pad(signal, (-2, -1), "reflect"); F.pad(signal, (-4, -4), "reflect");
    F.pad(signal, (-4, -3), "reflect"); F.pad(signal, (1,), "reflect");
    F.pad(u, (1, 1, 1, 1), "reflect"); F.pad(x, (), "reflect");
    F.pad(signal[:0], (1, 1), "reflect"); F.pad(signal[:, :, :0], (1, 1), "reflect");
    F.pad(signal[:, :, :0], (0, 0), "reflect"); F.pad(ints, (1, 1), "reflect");
    F.pad(floats, [1, 1], "reflect"); F.pad(signal, (1, 1), "reflect", 2.5);
    F.pad(signal, (1, 1), "reflect", 0); F.pad(signal, (0, 0), "reflect");
    F.pad(image.permute(3, 2, 1, 0), (1, 1, 2, 2), "reflect");
    F.pad(signal[:, :, :1], (1, 1), "reflect"); F.pad(image, (-1, 1, 2, -1), "reflect");
    F.pad(u, (1, 2), "replicate"); F.pad(m, (1, 2), "replicate");
    F.pad(signal, (1, 2), "replicate"); F.pad(signal, (6, 0), "replicate");
    F.pad(signal, (0, 6), "replicate"); F.pad(signal, (7, 0), "replicate");
    F.pad(signal, (8, 0), "replicate"); F.pad(signal, (1, 1, 1, 0), "replicate");
    F.pad(image, (1, 1), "replicate"); F.pad(image, (1, 2, 1, 2), "replicate");
    F.pad(image, (1, 1, 1, 1, 1, 0), "replicate"); F.pad(volume, (1, 1, 1, 1, 0, 1), "replicate");
    F.pad(signal, (-1, 2), "replicate"); F.pad(signal, (2, -3), "replicate");
    F.pad(signal, (-4, 3), "replicate"); F.pad(signal, (-2, -1), "replicate");
    F.pad(signal, (-4, -4), "replicate"); F.pad(signal, (-4, -3), "replicate");
    F.pad(signal, (1,), "replicate"); F.pad(u, (1, 1, 1, 1), "replicate");
    F.pad(x, (), "replicate"); F.pad(signal[:0], (1, 1), "replicate");
    F.pad(signal[:, :, :0], (1, 1), "replicate"); F.pad(signal[:, :, :0], (0, 0), "replicate");
    F.pad(ints, (1, 1), "replicate"); F.pad(floats, [1, 1], "replicate");
    F.pad(signal, (1, 1), "replicate", 2.5); F.pad(signal, (1, 1), "replicate", 0);
    F.pad(signal, (0, 0), "replicate"); F.pad(image.permute(3, 2, 1, 0), (1, 1, 2, 2), "replicate");
    F.pad(signal[:, :, :1], (1, 1), "replicate"); F.pad(image, (-1, 1, 2, -1), "replicate");
    F.pad(u, (1, 2), "circular"); F.pad(m, (1, 2), "circular"); F.pad(signal, (1, 2), "circular");
    F.pad(signal, (6, 0), "circular"); F.pad(signal, (0, 6), "circular");
    F.pad(signal, (7, 0), "circular"); F.pad(signal, (8, 0), "circular");
    F.pad(signal, (1, 1, 1, 0), "circular"); F.pad(image, (1, 1), "circular");
    F.pad(image, (1, 2, 1, 2), "circular"); F.pad(image, (1, 1, 1, 1, 1, 0), "circular");
    F.pad(volume, (1, 1, 1, 1, 0, 1), "circular"); F.pad(signal, (-1, 2), "circular");
    F.pad(signal, (2, -3), "circular"); F.pad(signal, (-4, 3), "circular");
    F.pad(signal, (-2, -1), "circular"); F.pad(signal, (-4, -4), "circular");
    F.pad(signal, (-4, -3), "circular"); F.pad(signal, (1,), "circular");
    F.pad(u, (1, 1, 1, 1), "circular"); F.pad(x, (), "circular");
    F.pad(signal[:0], (1, 1), "circular"); F.pad(signal[:, :, :0], (1, 1), "circular");
    F.pad(signal[:, :, :0], (0, 0), "circular"); F.pad(ints, (1, 1), "circular");
    F.pad(floats, [1, 1], "circular"); F.pad(signal, (1, 1), "circular", 2.5);
    F.pad(signal, (1, 1), "circular", 0); F.pad(signal, (0, 0), "circular");
    F.pad(image.permute(3, 2, 1, 0), (1, 1, 2, 2), "circular");
    F.pad(signal[:, :, :1], (1, 1), "circular"); F.pad(image, (-1, 1, 2, -1), "circular")
    """,
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_pads_equal_pytorch(torch, expression):
    check_like_torch(torch, expression)


def test_known_pads():
    x = tensor([[1.0, 2.0, 3.0]])
    assert F.pad(x, (1, 2), value=9.0).tolist() == [[9, 1, 2, 3, 9, 9]]
    assert F.pad(x, (1, 2), "reflect").tolist() == [[2, 1, 2, 3, 2, 1]]
    assert F.pad(x, (1, 2), "replicate").tolist() == [[1, 1, 2, 3, 3, 3]]
    assert F.pad(x, (1, 2), "circular").tolist() == [[3, 1, 2, 3, 1, 2]]
    assert F.pad(x, (-1, 1), "circular").tolist() == [[2, 3, 2]]


def test_pads_do_not_share_memory_with_the_input():
    x = tensor([[1.0, 2.0, 3.0]])
    for mode in ("constant", "reflect", "replicate", "circular"):
        F.pad(x, (0, 0), mode).fill_(0.0)
    assert x.tolist() == [[1.0, 2.0, 3.0]]


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_a_compiled_pad_is_the_eager_one(mode):
    def scenario(run):
        @run.compile
        def step(x):
            out = F.pad(x, (1, 2, -1, 1), mode)
            return out, autodiff.autograd.grad((out * out).sum(), x)[0]

        for i in range(3):
            x = autodiff.arange(24.0).reshape(1, 2, 3, 4) + i
            run.note(step(x.requires_grad_()))

    agree(scenario)

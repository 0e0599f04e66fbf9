"""The package itself: its names, and what importing it does."""

import subprocess
import sys

import autodiff


def test_all_names_exist_once():
    assert len(set(autodiff.__all__)) == len(autodiff.__all__)
    assert [name for name in autodiff.__all__ if not hasattr(autodiff, name)] == []


def test_nn_and_optim_are_attributes():
    import nn
    import optim

    assert autodiff.nn is nn
    assert autodiff.optim is optim


def test_there_is_no_gpu():
    assert not autodiff.cuda.is_available()
    assert autodiff.cuda.device_count() == 0


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_arithmetic_does_not_warn_as_in_pytorch_but_the_users_own_does():
    program = (
        "import autodiff, numpy as np\n"
        "x = autodiff.tensor([-1.0, 0.0, 1e30], requires_grad=True)\n"
        "y = x.log() + 1 / x + (x * 1e10).exp() + x.sqrt() + x / 0\n"
        "y.sum().backward()\n"
        "(g,) = autodiff.autograd.grad((x.sqrt() * 0).sum(), x, create_graph=True)\n"
        "np.log(np.zeros(1))\n"
    )
    assert run(program).count("Warning") == 1


def test_importing_does_not_import_random_number_generators():
    run("import sys, autodiff; assert 'numpy.random' not in sys.modules; autodiff.manual_seed(1)")

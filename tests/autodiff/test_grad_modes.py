"""Modes of the tape: what they switch, for whom, and for how long."""

import threading

import pytest

import autodiff
from autodiff import autograd, enable_grad, inference_mode, no_grad, set_grad_enabled, tensor


@pytest.fixture
def x():
    return tensor([1.0, 2.0], requires_grad=True)


def enabled() -> bool:
    return autodiff.is_grad_enabled()


def test_no_grad_and_enable_grad_nest(x):
    with no_grad():
        assert not (x * 2).requires_grad
        with enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_a_mode_object_can_be_entered_again_while_it_is_open():
    mode = no_grad()
    with mode:
        with enable_grad():
            with mode:
                assert not enabled()
            assert enabled()
        assert not enabled()
    assert enabled()


@pytest.mark.parametrize("mode", [no_grad, inference_mode, lambda: set_grad_enabled(False)])
def test_an_exception_restores_the_mode(mode):
    with pytest.raises(KeyError), mode():
        raise KeyError
    assert enabled()


DECORATORS = {
    "no_grad": lambda: no_grad,
    "no_grad()": lambda: no_grad(),
    "inference_mode": lambda: inference_mode,
    "inference_mode()": lambda: inference_mode(),
    "set_grad_enabled(False)": lambda: set_grad_enabled(False),
}


@pytest.mark.parametrize("decorator", DECORATORS)
def test_modes_decorate_functions_with_and_without_parentheses(decorator):
    @DECORATORS[decorator]()
    def off(a, *, b):
        """Doc."""
        return a, b, enabled()

    assert enabled()
    assert off(1, b=2) == (1, 2, False)
    assert (off.__name__, off.__doc__) == ("off", "Doc.")
    assert enabled()


def test_a_decorated_function_can_call_itself():
    @no_grad()
    def depth(n):
        return 0 if n == 0 else 1 + depth(n - 1) if not enabled() else -1

    assert depth(3) == 3
    assert enabled()


def test_a_decorated_generator_runs_in_the_mode_and_its_caller_outside():
    seen = []

    @no_grad()
    def numbers():
        try:
            for i in range(3):
                seen.append(enabled())
                received = yield i
                seen.append((received, enabled()))
        except ValueError:
            seen.append(("thrown", enabled()))
            yield "caught"
        finally:
            seen.append(("closed", enabled()))

    g = numbers()
    assert next(g) == 0
    assert enabled()
    assert g.send("a") == 1
    assert enabled()
    assert g.throw(ValueError) == "caught"
    g.close()
    assert enabled()
    assert seen == [False, ("a", False), False, ("thrown", False), ("closed", False)]


def test_a_decorated_generator_returns_its_value_and_raises_its_error():
    @no_grad()
    def generator(fail):
        yield 1
        if fail:
            raise KeyError(2)
        return 3

    def run(fail):
        return (yield from generator(fail))

    g = run(False)
    next(g)
    with pytest.raises(StopIteration) as end:
        next(g)
    assert end.value.value == 3
    with pytest.raises(KeyError):
        list(generator(True))
    assert enabled()


def test_a_decorated_generator_keeps_a_mode_of_its_own_between_resumptions():
    @no_grad()
    def generator():
        with enable_grad():
            yield enabled()
        yield enabled()

    assert list(generator()) == [True, False]
    assert enabled()


def test_set_grad_enabled_acts_at_once():
    set_grad_enabled(False)
    assert not enabled()
    set_grad_enabled(True)
    assert enabled()


def test_set_grad_enabled_as_a_context_ends_with_what_was_before():
    with set_grad_enabled(False):
        assert not enabled()
        with set_grad_enabled(mode=True):
            assert enabled()
        assert not enabled()
    assert enabled()


def test_inference_mode_turns_grad_off_and_inference_mode_false_on_again(x):
    with inference_mode():
        assert autodiff.is_inference_mode_enabled()
        assert not enabled()
        assert not (x * 2).requires_grad
        with inference_mode(False):
            assert not autodiff.is_inference_mode_enabled()
            assert (x * 2).requires_grad
    assert not autodiff.is_inference_mode_enabled()


def test_each_thread_has_its_own_modes():
    inside, outside = threading.Event(), threading.Event()
    seen = []

    def work():
        seen.append(enabled())
        with no_grad():
            inside.set()
            outside.wait(10)
        seen.append(enabled())

    with no_grad():
        thread = threading.Thread(target=work)
        thread.start()
        inside.wait(10)
        with enable_grad():
            assert enabled()
        outside.set()
        thread.join(10)
    assert seen == [True, True]


def test_leaving_a_mode_restores_only_what_it_set():
    with autograd.detect_anomaly():
        set_grad_enabled(False)
    assert not enabled()
    assert not autodiff.is_anomaly_enabled()
    set_grad_enabled(True)


def test_anomaly_detection_as_a_function_and_as_a_context():
    autograd.set_detect_anomaly(True)
    assert autodiff.is_anomaly_enabled()
    autograd.set_detect_anomaly(False)
    assert not autodiff.is_anomaly_enabled()
    with autograd.set_detect_anomaly(True):
        assert autodiff.is_anomaly_enabled()
    assert not autodiff.is_anomaly_enabled()


def test_anomaly_detection_leaves_other_modes_alone():
    for mode in (True, False):
        with no_grad():
            autograd.set_detect_anomaly(mode)
            assert not enabled()
    assert enabled() and not autodiff.is_anomaly_enabled()


def test_anomaly_detection_without_the_check_lets_nan_pass():
    x = tensor(0.0, requires_grad=True)
    with autograd.detect_anomaly(check_nan=False):
        (x.sqrt() * 0).backward()
    assert x.grad.isnan()
    with pytest.raises(RuntimeError, match="nan"), autograd.detect_anomaly():
        (x.sqrt() * 0).backward()


def test_anomaly_detection_finds_nan_in_the_gradient_of_an_element():
    x = tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="nan"), autograd.detect_anomaly():
        x[0].backward(tensor(float("nan")))
    assert x.grad is None


@pytest.mark.parametrize("mode", [no_grad, inference_mode])
def test_nothing_is_recorded_without_grad_whichever_way_an_operation_takes(x, mode):
    with mode():
        results = [x.exp(), x * x, x + 1, 1 - x, x.sum(), x.reshape(-1), x[..., None], x.T]
    assert not any(result.requires_grad for result in results)


def test_a_switch_can_be_a_context_more_than_once():
    switch = set_grad_enabled(False)
    assert not enabled()
    for _ in range(2):
        with switch:
            assert not enabled()
        assert enabled()

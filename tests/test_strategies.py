import numpy as np
from hypothesis import Phase, given, settings

from tests.strategies import OPERATIONS, Program, programs


def test_every_operation_occurs_in_programs():
    seen = set()

    @settings(derandomize=True, database=None, phases=[Phase.generate], max_examples=1000)
    @given(programs())
    def collect(program):
        seen.update(step.operation for step in program.steps)

    collect()
    assert seen == set(OPERATIONS)


@given(programs())
def test_programs_do_the_same_with_torch(torch, program: Program):
    inputs = [torch.tensor(x.tolist(), dtype=torch.float64) for x in program.inputs]
    theirs = program(torch, *inputs)
    ours = program(np)
    assert np.shape(ours) == tuple(theirs.shape)
    np.testing.assert_allclose(theirs.numpy(), ours, rtol=1e-12, atol=1e-12)

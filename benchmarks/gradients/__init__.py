"""How exact the gradients of every operation are, and that right ones raise no alarm.

The samples and the random programs are those of the tests. Each is checked by
`autodiff.testing.check_gradients` (`checks`); where NumPy has no function of complex numbers for
the complex step, derivatives in 60 digits stand beside the differences (`digits`).
"""

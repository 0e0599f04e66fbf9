"""compile: a training step as straight-line NumPy, recorded from one real run."""

from typing import TYPE_CHECKING

from autodiff.compiler.host import changed, guard, host
from autodiff.compiler.wrapper import Wrapper
from autodiff.lazy import deferred
from autodiff.tape import recorder

if TYPE_CHECKING:
    from autodiff.compiler.runtime import Compiled, compile
    from autodiff.compiler.threads import get_num_threads, set_num_threads
    from autodiff.compiler.trace import CannotRecordError
    from autodiff.compiler.update import overwrite
else:
    __getattr__, __dir__ = deferred(
        __name__,
        {
            "autodiff.compiler.runtime": ("Compiled", "compile"),
            "autodiff.compiler.threads": ("get_num_threads", "set_num_threads"),
            "autodiff.compiler.trace": ("CannotRecordError",),
            "autodiff.compiler.update": ("overwrite",),
        },
    )

__all__ = [
    *("CannotRecordError", "Compiled", "Wrapper", "changed", "compile", "get_num_threads"),
    *("guard", "host", "overwrite", "recorder", "set_num_threads"),
]

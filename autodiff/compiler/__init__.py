"""compile: a training step as straight-line NumPy, recorded from one real run."""

from autodiff.compiler.host import changed, guard, host
from autodiff.compiler.runtime import Compiled, compile
from autodiff.compiler.threads import get_num_threads, set_num_threads
from autodiff.compiler.trace import CannotRecordError
from autodiff.compiler.update import overwrite
from autodiff.tape import recorder

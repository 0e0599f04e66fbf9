import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
{imports}

def step():
    blocks = [np.ones(50_000) for _ in range(40)]  # 16 MB, more than glibc keeps by itself

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

step(), step()
before = faults()
for _ in range(10):
    step()
print(faults() - before)
"""


def page_faults(imports: str) -> int:
    environment = {name: value for name, value in os.environ.items() if "MALLOC_" not in name}
    program = [sys.executable, "-c", PROGRAM.format(imports=imports)]
    run = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert not run.returncode, run.stderr
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of another C library")
def test_freed_memory_is_used_again_without_page_faults():
    assert page_faults("import autodiff") < 100 < 10_000 < page_faults("")

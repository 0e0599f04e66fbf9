"""Check what the built wheel and sdist in a folder contain."""

import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGES = {"autodiff", "nn", "optim"}
LARGEST = 500_000  # bytes

folder = Path(sys.argv[1])
(wheel,) = folder.glob("*.whl")
(sdist,) = folder.glob("*.tar.gz")

with zipfile.ZipFile(wheel) as archive:
    names = archive.namelist()
top = {name.partition("/")[0] for name in names}
extra = {name for name in top - PACKAGES if not name.endswith(".dist-info")}
assert not extra, f"the wheel should hold {sorted(PACKAGES)} alone, it also has {sorted(extra)}"
missing = {f"{package}/py.typed" for package in PACKAGES} - set(names)
assert not missing, f"the wheel lacks {sorted(missing)}"
other = [name for name in names if name.startswith(tuple(PACKAGES)) and not name.endswith(".py")]
assert all(name.endswith("/py.typed") for name in other), f"not source files: {other}"
assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names), "no LICENSE"
assert wheel.stat().st_size < LARGEST, f"{wheel.name} has {wheel.stat().st_size:,} bytes"

with tarfile.open(sdist) as archive:
    inside = {name.split("/")[1] for name in archive.getnames() if "/" in name}
agreed = {*PACKAGES, "tests", "benchmarks", "README.md", "LICENSE", "pyproject.toml", "PKG-INFO"}
assert inside <= agreed | {".gitignore"}, f"the sdist has {sorted(inside - agreed)}"
assert agreed <= inside, f"the sdist lacks {sorted(agreed - inside)}"

print(f"{wheel.name}: {wheel.stat().st_size:,} bytes, {len(names)} files")
print(f"{sdist.name}: {sdist.stat().st_size:,} bytes")

"""Checked when optim is imported: that its `autodiff` is tapegrad's, for others have that name."""

from importlib.util import find_spec
from pathlib import Path

_spec = find_spec("autodiff")
if _spec and Path(str(_spec.origin)).parent.parent != Path(__file__).parent.parent:
    raise ImportError(
        f"optim belongs to tapegrad, but the autodiff found at {_spec.origin} does not; "
        "uninstall that package and reinstall tapegrad"
    )

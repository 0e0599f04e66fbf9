"""Checked when optim is imported: that its `autodiff` is tapegrad's, for others have that name."""

from os.path import dirname, normcase  # pathlib takes 4 ms to import

import autodiff

_theirs, _ours = (normcase(dirname(dirname(str(path)))) for path in (autodiff.__file__, __file__))
if _theirs != _ours:
    raise ImportError(
        f"optim belongs to tapegrad, but the autodiff found at {autodiff.__file__} does not; "
        "uninstall that package and reinstall tapegrad"
    )

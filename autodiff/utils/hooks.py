"""The handle that registering a hook returns."""

from autodiff.attributes import RemovableHandle

__all__ = ["RemovableHandle"]

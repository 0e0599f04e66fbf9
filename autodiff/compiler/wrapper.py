"""What a compiled function or module is to those who only ask what was compiled."""

from typing import Any


class Wrapper:
    """Something that runs `function`, a function or a module, in its own way."""

    function: Any

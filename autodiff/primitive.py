"""What an operation is: a NumPy function and, for each differentiable argument, one rule.

Array arguments are positional, parameters are keywords. A rule turns the gradient `g` of the output
into the gradient of its argument. Its other parameters name what it needs: an array argument,
`out`, `<argument>_shape`, or a parameter of the operation; the rule of a variadic argument may also
ask for its own `position` in it. Only what the rules name is kept until the backward pass. Where
the gradients of several arguments come from one calculation, one function gives all: `shared`.

The same rule runs on NumPy arrays and on Tensors: this file knows neither the tape nor the Tensor.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

OUT, REST = -1, -2
"""Sources of a saved value besides an argument's number: the output, the variadic arguments."""


class Primitive:
    """One operation: calling it on arrays computes, calling it on Tensors computes and records.

    name: as it stands in tapes and errors.
    forward: the NumPy function; array arguments first, parameters as keywords.
    family: elementwise, linear, bilinear, reduction, random or general.
    promote: what becomes of the arguments' dtypes before `forward`: "keep" nothing, "common" all
        to one dtype, "float" the same and integers to the default float, "number" the same and
        bools to int64, "signed" the same and an error if one is bool, "match" an error if they
        differ.
    view: whether the output may share memory with the first argument.
    accumulate: adds what the one rule gives, called with the same values, to an array in place;
        for rules whose result is mostly zeros.
    check, body: where the forward raises errors about values, what does so, and the rest of it:
        a compiled program calls the one as it is and takes the other apart.
    varying: tells of array arguments whether the shape of the output, or the meaning of another
        argument's shape, depends on their values.
    arguments: names of the array arguments; `variadic`: the name of the trailing `*arguments`.
    """

    __slots__ = (
        "accumulate",
        "arguments",
        "body",
        "check",
        "defaults",
        "family",
        "forward",
        "name",
        "parameters",
        "plans",
        "promote",
        "rules",
        "variadic",
        "varying",
        "view",
    )

    def __init__(
        self,
        forward: Callable,
        family: str,
        rules: dict[str, Callable],
        promote: str,
        view: bool,
        name: str | None,
        accumulate: Callable | None,
        varying: Callable[..., bool],
        check: Callable[..., None] | None,
        body: Callable | None,
    ) -> None:
        self.name = name or forward.__name__.lstrip("_")
        self.forward, self.family, self.promote, self.view = forward, family, promote, view
        self.rules, self.accumulate, self.varying = rules, accumulate, varying
        self.check, self.body = check, body or forward
        self.plans: dict[int, Plan] = {}
        self.variadic: str | None = None
        self.defaults: dict[str, Any] = {}
        if isinstance(forward, np.ufunc):
            self.arguments = ("x", "y", "z")[: forward.nin]
            self.parameters: tuple[str, ...] = ()
        else:
            self._read_signature(forward)
        self._check_rules()

    def _read_signature(self, forward: Callable) -> None:
        # inspect.signature would take a quarter of the import time.
        forward = inspect.unwrap(forward)
        code, names = forward.__code__, forward.__code__.co_varnames
        arrays, positional = code.co_posonlyargcount, code.co_argcount
        named = positional + code.co_kwonlyargcount
        self.arguments, self.parameters = names[:arrays], names[arrays:named]
        if code.co_flags & inspect.CO_VARARGS:
            self.variadic = names[named]
        defaults = forward.__defaults__ or ()
        self.defaults = dict(zip(names[positional - len(defaults) : positional], defaults))
        self.defaults |= forward.__kwdefaults__ or {}

    def _check_rules(self) -> None:
        """A name that does not exist is an error at import, not at the first backward pass."""
        for argument, rule in self.rules.items():
            if argument not in (*self.arguments, self.variadic):
                raise TypeError(f"{self.name}: a rule for {argument!r}, which is no array argument")
            for name in rule_needs(rule):
                self.value_of(name)
        if self.accumulate and [rule_needs(self.accumulate)[1:]] != [
            rule_needs(rule) for rule in self.rules.values()
        ]:
            raise TypeError(f"{self.name}: accumulate must take what its one rule takes")

    def rule_of(self, position: int) -> Callable | None:
        """The rule of the array argument at `position`, None if it has no derivative."""
        if position < len(self.arguments):
            return self.rules.get(self.arguments[position])
        return self.rules.get(self.variadic) if self.variadic else None

    def value_of(self, name: str) -> tuple[str, int | None]:
        """The value a rule calls `name`: an expression for Plan.save, and its source."""
        fixed = len(self.arguments)
        if name == "out":
            return "out", OUT
        if name in self.parameters:
            default = f", defaults[{name!r}]" if name in self.defaults else ""
            return (f"params.get({name!r}{default})" if default else f"params[{name!r}]"), None
        if name in self.arguments:
            i = self.arguments.index(name)
            return f"arrays[{i}]", i
        if name.removesuffix("_shape") in self.arguments:
            return f"arrays[{self.arguments.index(name.removesuffix('_shape'))}].shape", None
        if self.variadic and name == self.variadic:
            return f"tuple(arrays[{fixed}:])", REST
        if self.variadic and name == f"{self.variadic}_shape":
            return f"tuple([a.shape for a in arrays[{fixed}:]])", None
        if self.variadic and name == "position":
            return "position", None
        raise TypeError(f"{self.name}: a rule asks for {name!r}, which the operation does not have")

    def plan(self, mask: int) -> "Plan":
        """The plan for the arguments whose bits are set in `mask` (bit i for argument i)."""
        plan = self.plans.get(mask)
        if plan is None:
            plan = self.plans[mask] = Plan(self, mask)
        return plan

    def bind(self, args: tuple, params: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """Move parameters given by position, as NumPy allows, to their names."""
        count = len(self.arguments)
        if self.variadic is None and len(args) > count:
            extra = args[count:]
            if len(extra) > len(self.parameters):
                raise TypeError(
                    f"{self.name} takes {count} arrays and {len(self.parameters)} parameters, "
                    f"got {len(args)} positional arguments"
                )
            params = dict(zip(self.parameters, extra, strict=False), **params)
            args = args[:count]
        return args, params

    def __call__(self, *args: Any, **params: Any) -> Any:
        if len(args) > len(self.arguments):
            args, params = self.bind(args, params)
        for a in args:
            apply = getattr(type(a), "_apply", None)
            if apply is not None:
                return apply(self, args, params)
        return self.forward(*args, **params)

    def __repr__(self) -> str:
        names = [*self.arguments, *([f"*{self.variadic}"] if self.variadic else [])]
        return f"<{self.family} {self.name}({', '.join(names + list(self.parameters))})>"


class Plan:
    """How an operation is differentiated when a given set of its arguments needs a gradient.

    positions: those arguments, less the ones without a rule; rules: their rules.
    save(arrays, out, params): for each of them the tuple of values its rule takes after `g`.
    sources: what each of these values is: an argument's number, OUT, REST, or None for a shape or
        a parameter. saves: whether any of them is an array.
    whole: the function that gives the gradients of all of them, if one does.
    """

    __slots__ = ("positions", "primitive", "rules", "save", "saves", "sources", "whole")

    def __init__(self, primitive: Primitive, mask: int) -> None:
        self.primitive = primitive
        self.positions = tuple(
            i for i in range(mask.bit_length()) if mask >> i & 1 and primitive.rule_of(i)
        )
        self.rules: tuple[Callable, ...] = tuple(map(primitive.rule_of, self.positions))  # type: ignore[arg-type]
        self.whole = getattr(self.rules[0], "whole", None) if self.rules else None
        fixed = len(primitive.arguments)
        others = [i - fixed for i in self.positions if i >= fixed]
        first = len(self.positions) - len(others)
        values = [
            [primitive.value_of(name) for name in rule_needs(rule)]
            for rule in self.rules[: first + 1]  # the others have one rule
        ]
        sources = [tuple([source for _, source in row]) for row in values]
        self.sources = (*sources[:first], *sources[first:] * len(others))
        self.saves = any(source is not None for row in sources for source in row)
        # Evaluated text rather than a loop over names: 0.1 us an operation instead of 0.5.
        rows = ["".join([text + ", " for text, _ in row]) for row in values]
        text = "".join([f"({row}), " for row in rows[:first]])
        if others:
            shared = ""
            for n, (value, _) in enumerate(values[first]):
                if value.startswith("tuple("):  # one for all: 1000 arrays, not a million
                    shared += f" for v{n} in [{value}]"
                    rows[first] = rows[first].replace(value, f"v{n}")
            text += f"*[({rows[first]}){shared} for position in others], "
        self.save = eval(
            f"lambda arrays, out, params: ({text})",
            {"defaults": primitive.defaults, "others": others},
        )

    def at_once(self, g: Any, values: Sequence) -> tuple[tuple[Callable, ...], tuple[tuple, ...]]:
        """Rules that give what `whole` finds now, and the values that they take: none."""
        found = self.whole(g, *values)  # type: ignore[misc]
        rules = tuple([lambda _, d=found[rule.place]: d for rule in self.rules])  # type: ignore[attr-defined]
        return rules, ((),) * len(rules)


class _Part:
    """A rule that picks its argument's gradient from those a function gives for several."""

    def __init__(self, whole: Callable, place: int) -> None:
        self.whole, self.place, self.__code__ = whole, place, whole.__code__

    def __call__(self, g: Any, *values: Any) -> Any:
        return self.whole(g, *values)[self.place]


def shared(whole: Callable, *arguments: str) -> dict[str, Any]:
    """The rules of all these arguments, from one function that gives a tuple of their gradients.

    It is to be the only rule of an operation; a backward pass calls it once.
    """
    return {argument: _Part(whole, place) for place, argument in enumerate(arguments)}


def rule_needs(rule: Callable) -> list[str]:
    """Names of what a rule takes besides the output's gradient."""
    return list(rule.__code__.co_varnames[1 : rule.__code__.co_argcount])

"""Options for users, declared once as fields of frozen dataclasses; the API, command line and form read them."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from memegen.base.errors import InputError

Function = TypeVar("Function", bound=Callable[..., Any])


class Choosable(Protocol):
    """A frozen dataclass whose fields are made by `option`."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


class Option(NamedTuple):
    """The description of an option.

    Attributes:
        name: Its name in Python.
        default: Its value when nothing is chosen.
        title: Its label in a form.
        help: One line that says what it does.
        choices: The values it can have, each with its words for a form; empty where any value will do.
        low: The least number.
        high: The largest number.
        unit: What a number counts, such as "seconds".
    """

    name: str
    default: Any
    title: str
    help: str
    choices: Mapping[Any, str] = {}
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it is a number with a unit."""
        return bool(self.unit)

    def check(self, value: Any) -> None:
        """Check that a value is one of the choices and within the range.

        Raises:
            InputError: The message says what can be chosen.
        """
        words = self.name.replace("_", " ")
        if self.choices and value not in self.choices and value is not self.default:
            *most, last = map(str, self.choices)
            raise InputError(f"The {words} is {value!r}: choose {', '.join(most)} or {last}.")
        if self.is_number and value is not None and not self._holds(value):
            given = f"{value:g}" if isinstance(value, int | float) else repr(value)
            raise InputError(f"The {words} is {given}: give {self.range}.")

    @property
    def range(self) -> str:
        """The valid numbers in words: "0 to 3 seconds"."""
        if math.isfinite(self.high):
            return f"{self.low:g} to {self.high:g} {self.unit}"
        return f"{self.low:g} or more {self.unit}" if math.isfinite(self.low) else f"a number of {self.unit}"

    def _holds(self, value: Any) -> bool:
        """Return whether a value is a number within the range."""
        return isinstance(value, int | float) and math.isfinite(value) and self.low <= value <= self.high


def option(default: Any, title: str, help: str, **details: Any) -> Any:
    """Declare a field of an option dataclass; see `Option` for the details."""
    return dataclasses.field(default=default, metadata={"title": title, "help": help, **details})


def options_of(kind: type[Choosable]) -> Iterator[Option]:
    """Describe the options of a dataclass, in their order."""
    for field in dataclasses.fields(kind):
        yield Option(field.name, field.default, **field.metadata)


def check_options(chosen: Choosable) -> None:
    """Check every option of an instance; its `__post_init__` calls this.

    Raises:
        InputError: A value is not among the choices or not within the range; the message says what can be chosen.
    """
    for one in options_of(type(chosen)):
        one.check(getattr(chosen, one.name))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Ask for the known word that a misspelled one may stand for: "Did you mean 'vox'? "; nothing if none is close."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1)
    return f"Did you mean {close[0]!r}? " if close else ""


def sort_options(words: Mapping[str, Any], *kinds: type[Any]) -> tuple[Any, ...]:
    """Sort a function's keywords into one instance of each option dataclass.

    Raises:
        TypeError: A keyword belongs to none of them.
        InputError: A value can't be used.
    """
    names = {kind: [field.name for field in dataclasses.fields(kind)] for kind in kinds}
    known = [name for several in names.values() for name in several]
    for word in words:
        if word not in known:
            listed = f"Known options: {', '.join(known)}."
            raise TypeError(f"There is no option {word!r}. {did_you_mean(word, known).strip() or listed}")
    return tuple(kind(**{word: words[word] for word in names[kind] if word in words}) for kind in kinds)


def takes_options(*kinds: type[Any]) -> Callable[[Function], Function]:
    """Show the options of these dataclasses in the signature and docstring of a function with `**options`."""

    def wrap(function: Function) -> Function:
        signature = inspect.signature(function)
        *plain, _ = signature.parameters.values()
        every = [one for kind in kinds for one in options_of(kind)]
        keyword = inspect.Parameter.KEYWORD_ONLY
        shown = [inspect.Parameter(one.name, keyword, default=one.default) for one in every]
        function.__signature__ = signature.replace(parameters=[*plain, *shown])  # type: ignore[attr-defined]
        listed = "\n".join(f"        {one.name}: {one.help} Default: {one.default!r}." for one in every)
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nOptions:\n{inspect.cleandoc(listed)}\n"
        return function

    return wrap

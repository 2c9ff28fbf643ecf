"""Options: declared once, checked, and shown by every interface alike."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import pytest

import memegen
from memegen.base.errors import InputError, MemegenError
from memegen.base.options import check_options, option, options_of, sort_options, takes_options
from memegen.cli import main
from memegen.meme import OPTIONS
from memegen.widgets.options import PAGES


@dataclass(frozen=True)
class Tea:
    """A cup of tea."""

    sugar: int = option(1, "Sugar", "How much sugar.", low=0, high=3, unit="lumps")
    kind: str = option("green", "Kind", "Which leaves.", choices={"green": "green tea", "black": "black tea"})

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Milk:
    """What goes into it."""

    warm: bool = option(False, "Warm", "Warm the milk.")


def test_every_option_is_described() -> None:
    names = [one.name for kind in OPTIONS for one in options_of(kind)]
    assert len(set(names)) == len(names)
    for one in (one for kind in OPTIONS for one in options_of(kind)):
        assert one.title, one.name
        assert one.help.endswith("."), one.name
        assert one.default is None or not one.choices or one.default in one.choices, one.name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"sugar": 4}, "The sugar is 4: give 0 to 3 lumps."),
        ({"sugar": float("nan")}, "The sugar is nan: give 0 to 3 lumps."),
        ({"sugar": "two"}, "The sugar is 'two': give 0 to 3 lumps."),
        ({"kind": "red"}, "The kind is 'red': choose green or black."),
    ],
)
def test_a_value_out_of_range_is_refused(words: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as refused:
        Tea(**words)  # type: ignore[arg-type]
    assert str(refused.value) == said


def test_words_are_sorted_into_their_dataclasses() -> None:
    assert sort_options({"warm": True, "sugar": 2}, Tea, Milk) == (Tea(sugar=2), Milk(warm=True))
    with pytest.raises(TypeError, match=r"There is no option 'shugar'\. Did you mean 'sugar.\?"):
        sort_options({"shugar": 2}, Tea, Milk)


def test_a_function_shows_the_options_it_takes() -> None:
    @takes_options(Tea, Milk)
    def brew(water: int, **options: object) -> int:
        """Brew tea."""
        return water

    assert list(inspect.signature(brew).parameters) == ["water", "sugar", "kind", "warm"]
    assert "sugar: How much sugar." in str(brew.__doc__)
    for function in (memegen.make_meme, memegen.load_animator, memegen.make_batch):
        assert "expression: Gain of mouth" in str(function.__doc__)
        assert inspect.signature(function).parameters["expression"].default == 1.0


def test_the_command_line_offers_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["make", "--help"])
    told = capsys.readouterr().out
    spelled = {"destination": "--for", "relative": "--absolute", "best_frame": "--first-frame", "precision": "--exact"}
    for one in (one for kind in OPTIONS for one in options_of(kind)):
        assert spelled.get(one.name, f"--{one.name.replace('_', '-')}") in told, one.name


def test_the_form_offers_declared_options_only() -> None:
    declared = {one.name for kind in OPTIONS for one in options_of(kind)}
    assert {name for names in PAGES.values() for name in names} <= declared


def test_an_error_says_its_remedy_in_the_words_of_python() -> None:
    error = MemegenError("It needs torch.", remedy={"engine": "mesh"})
    assert str(error) == "It needs torch. Or use engine='mesh'."
    assert error.message == "It needs torch."
    assert str(MemegenError("Nothing helps.")) == "Nothing helps."

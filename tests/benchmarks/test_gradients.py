"""The table of errors: what is right passes, faults are alarms, exact references judge."""

import argparse
import json

import pytest

from autodiff import tensor
from autodiff.families import REGISTRY
from autodiff.testing import Report
from autodiff.testing.report import Row
from benchmarks.gradients import checks, command, digits
from benchmarks.gradients.checks import Tally
from benchmarks.report import page
from tests.autodiff.samples import SAMPLES


def asked(*arguments):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["gradients", *arguments])


def tally(name, **errors):
    """What was found, given as complex_step=(1e-16,): one error, of order 1 in reverse mode."""
    rows = [Row("x", 1, "reverse", how.replace("_", " "), error) for how, error in errors.items()]
    found = Tally(name, checks=1)
    found.add(Report(rows))
    return found


def test_every_sample_is_checked_with_every_seed_in_both_orders_and_modes():
    found = checks.operation("matmul", 2, quick=False)
    assert found.checks == 2 * len(SAMPLES["matmul"])
    assert found.errors["complex step"].keys() == set(command.PLACES)
    assert 0 < found.worst(command.EXACT, command.PLACES) < 1e-14
    assert not found.alarms and not found.kinks


@pytest.mark.parametrize("name", ["erf", "cholesky"])
def test_derivatives_in_60_digits_stand_in_where_the_complex_step_does_not_go(name):
    pytest.importorskip("mpmath")
    found = checks.operation(name, 1, quick=True)
    assert found.errors.keys() == {"differences", "60 digits"}
    assert found.errors["60 digits"].keys() == set(command.PLACES)
    assert found.worst(command.EXACT, command.PLACES) < 1e-14


def test_without_mpmath_differences_alone_stand_for_them(monkeypatch):
    monkeypatch.setattr(digits, "AVAILABLE", False)
    assert checks.operation("erf", 1, quick=True).errors.keys() == {"differences"}


def test_derivatives_in_60_digits_find_what_is_wrong_in_the_tenth(monkeypatch):
    pytest.importorskip("mpmath")
    wrong = {"erf": lambda mp, x: mp.erf(x) * (1 + 1e-10)}
    monkeypatch.setattr(digits, "DEFINITIONS", wrong)
    [sample, *_] = SAMPLES["erf"]
    errors = [row.error for row in digits.report(REGISTRY["erf"], sample, 0).rows]
    assert len(errors) == 4
    assert all(1e-11 < error < 1e-9 for error in errors)


def test_numpy_functions_without_a_protocol_are_judged_by_their_own_complex_step():
    found = checks.operation("windows", 1, quick=True)
    assert found.errors["complex step"].keys() == {"order 1: reverse"}
    assert found.worst(command.EXACT, command.PLACES) < 1e-14


def test_a_derivative_that_is_called_wrong_is_an_alarm_and_an_error_too():
    found = Tally("faulty")
    found.check(lambda x: x.detach() * x, tensor([1.0, 2.0]), seed=0)
    found.check(lambda x: x @ x, tensor(1.0), seed=0)
    assert found.checks == 2 and not found.errors
    assert [alarm.partition(":")[0] for alarm in found.alarms] == ["faulty"] * 2
    assert "the derivative by x" in found.alarms[0]


def test_random_programs_are_as_many_as_asked_for():
    found = checks.random_programs(5)
    assert found.checks == 5 and not found.alarms and not found.judged


def test_kinks_are_reported_as_kinks():
    reports = checks.at_kinks()
    assert reports.keys() == checks.KINKS.keys()
    assert all(report.kinks for report in reports.values())
    assert {row[-1] for row in command.at_kinks(reports).rows} == {"a kink"}
    assert command.at_kinks({"abs at 1": Report()}).rows[0][-1] == "NOT REPORTED"


def test_the_worst_come_first_and_only_exact_references_are_judged():
    tallies = [
        tally("fine", complex_step=1e-16),
        tally("missed", **{"60_digits": 2e-12}),
        tally("rough", differences=1e-9),
    ]
    exact, by_differences = command.tabulated(tallies)
    assert [(row[0], row[-1]) for row in exact.rows] == [("missed", "MISSED"), ("fine", "met")]
    assert [(row[0], row[-1]) for row in by_differences.rows] == [("rough", "-")]
    first, second = command.error_bars(tallies)
    assert (first.value, first.met) == (2e-12, False) and first.figure.endswith("missed")
    assert (second.value, second.met) == (0.0, True)


def test_random_programs_are_shown_but_not_judged():
    found = tally("programs", complex_step=1e-11)
    found.judged = False
    [table] = command.tabulated([found])
    assert table.rows[0][-1] == "-"


def test_tables_fit_on_a_screen():
    name = max(checks.operations("*"), key=len)
    missed = tally(name, complex_step=1e-10)
    [table] = command.tabulated([missed, tally("exp", complex_step=1e-16, **{"60_digits": 1e-16})])
    assert [row[5] for row in table.rows] == ["complex step", "both"]
    assert max(map(len, str(table).splitlines())) <= 120


def test_the_command_prints_and_writes_what_it_found(tmp_path, capsys):
    path = tmp_path / "gradients.json"
    assert command.run(asked("log*", "--quick", "--json", str(path))) == 0
    printed = capsys.readouterr().out
    record = json.loads(path.read_text())
    names = checks.operations("log*")
    assert record["errors"].keys() == set(names)
    assert f"{len(names)} random checks" in printed and "0 false alarms" in printed
    assert [bar["met"] for bar in record["bars"]] == [True] * 3
    sections = {section.title: section for section in page.sections([record], {})}
    assert len(sections["gradients"].tables) == len(record["tables"])
    rows = sections["Figures to reach"].tables[0].rows
    assert [row[-1] for row in rows if row[1] == "gradients"] == ["met"] * 3


def test_false_alarms_end_the_command_with_status_1(monkeypatch, capsys):
    def operation(name, seeds, quick):
        return Tally(name, checks=1, alarms=[f"{name}: GradcheckError: it is said to be wrong"])

    monkeypatch.setattr(checks, "operation", operation)
    assert command.run(asked("tan")) == 1
    printed = capsys.readouterr().out
    assert "tan: GradcheckError: it is said to be wrong" in printed
    assert "1 false alarms" in printed


def test_an_unknown_operation_is_refused_with_those_there_are(capsys):
    assert command.run(asked("no such")) == 2
    said = capsys.readouterr().err
    assert "no operation 'no such'" in said and "matmul" in said


def test_without_the_tests_it_says_what_it_needs(monkeypatch, capsys):
    def absent(name):
        raise ModuleNotFoundError("No module named 'hypothesis'")

    monkeypatch.setattr(command.importlib, "import_module", absent)
    assert command.run(asked()) == 2
    assert "No module named 'hypothesis'" in capsys.readouterr().out

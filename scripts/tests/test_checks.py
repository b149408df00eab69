"""What `scripts/test` says has to be true: the numbers, what did not run, and the exit status."""

import sys
from pathlib import Path

from checks.counts import Counts, cargo_counts, pytest_counts, sdk_counts
from checks.run import Result, not_run, run
from checks.steps import Step

CARGO = """
running 4 tests
test suite::memory ... ok
test suite::minio ... ok
test suite::broken ... FAILED
test suite::later ... ignored, needs a cluster

successes:
---- suite::minio stdout ----
SKIPPED suite::minio: HOLDALL_TEST_MINIO_ENDPOINT is not set

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running another binary
test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_good"/>
<testcase classname="tests.test_a" name="test_bad"><failure message="no"/></testcase>
<testcase classname="tests.test_a" name="test_s3[1]"><skipped message="no S3 service"/></testcase>
<testcase classname="tests.test_a" name="test_s3[2]"><skipped message="no S3 service"/></testcase>
<testcase classname="tests.test_b" name="test_bug">
<skipped type="pytest.xfail" message="known"/></testcase>
</testsuite></testsuites>"""


def test_cargo_tests_without_their_service_count_as_skipped() -> None:
    counts = cargo_counts(CARGO)
    assert (counts.passed, counts.failed, counts.skipped_tests) == (6, 1, 2)
    assert counts.failures == ["suite::broken"]
    assert counts.skipped == [
        "suite::minio: HOLDALL_TEST_MINIO_ENDPOINT is not set",
        "suite::later: needs a cluster",
    ]


def test_pytest_skips_are_named_once_for_each_reason(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(JUNIT)
    counts = pytest_counts(report)
    assert (counts.passed, counts.failed, counts.skipped_tests) == (2, 1, 2)
    assert counts.failures == ["test_a::test_bad"]
    assert counts.skipped == ["test_a: no S3 service (2 tests)"]


def step(code: str, **more: object) -> Step:
    return Step("step", [[sys.executable, "-c", code]], **more)  # type: ignore[arg-type]


def test_a_check_that_fails_is_one_failure_that_names_the_command() -> None:
    result = run(step("raise SystemExit(3)"))
    assert not result.ok
    assert result.counts.failed == 1
    assert "ended with 3" in result.counts.failures[0]


def test_a_suite_that_does_not_start_is_a_failure() -> None:
    result = run(step("raise SystemExit(101)", counts=cargo_counts))
    assert (result.ok, result.counts.failed) == (False, 1)


def test_a_suite_in_which_no_test_ran_is_a_failure() -> None:
    result = run(step("print('nothing here')", counts=cargo_counts))
    assert (result.ok, result.counts.failures) == (False, ["no test ran"])


def test_later_commands_of_a_step_do_not_hide_an_earlier_failure() -> None:
    failing = [sys.executable, "-c", "raise SystemExit(1)"]
    passing = [sys.executable, "-c", ""]
    assert not run(Step("step", [failing, passing])).ok


def test_what_did_not_run_is_neither_passed_nor_failed() -> None:
    result = not_run("stubs", "extension failed")
    assert isinstance(result, Result)
    assert result.counts == Counts(skipped_tests=1, skipped=["extension failed"])


def test_generations_of_the_sdk_are_added_up(tmp_path: Path) -> None:
    for generation in ["1.10.0", "2.0.0"]:
        (tmp_path / f"{generation}.xml").write_text(JUNIT)
    counts = sdk_counts(tmp_path)
    assert (counts.passed, counts.failed, counts.skipped_tests) == (4, 2, 4)
    assert counts.failures == ["1.10.0: test_a::test_bad", "2.0.0: test_a::test_bad"]
    assert counts.skipped[0] == "1.10.0: test_a: no S3 service (2 tests)"

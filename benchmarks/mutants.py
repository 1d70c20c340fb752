"""Do tests notice faults? mutmut plants them in the core, one at a time; prints how many they do.

`make mutants`, or for a tenth of two modules, the mutants whose number ends in 3:
`python benchmarks/mutants.py --digits 3 core.ledger release.diff`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
KILLED = {1, 3, 24, 36, 152, 255, -24}  # failed, broke, or took for ever; as mutmut counts
UNTESTED = {5, 33}  # no test of the selection comes by
VERIFY = [
    f"audit/test_{name}.py"
    for name in ("row_checks", "verify", "verify_checks", "verify_papers", "wrong_builds")
]
BATCHES = [
    f"pipeline/test_row_batches.py::{test}"
    for test in (
        "test_the_sample[None-None-flag]",
        "test_a_row_that_is_larger_than_a_shard_has_one_alone",
        "test_many_rows_in_several_row_groups_and_shards",
        "test_a_row_that_was_withdrawn_stays_so",
        "test_digests_and_row_groups_of_tables_are_those_of_rows",
    )
]
BUILD = ["core/test_ledger.py", "pipeline/test_worker.py", "pipeline/test_build.py", *BATCHES]
# the tests of each module that take seconds, not minutes; these take too long
SLOW = "any_table or a_first_release_loads or that_fails_a_first_release"
TESTS = {
    "core.key_digests": ["core/test_keys.py"],
    "core.atomic_files": ["core/test_shards.py", "core/test_outputs.py"],
    "core.ledger": ["core/test_ledger.py"],
    "core.manifest": ["core/test_manifest.py", "pipeline/test_build.py"],
    "core.shard_files": ["core/test_parquet_layout.py", "core/test_ledger.py", *BATCHES],
    "pipeline.shard_plan": [
        "pipeline/test_shard_plan.py",
        "pipeline/test_build.py",
        *BATCHES,
        "pipeline/test_row_batches.py::test_the_sample[4-None-flag]",
        "corpora/test_licence_filter.py::test_rows_whose_licence_allows_it",
    ],
    "pipeline.worker": [
        *BUILD,
        "pipeline/test_refresh.py",
        "pipeline/test_kept_bytes.py::test_work_that_was_damaged_is_done_again",
        "pipeline/test_kept_bytes.py::test_a_build_over_a_broken_one_mends_it",
    ],
    "release.diff": ["release/test_diff.py"],
    "release.publish": [
        "release/test_publish.py",
        "release/test_publish_refused.py",
        "release/test_publish_faults.py",
        "release/test_history.py::test_each_version_says_what_it_changed",
        "release/test_withdraw.py::test_a_push_of_a_build_that_knows_nothing_of_it_is_refused",
        "audit/test_verify_papers.py::test_the_tag_of_a_release_has_the_seal",
    ],
    "audit.verify": VERIFY,
    "audit.checked_build": VERIFY,
    "audit.checks_files": VERIFY,
    "audit.checks_ledger": VERIFY,
    "audit.checks_rows": VERIFY,
    "release.checks_papers": VERIFY,
}
RUN = """
import json, sys
from mutmut.__main__ import _run
from mutmut.configuration import config
config().pytest_add_cli_args_test_selection, names, jobs = json.loads(sys.argv[1])
_run(names, jobs)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("modules", nargs="*", choices=[[], *TESTS], default=[*TESTS])
    parser.add_argument(
        "--digits", default="0123456789", help="of mutants that are tried, the last"
    )
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    os.chdir(ROOT)
    survivors: list[str] = []
    rows = ["| module | mutants | tried | noticed | survived | no test comes by | score |"]
    rows.append("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as samples:
        build = [sys.executable, "-m", "edge_glass", "build", "--out", samples, "--jobs", "1"]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        env = os.environ | {"EDGE_GLASS_TEST_BUILT": samples}
        for selection, group in groupby(asked.modules, key=TESTS.__getitem__):
            modules = [*group]  # what was tried with another selection is forgotten
            tests = [*(f"tests/{file}" for file in selection), "-k", f"not ({SLOW})"]
            mutants = [f"edge_glass.{module}.*__mutmut_*[{asked.digits}]" for module in modules]
            run = [sys.executable, "-c", RUN, json.dumps([tests, mutants, asked.jobs])]
            subprocess.run(run, check=True, env=env)
            rows += [_row(module, survivors) for module in modules]
    print(*rows, *survivors, sep="\n")


def _row(module: str, survivors: list[str]) -> str:
    """What came of a module's mutants; those that survived are added, each with its change."""
    file = f"edge_glass/{module.replace('.', '/')}.py"
    codes = json.loads(Path(f"mutants/{file}.meta").read_text())["exit_code_by_key"]
    kinds = {name: _kind(code) for name, code in codes.items() if code is not None}
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    for name, kind in kinds.items():
        if kind != "noticed":
            shown = get_diff_for_mutant(name, path=file).splitlines()
            changed = [line for line in shown if line[:1] in ("-", "+")]
            survivors += [f"\n{name}: {kind}", *changed[2:]]
    of = Counter(kinds.values())
    counts = [len(codes), len(kinds), of["noticed"], of["survived"], of["untested"]]
    return f"| {file} | {' | '.join(map(str, counts))} | {of['noticed'] / len(kinds):.0%} |"


def _kind(code: int) -> str:
    return "noticed" if code in KILLED else "untested" if code in UNTESTED else "survived"


if __name__ == "__main__":
    main()

"""The house rules, held against the whole project. Nothing is exempt."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from backend.settings import SECTIONS
from tests import documents, house, house_rules
from tests.house import Package

ROOT = Path(__file__).parent.parent
BACKEND = Package(ROOT / "backend")
EVERYTHING = [Package(ROOT / name) for name in ("backend", "tests", "benchmarks")]

MAX_FILE, MEDIAN_FILE, MAX_FUNCTION, MAX_TASK = 300, 130, 60, 25
BROAD_EXCEPTS_PER_1000_LINES = 0.5

# Split, so that this file does not mention what it forbids.
FOREIGN_WORDS = [
    "/wo" "rk/", r"\.\./sha" "red", "sha" "red/(seeds|facts|design)", "seed 0" "0", "issues sh" "ow", "/opt/" "(pypi|wheels)",
    "pypi" r"\.org/simple", "python" r"hosted\.org", r"registry\.npm" "js", "cla" "ude", "anth" "ropic", "ai ass" "istant",
]  # fmt: skip


def test_imports_only_go_down() -> None:
    assert house.floor_breaches(BACKEND) == []


def test_imports_run_in_no_circle() -> None:
    assert house.circles(BACKEND) == []


def test_imports_are_absolute() -> None:
    assert [breach for package in EVERYTHING for breach in house.relative_imports(package)] == []


def test_models_know_nothing_but_the_database() -> None:
    assert house.models_that_reach_out(BACKEND) == []


def test_no_file_is_long() -> None:
    assert [breach for package in EVERYTHING for breach in house.long_files(package, MAX_FILE)] == []


def test_most_files_are_short() -> None:
    assert house.median_lines(BACKEND) <= MEDIAN_FILE


def test_no_function_is_long() -> None:
    assert [breach for package in EVERYTHING for breach in house.long_functions(package, MAX_FUNCTION)] == []


def test_a_task_is_a_thin_shell() -> None:
    assert house.long_tasks(BACKEND, MAX_TASK) == []


def test_a_task_says_how_a_repeat_stays_harmless() -> None:
    assert house_rules.tasks_silent_about_repeats(BACKEND) == []


def test_almost_nothing_catches_everything() -> None:
    broad = house_rules.broad_excepts(BACKEND)
    allowed = BROAD_EXCEPTS_PER_1000_LINES * sum(module.lines for module in BACKEND.written()) / 1000
    assert len(broad) <= allowed, f"{len(broad)} where {allowed:.1f} may be: {broad}"


def test_everything_says_what_it_is() -> None:
    assert house_rules.without_docstring(BACKEND) == []


def test_one_file_commits() -> None:
    assert {breach.partition(":")[0] for breach in house_rules.commits(BACKEND)} == {"backend.db.session"}


def test_nobody_keeps_a_list_of_tasks() -> None:
    assert house_rules.task_lists(BACKEND) == []
    assert house_rules.named_in_the_door(BACKEND, "backend._internal.background_tasks") == []


def test_no_program_is_started_through_a_shell() -> None:
    assert [breach for package in EVERYTHING for breach in house_rules.shells(package)] == []


def test_no_room_is_called_junk() -> None:
    assert [breach for package in EVERYTHING for breach in house_rules.junk_rooms(package)] == []


@pytest.mark.timeout(400)  # everything is imported, which takes its time on a busy machine
@pytest.mark.parametrize("entry", ["main", "worker", "cli"])
def test_each_entry_is_imported_by_a_fresh_interpreter_without_a_warning(entry: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import backend.{entry}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def _documentation() -> str:
    return "\n".join(path.read_text() for path in documents.documents(ROOT / "docs"))


def test_every_setting_is_documented() -> None:
    text = _documentation()
    names = [name.upper() for section in SECTIONS for name in section.model_fields]
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


def test_every_task_is_documented() -> None:
    text = _documentation()
    names = [task.function.name for task in BACKEND.tasks()]
    assert names
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


def test_every_link_leads_somewhere() -> None:
    assert (ROOT / "README.md").exists()
    assert documents.broken_links(ROOT) == []


def test_every_command_in_the_documents_exists() -> None:
    from backend.cli import app

    program = typer.main.get_command(app)
    wrong = [
        f"{path.name}: backline {' '.join(words)}: {part}"
        for path in documents.documents(ROOT)
        for words in documents.commands(path.read_text(), "backline")
        if (part := documents.unknown_part(program, words))
    ]
    assert wrong == []


def test_every_module_that_the_documents_start_exists() -> None:
    named = {
        words[0]
        for path in documents.documents(ROOT)
        for words in documents.commands(path.read_text(), r"python3? -m")
        if words[0].split(".")[0] in ("backend", "benchmarks", "tests")
    }
    paths = {name: ROOT.joinpath(*name.split(".")) for name in named}
    assert [name for name, path in paths.items() if not (path.with_suffix(".py").exists() or path.is_dir())] == []


def test_no_file_speaks_of_the_place_where_it_was_written() -> None:
    assert documents.mentions(ROOT, FOREIGN_WORDS) == []

"""Each house rule fails where it should: on small packages written for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from tests import documents, house, house_rules
from tests.house import Package

TASK = '"""A room."""\n@task(queue="media")\nasync def {name}(x: str) -> None:\n    """A repeat is harmless."""\n'
Rule = Callable[[Package], list[str]]


def package(tmp_path: Path, **sources: str) -> Package:
    """A package named `backend`. `db__session="..."` is the file `backend/db/session.py`."""
    root = tmp_path / "backend"
    for name, source in {"__init__": '"""Ours."""\n', **sources}.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py") if name != "__init__" else root / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return Package(root)


@pytest.mark.parametrize(
    ("room", "source", "target"),
    [
        ("db__session", "from backend.runtime import task", "runtime__task"),
        ("db__session", "def f():\n    from backend.runtime import task", "runtime__task"),
        ("db__session", "if TYPE_CHECKING:\n    from backend.runtime import task", "runtime__task"),
        ("db__session", "import importlib\nimportlib.import_module('backend.runtime.task')", "runtime__task"),
        ("runtime__task", "import backend.storage.local", "storage__local"),
        ("storage__local", "from backend.db import session", "db__session"),
        ("domains__media__x", "from backend.domains.library import y", "domains__library__y"),
        ("domains__media__x", "from backend.flows.x import y", "flows__x"),
        ("flows__x", "from backend.db.session import unit_of_work", "db__session"),
        ("_internal__background", "from backend.api.app import y", "api__app"),
        ("api__app", "from backend.dashboard.app import y", "dashboard__app"),
        ("api__app", "from backend.flows.x import y", "flows__x"),
        ("cli__app", "from backend.main import app", "main"),
        ("settings__base", "from backend.db import session", "db__session"),
        ("errors", "from backend.settings import base", "settings__base"),
    ],
)
def test_an_import_up_or_sideways_is_seen(tmp_path: Path, room: str, source: str, target: str) -> None:
    ours = package(tmp_path, **{room: source, target: ""})
    assert len(house.floor_breaches(ours)) == 1


@pytest.mark.parametrize(
    ("room", "source", "target"),
    [
        ("runtime__task", "from backend.db import session", "db__session"),
        ("domains__media__x", "from backend.domains.media import y", "domains__media__y"),
        ("flows__x", "from backend.domains.media import y", "domains__media__y"),
        ("main", "from backend.db import session", "db__session"),
        ("db__session", "from backend import __version__", "db__x"),
        ("db__session", "import sqlalchemy\nfrom backendless import x", "db__x"),
    ],
)
def test_an_import_down_is_fine(tmp_path: Path, room: str, source: str, target: str) -> None:
    assert house.floor_breaches(package(tmp_path, **{room: source, target: ""})) == []


def test_a_room_without_a_floor_is_seen(tmp_path: Path) -> None:
    assert house.floor_breaches(package(tmp_path, attic__x="")) == ["backend.attic.x stands on no floor"]


@pytest.mark.parametrize("how", ["{}", "def f():\n    {}", "if TYPE_CHECKING:\n    {}"])
def test_a_circle_is_seen_wherever_the_import_stands(tmp_path: Path, how: str) -> None:
    ours = package(
        tmp_path,
        db__a="from backend.db import b",
        db__b="from backend.db.c import x",
        db__c=how.format("import backend.db.a"),
    )
    assert house.circles(ours)
    assert set(house.circles(ours)[0].split(" -> ")) == {"backend.db.a", "backend.db.b", "backend.db.c"}


def test_a_circle_through_a_packages_face_is_seen(tmp_path: Path) -> None:
    ours = package(tmp_path, db__x="from backend.db import thing", **{"db____init__": ""})
    (tmp_path / "backend/db/__init__.py").write_text("from backend.db.x import thing")
    assert house.circles(Package(ours.modules["backend"].path.parent)) != []


def test_no_circle_is_no_breach(tmp_path: Path) -> None:
    assert house.circles(package(tmp_path, db__a="from backend.db import b", db__b="")) == []


def test_a_migration_may_be_long_and_nothing_else(tmp_path: Path) -> None:
    long = "x = 1\n" * 301
    ours = package(tmp_path, db__session=long, db__migrations__versions__0001=long)
    assert house.long_files(ours, 300) == ["backend.db.session has 301 lines"]


def test_long_functions_and_long_tasks_are_seen(tmp_path: Path) -> None:
    body = "".join(f"    x = {n}\n" for n in range(26))
    long = "class C:\n    def f(self):\n" + "        x = 1\n" * 60
    ours = package(tmp_path, runtime__a=long, domains__media__room=TASK.format(name="work") + body)
    assert house.long_functions(ours, 60) == ["backend.runtime.a:2 f has 61 lines"]
    assert house.long_functions(ours, 61) == []
    assert house.long_tasks(ours, 25) == ["backend.domains.media.room:3 work has a body of 26 lines"]
    assert house.long_tasks(ours, 26) == []


def test_the_median_passes_over_files_that_only_hold_a_docstring(tmp_path: Path) -> None:
    assert house.median_lines(package(tmp_path, a="x = 1\n" * 200, b="x = 1\n" * 100, c="x\n", d="x\n")) == 150


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (house.relative_imports, "from . import x"),
        (house_rules.broad_excepts, "try: ...\nexcept Exception: ..."),
        (house_rules.broad_excepts, "try: ...\nexcept: ..."),
        (house_rules.broad_excepts, "try: ...\nexcept (OSError, BaseException) as e: ..."),
        (house_rules.broad_excepts, "with contextlib.suppress(Exception): ..."),
        (house_rules.commits, "async def f(s):\n    await s.commit()"),
        (house_rules.commits, "c.execute('commit;')"),
        (house_rules.shells, "subprocess.run('ls', shell=True)"),
        (house_rules.shells, "os.system('ls')"),
        (house_rules.shells, "await asyncio.create_subprocess_shell('ls')"),
        (house_rules.tasks_silent_about_repeats, '@task\nasync def f():\n    """Does it."""'),
    ],
)
def test_what_may_not_be_said_is_seen(tmp_path: Path, rule: Rule, source: str) -> None:
    assert len(rule(package(tmp_path, runtime__x=source))) == 1


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (house_rules.broad_excepts, "try: ...\nexcept (OSError, ValueError): ..."),
        (house_rules.shells, "subprocess.run(['ls'], shell=False)"),
        (
            house_rules.tasks_silent_about_repeats,
            '@task\nasync def f():\n    """An upsert, so a repeat is harmless."""',
        ),
    ],
)
def test_what_may_be_said_passes(tmp_path: Path, rule: Rule, source: str) -> None:
    assert rule(package(tmp_path, runtime__x=source)) == []


def test_what_has_no_sentence_is_seen(tmp_path: Path) -> None:
    source = (
        '"""A room."""\ndef said():\n    """Says it."""\ndef silent(): ...\nclass Silent: ...\ndef _private(): ...\n'
    )
    ours = package(tmp_path, runtime__x=source, runtime__y="", runtime__z='"""no sentence"""')
    assert house_rules.without_docstring(ours) == [
        "backend.runtime.x:4 silent",
        "backend.runtime.x:5 Silent",
        "backend.runtime.y:1 the module",
        "backend.runtime.z:1 the module",
    ]


def test_junk_rooms_are_seen(tmp_path: Path) -> None:
    ours = package(tmp_path, runtime__utils="", runtime__helpers__x="", runtime__manager="", runtime__commonly="")
    assert house_rules.junk_rooms(ours) == [
        "backend.runtime.helpers.x",
        "backend.runtime.manager",
        "backend.runtime.utils",
    ]


def test_a_list_of_tasks_is_seen(tmp_path: Path) -> None:
    rooms = {
        f"domains__media__{name}": TASK.format(name=name) + f"\nschedule_{name} = scheduler({name})\n"
        for name in ("one", "two", "three")
    }
    ours = package(
        tmp_path,
        **rooms,
        flows__by_name="ALL = [one, rooms.two, schedule_three]",
        flows__by_text="ALL = {'one': 1, 'two': 2, 'three': 3}",
        flows__pair="BOTH = [one, two]",
        _internal__background_tasks="from backend.domains.media.one import schedule_one\n__all__ = ['find']",
    )
    assert [breach.split()[0] for breach in house_rules.task_lists(ours)] == [
        "backend.flows.by_name:1",
        "backend.flows.by_text:1",
    ]
    door = "backend._internal.background_tasks"
    assert house_rules.named_in_the_door(ours, door) == [f"{door} names schedule_one"]


def test_a_model_that_reaches_out_is_seen(tmp_path: Path) -> None:
    ours = package(
        tmp_path, db__models__a="from backend.settings import x\nfrom backend.db import base", settings="", db__base=""
    )
    assert house.models_that_reach_out(ours) == ["backend.db.models.a:1 imports backend.settings"]


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "here.md").write_text("# A Title, here\n")
    (tmp_path / "README.md").write_text(
        "[a](here.md) [b](here.md#a-title-here) [c](https://x.test/y) `[d](code.md)`\n"
        '[e](gone.md) [f](here.md#gone) <img src="gone.png">\n\n```\n[g](in-code.md)\n```\n'
    )
    assert documents.broken_links(tmp_path) == ["README.md: gone.md", "README.md: here.md#gone", "README.md: gone.png"]


def test_a_command_that_does_not_exist_is_seen() -> None:
    app, runs = typer.Typer(), typer.Typer()
    app.add_typer(runs, name="runs")
    app.command("demo")(_demo)
    runs.command("list")(_demo)
    program = typer.main.get_command(app)
    text = "`backline demo --once` and\n\n```\n$ uv run backline runs list  # all\nX=1 backline runs show 1 && backline demo --twice\n```\n\n    backline gone\n"
    shown = documents.commands(text, "backline")
    assert shown == [["demo", "--once"], ["runs", "list"], ["runs", "show", "1"], ["demo", "--twice"], ["gone"]]
    assert [documents.unknown_part(program, words) for words in shown] == [None, None, "show", "--twice", "gone"]


def _demo(once: bool = False) -> None:
    """Show it."""


def test_a_foreign_word_is_seen(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("fine\nFound at THERE\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff there")
    assert documents.mentions(tmp_path, ["there"]) == ["notes.txt:2"]

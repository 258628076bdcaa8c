"""What starts the project elsewhere is readable, and names commands, settings and routes that exist."""

import json
import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from starlette.routing import Match

from backend.settings import SECTIONS, get_settings
from tests import documents

ROOT = Path(__file__).parent.parent
SETTINGS = {name.upper() for section in SECTIONS for name in section.model_fields}
DURABLE = {"--appendonly": "yes", "--appendfsync": "everysec", "--maxmemory-policy": "noeviction"}


def _fly(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text())


def _compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text()))


def _options(command: list[str]) -> dict[str, str]:
    return dict(zip(command[1::2], command[2::2], strict=True))


def _unknown(command: str) -> str | None:
    """What of a `backline ...` command does not exist. Variables may stand before it."""
    from backend.cli import app

    words = [word for word in command.split() if word != "env" and "=" not in word]
    assert words[0] == "backline", command
    return documents.unknown_part(typer.main.get_command(app), words[1:])


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def _just(*words: str) -> str:
    program = shutil.which("just", path=sysconfig.get_path("scripts")) or shutil.which("just")
    assert program, "no just: install the `dev` group"
    done = subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_fly_starts_commands_that_exist() -> None:
    fly = _fly("fly.toml")
    assert set(fly["processes"]) == {"app", "worker"}
    for command in (*fly["processes"].values(), fly["deploy"]["release_command"]):
        assert _unknown(command) is None


def test_fly_sets_settings_that_exist() -> None:
    fly = _fly("fly.toml")
    assert set(fly["env"]) <= SETTINGS
    inline = {name for command in fly["processes"].values() for name in re.findall(r"([A-Z_]+)=", command)}
    assert inline <= SETTINGS
    comments = "\n".join(line for line in (ROOT / "fly.toml").read_text().splitlines() if line.startswith("#"))
    for secret in ("DATABASE_URL", "DOCKET_URL", "STORAGE_ACCESS_KEY_ID", "STORAGE_SECRET_ACCESS_KEY"):
        assert secret in SETTINGS
        assert secret in comments
        assert secret not in fly["env"]


def test_fly_asks_routes_that_exist() -> None:
    from backend.main import app

    fly = _fly("fly.toml")
    assert fly["http_service"]["internal_port"] == int(fly["env"]["HTTP_PORT"])
    paths = [check["path"] for check in fly["http_service"]["checks"]]
    assert set(paths) == {"/health/live", "/health/ready"}
    for path in paths:
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        assert any(route.matches(scope)[0] is Match.FULL for route in app.router.routes), path


def test_fly_waits_longer_than_the_runner_does() -> None:
    assert _seconds(_fly("fly.toml")["kill_timeout"]) > get_settings().runner.runner_shutdown_grace_s + 10


def test_every_process_has_a_machine() -> None:
    fly = _fly("fly.toml")
    assert {name for machine in fly["vm"] for name in machine["processes"]} == set(fly["processes"])


def test_every_redis_is_durable() -> None:
    compose = _compose()["services"]["redis"]
    redis = _fly("fly.redis.toml")
    assert compose["image"] == redis["build"]["image"]
    for command in (compose["command"], redis["experimental"]["cmd"]):
        assert command[0] == "redis-server"
        assert _options(command).items() >= DURABLE.items()
    assert redis["mounts"][0]["destination"] == _options(redis["experimental"]["cmd"])["--dir"]
    local = _just("--show", "redis")
    for option, value in DURABLE.items():
        assert f"{option} {value}" in local


def test_compose_is_reachable_from_this_machine_alone_and_keeps_its_data() -> None:
    compose = _compose()
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert service["healthcheck"]["test"]
        assert {volume.partition(":")[0] for volume in service["volumes"]} <= set(compose["volumes"])
    assert compose["services"]["postgres"]["profiles"] == ["postgres"]


def test_the_image_runs_a_command_that_exists_and_not_as_root() -> None:
    lines = [line.split(maxsplit=1) for line in (ROOT / "Dockerfile").read_text().splitlines() if line[:1].isupper()]
    last = dict(lines)
    assert last["USER"] not in ("root", "0")
    assert _unknown(" ".join(json.loads(last["CMD"]))) is None
    copied = [word for name, rest in lines if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) <= kept
    assert all((ROOT / name).exists() for name in copied)


def test_just_reads_its_recipes_and_they_start_commands_that_exist() -> None:
    tree = json.loads(_just("--dump", "--dump-format", "json"))
    recipes = [*tree["recipes"].values(), *tree["modules"]["backend"]["recipes"].values()]
    assert {"dev", "test", "lint", "lock"} <= set(tree["recipes"])
    assert {"run", "test", "worker"} <= set(tree["modules"]["backend"]["recipes"])
    for recipe in recipes:
        for line in recipe["body"]:
            text = "".join(part if isinstance(part, str) else "" for part in line)
            if match := re.search(r"uv run (backline .*)", text):
                assert _unknown(match[1]) is None
            if match := re.search(r"uv run python -m ([\w.]+)", text):
                assert ROOT.joinpath(*match[1].split(".")).with_suffix(".py").exists(), match[1]


def test_every_recipe_in_the_documents_exists() -> None:
    tree = json.loads(_just("--dump", "--dump-format", "json"))
    known = set(tree["recipes"]) | {f"backend {name}" for name in tree["modules"]["backend"]["recipes"]}
    wrong = [
        f"{path.name}: just {' '.join(words)}"
        for path in documents.documents(ROOT)
        for words in documents.commands(path.read_text(), "just")
        if not words[0].startswith("-") and not {words[0], " ".join(words[:2])} & known
    ]
    assert wrong == []


def test_ci_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert "uv run pytest" in script.read_text()
    assert "uv run pytest" in (ROOT / "README.md").read_text()


def _locked() -> dict[str, str]:
    """Each locked package with its block of the file."""
    blocks = re.split(r"^(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.M)
    return {re.split(r"[=\s]", block, maxsplit=1)[0]: block for block in blocks if block.strip()}


def test_the_lock_has_a_hash_for_everything_and_no_address() -> None:
    for name, block in _locked().items():
        assert re.match(r"[a-z0-9._-]+==\S+", block), name
        assert "--hash=sha256:" in block, name
        assert not re.search(r"://|--index|--find-links|^-e", block, re.M), name


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", line, maxsplit=1)[0]).lower() for line in asked}
    assert names - set(_locked()) == set(), "run `just lock`"


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml"])
def test_no_lock_with_addresses_is_kept(name: str) -> None:
    assert name in (ROOT / ".gitignore").read_text().split() or not (ROOT / name).exists()

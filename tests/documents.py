"""Reads the project's documents: their links, the commands they show, and words that do not belong in the files."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from typer.core import TyperCommand, TyperGroup

PASSED_OVER = {"__pycache__", "node_modules", "dist", "build"}
HIDDEN_BUT_OURS = {".ci", ".github", ".dockerignore", ".gitignore", ".env.example"}

LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|<(?:img|source|a)\b[^>]*?(?:src|srcset|href)=\"([^\"\s]+)")
CODE = re.compile(
    r"^(?P<fence>```+|~~~+)[^\n]*\n(?P<block>.*?)^(?P=fence)\s*$|(?P<tick>`+)(?P<span>[^`].*?)(?P=tick)", re.S | re.M
)
# What may stand before a command: a prompt, variables, `uv run`.
LEAD = r"^(?:[$>] )?(?:[A-Z][A-Z0-9_]*=\S* )*(?:uv run (?:--\S+ )*)?"


def files(root: Path) -> Iterator[Path]:
    """Every file of the project, without what tools leave behind."""
    for path in sorted(root.iterdir()):
        hidden = path.name.startswith(".") and path.name not in HIDDEN_BUT_OURS
        if hidden or path.name in PASSED_OVER or path.name.endswith(".egg-info") or path.name == "uv.lock":
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


def documents(root: Path) -> list[Path]:
    """The Markdown files."""
    return [path for path in files(root) if path.suffix == ".md"]


def code(text: str) -> list[str]:
    """Every line of code in a document: fenced, indented, and inline. Continued lines are joined."""
    found = [match["block"] or match["span"] or "" for match in CODE.finditer(text)]
    found += re.findall(r"^(?: {4}|\t)(.+)$", CODE.sub("", text), re.M)
    return [line.strip() for block in found for line in block.replace("\\\n", " ").splitlines()]


def broken_links(root: Path) -> list[str]:
    """Relative links to files, and to headings, that are not there."""
    broken = []
    for document in documents(root):
        text = document.read_text()
        for match in LINK.finditer(CODE.sub("", text)):
            target = match[1] or match[2]
            if re.match(r"[a-z]+:", target):
                continue
            name, _, heading = target.partition("#")
            path = (document.parent / name).resolve() if name else document
            if not path.exists() or (heading and path.suffix == ".md" and heading not in _headings(path.read_text())):
                broken.append(f"{document.relative_to(root)}: {target}")
    return broken


def _headings(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    titles = re.findall(r"^#{1,6} +(.+?) *#*$", re.sub(r"^(```+).*?^\1", "", text, flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(text: str, program: str) -> list[list[str]]:
    """What a document says after `program`, as words. Understands prompts, variables, `uv run` and `&&`."""
    shown = []
    for line in code(text):
        for part in re.split(r"&&|\|\||[|;]", line):
            if match := re.match(rf"{LEAD}{program}\s+(?P<rest>.+)$", part.strip()):
                shown.append(_words(match["rest"]))
    return shown


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # a quotation mark that stands in prose
        return text.split()


def unknown_part(command: TyperCommand | TyperGroup, words: list[str]) -> str | None:
    """The first sub-command or option in `words` that `command` does not have."""
    for position, word in enumerate(words):
        if word.startswith("-") and len(word) > 1:
            options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
            if word.split("=")[0] not in options | {"--help"}:
                return word
        elif isinstance(command, TyperGroup) and re.fullmatch(r"[a-z][a-z0-9-]*", word):
            if word not in command.commands:
                return word
            return unknown_part(command.commands[word], words[position + 1 :])  # type: ignore[arg-type]
    return None


def mentions(root: Path, patterns: list[str]) -> list[str]:
    """Lines of any text file in which one of the patterns stands, whatever its case."""
    wanted = re.compile("|".join(patterns), re.IGNORECASE)
    found = []
    for path in files(root):
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(root)}:{number}" for number, line in enumerate(lines, 1) if wanted.search(line)]
    return found

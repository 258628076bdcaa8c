"""`backline doctor`: checks what everything stands on, and says what to do about what is wrong."""

import typer
from rich.text import Text

from backend.cli.checks import CHECKS, Check, Finding, Verdict, read_settings
from backend.cli.output import STYLES, out, print_json
from backend.cli.session import AsJson, ExitCode, command


@command
async def doctor(as_json: AsJson = False) -> None:
    """Check Python, ffmpeg, database, migrations, Redis, storage, disk, services, OAuth and settings. Exit code 1 when one fails."""
    findings, settings = read_settings()
    for check in CHECKS if settings else ():
        findings += await check(settings) if settings else []
    verdict = _worst(findings)
    if as_json:
        print_json({"verdict": verdict, "checks": findings})
    else:
        _show(findings)
    if verdict is Verdict.FAIL:
        raise typer.Exit(ExitCode.FAILED)


def _worst(findings: list[Finding]) -> Verdict:
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index)


def _show(findings: list[Finding]) -> None:
    for finding in findings:
        out.print(
            Text.assemble(
                (f"{finding.verdict:<5}", STYLES[finding.verdict]), (f"{finding.check:<12}", "bold"), finding.found
            )
        )
        if finding.advice:
            out.print(Text(f"     {'':<12}→ {finding.advice}", style="dim"))


__all__ = ["Check", "doctor"]

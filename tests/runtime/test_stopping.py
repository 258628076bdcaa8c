"""How a process is asked to stop."""

import asyncio
import signal
import subprocess
import sys

import pytest

from backend.runtime.stopping import stop_signals

CODE = """
import asyncio
from backend.runtime.stopping import stop_signals
async def main():
    async with stop_signals() as stop:
        print("up", flush=True)
        await stop.wait()
        print("asked", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_asks(sign: signal.Signals) -> None:
    async with stop_signals() as stop:
        signal.raise_signal(sign)
        async with asyncio.timeout(2):
            await stop.wait()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_the_second_does_not(sign: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    process.send_signal(sign)
    assert process.stdout.readline() == "asked\n"
    process.send_signal(sign)
    _, errors = process.communicate(timeout=5)
    assert (process.returncode, errors) == (128 + sign, "leaving at once\n")

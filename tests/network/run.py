"""`just network`: the network on fixed ports until Ctrl-C. With `install` it only fetches the packages."""

import signal
import sys
from contextlib import suppress

from tests.network.install import find_node, install
from tests.network.server import NetworkServer
from tests.servers import NoServer

PLC_PORT, PDS_PORT = 2582, 2583


def main(words: list[str]) -> int:
    """Run the command line. Returns the exit code."""
    try:
        if words == ["install"]:
            print(install(find_node()))
            return 0
        print("installing and starting; the first time this takes minutes", file=sys.stderr)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with NetworkServer(plc_port=PLC_PORT, pds_port=PDS_PORT) as network:
            with suppress(KeyboardInterrupt):
                _show(network)
                signal.pause()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal may say it twice
    except NoServer as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _show(network: NetworkServer) -> None:
    for account in network.accounts.values():
        print(f"{account.handle}  {account.did}  app password {network.app_password(account)}")
    print("Give Backline these settings; Ctrl-C ends the network:")
    print(f"ATPROTO_PLC_URL={network.plc_url} ATPROTO_HANDLE_URL={network.pds_url} OUTBOUND_PRIVATE=1", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A real S3 service for the tests: moto's server, on a free port, gone with the test process."""

import socket
import sys
from http.client import HTTPConnection

from tests.servers import Server


class MotoServer(Server):
    """An S3-compatible service without a disk. Buckets are made with `make_bucket`."""

    name = "moto"

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def make_bucket(self, name: str) -> None:
        """An empty bucket."""
        assert self.request("PUT", f"/{name}")[0] == 200

    def request(self, method: str, path: str) -> tuple[int, bytes]:
        """A plain request: the status and the body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

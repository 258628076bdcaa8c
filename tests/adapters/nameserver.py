"""A DNS server with a few TXT records, on this machine."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, texts: Mapping[str, Sequence[str]]) -> None:
        self._texts = texts

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        asked = dns.message.from_wire(data)
        name = asked.question[0].name
        said = dns.message.make_response(asked)
        texts = self._texts.get(name.to_text().rstrip("."))
        if texts is None:
            said.set_rcode(dns.rcode.NXDOMAIN)
        else:
            # A TXT record is made of strings of at most 255 bytes.
            quoted = [" ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255)) for text in texts]
            said.answer.append(dns.rrset.from_text(name, 60, "IN", dns.rdatatype.TXT, *quoted))
        self._transport.sendto(said.to_wire(), address)


@asynccontextmanager
async def nameserver(texts: Mapping[str, Sequence[str]]) -> AsyncIterator[int]:
    """A nameserver that knows these names, on a free UDP port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Answers(texts), local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()

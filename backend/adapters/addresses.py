"""Which addresses of the internet may be called: those that anybody can reach, and no others."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# Addresses that carry an IPv4 address inside, to which a gateway may send them on.
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
COMPATIBLE = IPv6Network("::/96")


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet. A zone (`%eth0`) is never public."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_global(address)
    if address.scope_id is not None or any(address in network for network in (*NAT64, COMPATIBLE)):
        return False
    if address.ipv4_mapped is not None:
        return _is_global(address.ipv4_mapped)
    return address.sixtofour is None and address.teredo is None and _is_global(address)


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)

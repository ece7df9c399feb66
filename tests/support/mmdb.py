"""For tests: a small database in MaxMind's format (https://maxmind.github.io/MaxMind-DB/, version 2.0), written by ourselves."""

import ipaddress


class Short(int):
    """A whole number of 16 bits: the format tells them apart."""


def encoded(value):
    """A value of the data section: maps, lists, texts and whole numbers."""
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(encoded(k) + encoded(v) for k, v in value.items())
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(encoded(v) for v in value)
    if isinstance(value, str):
        text = value.encode()
        return control(2, len(text)) + text
    number = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return control(5 if isinstance(value, Short) else 6 if value < 1 << 30 else 9, len(number)) + number


def control(kind, size):
    """The byte or bytes before a value: its type and size."""
    extended = b"" if kind <= 7 else bytes([kind - 7])
    first = kind << 5 if kind <= 7 else 0
    if size < 29:
        return bytes([first | size]) + extended
    assert size < 29 + 256
    return bytes([first | 29]) + extended + bytes([size - 29])


def write(path, networks):
    """networks: {"203.0.113.0/24": {"country": {"iso_code": "FR"}}}, IPv4 alone, records of 32 bits."""
    nodes = [[None, None]]
    data, places = b"", []
    for network, value in networks.items():
        net = ipaddress.ip_network(network)
        bits = f"{int(net.network_address):032b}"[:net.prefixlen]
        node = 0
        for bit in bits[:-1]:
            if nodes[node][int(bit)] is None:
                nodes.append([None, None])
                nodes[node][int(bit)] = len(nodes) - 1
            node = nodes[node][int(bit)]
        nodes[node][int(bits[-1])] = ("data", len(data))
        places.append(len(data))
        data += encoded(value)

    def record(value):
        if value is None:
            return len(nodes)
        return len(nodes) + 16 + value[1] if isinstance(value, tuple) else value
    tree = b"".join(record(side).to_bytes(4, "big") for node in nodes for side in node)
    about = {"node_count": len(nodes), "record_size": Short(32), "ip_version": Short(4), "database_type": "Test-City", "languages": ["en"],
             "binary_format_major_version": Short(2), "binary_format_minor_version": Short(0), "build_epoch": 1_800_000_000,
             "description": {"en": "a test's"}}
    with open(path, "wb") as out:
        out.write(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encoded(about))

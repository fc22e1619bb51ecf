# SPDX-License-Identifier: Apache-2.0
"""What crossed the cable between two simulated servers: reads the pcap file that niter host start --link-capture writes."""
import struct

ESP, HANDSHAKE = "tunnel: ESP in UDP", "tunnel: handshake"
TUNNEL_PORT = 4500


def read(path):
    """The frames of a pcap file, oldest first; an unfinished last one is left out."""
    with open(path, "rb") as f:
        raw = f.read()
    if len(raw) < 24 or struct.unpack_from("<I", raw)[0] != 0xA1B2C3D4:
        raise ValueError(f"{path} is no pcap file")
    frames, at = [], 24
    while at + 16 <= len(raw):
        length = struct.unpack_from("<I", raw, at + 8)[0]
        if at + 16 + length > len(raw):
            break
        frames.append(raw[at + 16:at + 16 + length])
        at += 16 + length
    return frames


def kind(frame):
    """What a frame is, as far as anybody without keys can say."""
    ethertype = int.from_bytes(frame[12:14], "big")
    if ethertype == 0x0806:
        return "the hosts' own ARP"
    if ethertype == 0x86DD:
        return "the hosts' own IPv6 neighbour discovery"
    if ethertype == 0x0800 and frame[23] == 17 and int.from_bytes(frame[36:38], "big") == TUNNEL_PORT:
        return HANDSHAKE if frame[42:46] == bytes(4) else ESP
    return "something else"


def kinds(frames):
    counts = {}
    for frame in frames:
        counts[kind(frame)] = counts.get(kind(frame), 0) + 1
    return counts


def dump(frame, length):
    """Lines of hexadecimal and text."""
    lines = []
    for at in range(0, min(length, len(frame)), 16):
        part = frame[at:at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        lines.append(f"{at:04x}  {part.hex(' '):47}  {text}")
    return lines

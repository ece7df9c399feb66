"""A stand-in that lies: each request is answered in the next of these ways.

  wrong    200 with a body that reports an error                   half     200, and a body that ends half-way
  garbage  200 with bytes that are no JSON                         large    200 with a body of 3 MB
  huge     200 with a body of 40 MB                                headers  200 with header lines without an end
  lines    200 with one header line of 5 MB                        drip     200, a byte of the body each tenth of a second
  early    an answer before the request was read, then a reset     silent   nothing at all

  liar.py [--print-port] [--only WAY]
"""

import argparse
import itertools
import json
import socket
import struct
import threading
import time

WAYS = ("wrong", "half", "garbage", "large", "huge", "headers", "lines", "drip", "early", "silent")
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def read_request(link):
    data = b""
    while b"\r\n\r\n" not in data:
        more = link.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        more = link.recv(65536)
        if not more:
            return None
        body += more
    return head.split(b" ")[1].decode()


def sized(body):
    return OK + b"Content-Length: %d\r\n\r\n" % len(body) + body


def lie(link, way):
    if way == "wrong":
        link.sendall(sized(b'{"message":"failure","error":{"code":17}}'))
    elif way == "half":
        link.sendall(OK + b'Content-Length: 1000\r\n\r\n{"mess')
    elif way == "garbage":
        link.sendall(sized(bytes(range(256)) * 8))
    elif way in ("large", "huge"):
        link.sendall(sized(b'"' + b"x" * (3_000_000 if way == "large" else 40_000_000) + b'"'))
    elif way == "headers":
        link.sendall(OK)
        for n in range(500_000):
            link.sendall(b"X-%d: %s\r\n" % (n, b"y" * 100))
    elif way == "lines":
        link.sendall(OK + b"X-Long: " + b"y" * 5_000_000 + b"\r\nContent-Length: 2\r\n\r\n{}")
    elif way == "drip":
        link.sendall(OK + b"Content-Length: 1000\r\n\r\n")
        for _ in range(1000):
            link.sendall(b" ")
            time.sleep(0.1)
    elif way == "early":
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    else:
        time.sleep(120)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--print-port", action="store_true")
    options.add_argument("--only", choices=WAYS)
    options = options.parse_args()
    ways = itertools.cycle([options.only] if options.only else WAYS)
    told = {way: 0 for way in WAYS}
    lock = threading.Lock()
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)

    def serve(link):
        try:
            path = read_request(link)
            if path is None:
                return
            if path == "/_stand-in/stats":
                link.sendall(sized(json.dumps({"requests": sum(told.values()), "told": told}).encode()))
                return
            with lock:
                way = next(ways)
                told[way] += 1
            lie(link, way)
        except OSError:
            pass
        finally:
            link.close()

    while True:
        link, _ = listener.accept()
        threading.Thread(target=serve, args=(link,), daemon=True).start()


if __name__ == "__main__":
    main()

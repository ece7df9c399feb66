"""What the vendors' stand-ins share: a small, quick HTTP/1.1 server on asyncio, orders to fail, and a record of requests.

A stand-in is a class with answer(request) -> Answer. Everything under /_stand-in/ is for the test that drives it:

  GET  /_stand-in/stats      one JSON object of counters
  GET  /_stand-in/records    JSON lines of what was received, in the order of arrival (?after=N leaves out the first N)
  POST /_stand-in/fail       orders, see Orders; an empty object or {"clear": true} ends them all
  POST /_stand-in/reset      forgets records and counters, and ends all orders

The server runs in one thread; nothing here needs a lock.
"""

import argparse
import asyncio
import json
import math
import signal
import sys
import time
import urllib.parse

BODY_BYTES_MAX = 64 * 1024 * 1024  # of the server; a vendor's own limit is checked by its stand-in
HEAD_BYTES_MAX = 64 * 1024

REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 302: "Found", 400: "Bad Request", 401: "Unauthorized",
           403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 410: "Gone", 413: "Content Too Large",
           422: "Unprocessable Content", 429: "Too Many Requests", 500: "Internal Server Error",
           502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


class Request:
    __slots__ = ("method", "path", "query", "query_text", "headers", "body")

    def __init__(self, method, target, headers, body):
        self.method = method
        self.path, _, self.query_text = target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(self.query_text))
        self.headers = headers  # names in lower case
        self.body = body


class Answer:
    __slots__ = ("status", "headers", "body")

    def __init__(self, status, body=b"", headers=()):
        self.status = status
        self.headers = dict(headers)
        if isinstance(body, (dict, list)):
            self.headers["Content-Type"] = "application/json"
            body = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        self.body = body.encode() if isinstance(body, str) else body

    def encode(self):
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode() + self.body


class Orders:
    """How the stand-in has been told to fail. Any of these members, in one POST or several:

    {"status": 500}            answer so; with "for_s" for that long, with "count" for so many requests, else until cleared
    {"status": 429, "retry_after": 2}   ... and announce when to come back (for that long, unless "for_s" or "count" says)
    {"hang_s": 5}              do the work, answer that much later          {"cut": true}   do the work, answer nothing
    {"down": true}             close each connection without doing anything
    {"reject_every": n}        refuse every n-th record, as this vendor refuses one record
    Members that only one vendor knows ("maintenance", "at") are described there.
    """

    KNOWN = {"status", "for_s", "count", "retry_after", "hang_s", "cut", "down", "reject_every", "clear"}

    def __init__(self, extra=()):
        self.known = self.KNOWN | set(extra)
        self.active = {}
        self.until = math.inf
        self.left = math.inf

    def give(self, order):
        unknown = set(order) - self.known
        if unknown:
            return f"unknown order {sorted(unknown)}; known: {sorted(self.known)}"
        if not order or order.pop("clear", False) or self.over():
            self.active, self.until, self.left = {}, math.inf, math.inf
        if "for_s" not in order and "count" not in order and "retry_after" in order:
            order["for_s"] = order["retry_after"]
        if "for_s" in order:
            self.until = time.monotonic() + order.pop("for_s")
        if "count" in order:
            self.left = order.pop("count")
        self.active.update(order)
        return None

    def over(self):
        return time.monotonic() >= self.until or self.left <= 0

    def begin(self):
        """The orders for the request that begins now."""
        if self.over():
            self.give({})
        if self.active:
            self.left -= 1
        return self.active


class StandIn:
    """Subclasses give answer(request, orders), records(), and may give failure_headers(orders)."""

    extra_orders = ()

    def __init__(self):
        self.orders = Orders(self.extra_orders)
        self.stats = {}
        self.reset()

    def reset(self):
        self.orders.give({})
        self.stats.clear()
        self.stats.update({"requests": 0, "by_status": {}, "repeats": 0})

    def failure_headers(self, orders):
        if "retry_after" in orders:
            return {"Retry-After": math.ceil(orders["retry_after"])}
        return {}

    def control(self, request):
        what = request.path.removeprefix("/_stand-in/")
        if request.method == "GET" and what == "stats":
            return Answer(200, self.stats)
        if request.method == "GET" and what == "records":
            after = int(request.query.get("after", 0))
            lines = [json.dumps(record, ensure_ascii=False) for i, record in enumerate(self.records()) if i >= after]
            return Answer(200, "".join(line + "\n" for line in lines), {"Content-Type": "application/jsonl"})
        if request.method == "POST" and what == "fail":
            problem = self.orders.give(json.loads(request.body or b"{}"))
            return Answer(400, {"message": problem}) if problem else Answer(200, {"active": self.orders.active})
        if request.method == "POST" and what == "reset":
            self.reset()
            return Answer(200, {})
        return Answer(404, {"message": "no such control"})

    def serve(self, request):
        """-> (Answer, or None to close the connection; seconds to wait before it goes out)."""
        if request.path.startswith("/_stand-in/"):
            return self.control(request), 0
        orders = self.orders.begin()
        self.stats["requests"] += 1
        if orders.get("down"):
            return None, 0
        if "status" in orders:
            answer = Answer(orders["status"], {"message": "as ordered"}, self.failure_headers(orders))
        else:
            answer = self.answer(request, orders)
        by_status = self.stats["by_status"]
        by_status[str(answer.status)] = by_status.get(str(answer.status), 0) + 1
        return (None if orders.get("cut") else answer), orders.get("hang_s", 0)


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, Content-Length, chunked bodies and Expect: 100-continue."""

    def __init__(self, stand_in):
        self.stand_in = stand_in
        self.buffer = bytearray()
        self.transport = None
        self.head = None       # (method, target, headers, bytes of the head) of the request being read
        self.waiting = False   # an answer is being held back: later requests of this connection wait behind it

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _error):
        self.transport = None

    def data_received(self, data):
        self.buffer += data
        self.work()

    def work(self):
        try:
            while self.transport and not self.waiting and (request := self.next_request()):
                answer, delay_s = self.stand_in.serve(request)
                if delay_s:
                    self.waiting = True
                    asyncio.get_running_loop().call_later(delay_s, self.resume, request, answer)
                else:
                    self.send(request, answer)
        except (ValueError, KeyError, IndexError) as error:
            if self.transport:
                self.transport.write(Answer(400, {"message": f"cannot be read as HTTP: {error}"}).encode())
                self.transport.close()

    def resume(self, request, answer):
        self.waiting = False
        self.send(request, answer)
        self.work()

    def send(self, request, answer):
        if not self.transport:
            return
        if answer:
            self.transport.write(answer.encode())
        if not answer or request.headers.get("connection", "").lower() == "close":
            self.transport.close()
            self.transport = None

    def next_request(self):
        if self.head is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > HEAD_BYTES_MAX:
                    raise ValueError("the head is too long")
                return None
            first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            self.head = (method, target, headers, end + 4)
            if headers.get("expect", "").lower() == "100-continue":
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, target, headers, start = self.head
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body, end = self.chunks(start)
        else:
            length = int(headers.get("content-length", 0))
            if length > BODY_BYTES_MAX:
                raise ValueError("the body is too long")
            end = start + length
            body = bytes(self.buffer[start:end]) if len(self.buffer) >= end else None
        if body is None:
            return None
        del self.buffer[:end]
        self.head = None
        return Request(method, target, headers, body)

    def chunks(self, at):
        body = bytearray()
        while (line_end := self.buffer.find(b"\r\n", at)) >= 0:
            size = int(self.buffer[at:line_end].split(b";")[0], 16)
            at = line_end + 2
            if len(self.buffer) < at + size + 2:
                return None, 0
            body += self.buffer[at:at + size]
            at += size + 2
            if size == 0:
                return bytes(body), at
        return None, 0


def arguments(description):
    """The options that every stand-in has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument("--print-port", action="store_true", help="print the port in a line of its own once it listens")
    return parser


async def listen(stand_in, host, port):
    """Starts to serve; -> (the asyncio server, its port)."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(stand_in), host, port, backlog=512)
    return server, server.sockets[0].getsockname()[1]


async def until_told_to_stop():
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def run(stand_in, options):
    async def main():
        _server, port = await listen(stand_in, options.host, options.port)
        if options.print_port:
            print(port, flush=True)
        await until_told_to_stop()

    asyncio.run(main())
    sys.exit(0)

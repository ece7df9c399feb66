"""Plays a shop's year to the hub: the events through Segment's HTTP API, the CRM by letting its export grow.

The year is cut into slots of six hours. Within a slot each connection carries its own people, so that a person's events arrive
in their order; the next slot begins when all connections have been answered. What the hub does not take (429, 503, no
connection) is sent again: it knows the messages by their ids.
"""

import base64
import bisect
import csv
import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import shop as shops

SLOT = 6 * 3600.0
BATCH_MAX = 100


class Refused(Exception):
    """The hub refused a batch for good."""


class Connection:
    """One keep-alive connection. Used by one thread at a time."""

    def __init__(self, address, write_key):
        self.address = address
        self.headers = {"Content-Type": "application/json",
                        "Authorization": "Basic " + base64.b64encode(f"{write_key}:".encode()).decode()}
        self.link = None

    def send(self, body, stopped):
        """Sends until it is taken. -> (how many times it was sent again, how many events of it were refused)"""
        repeats = 0
        while not stopped.is_set():
            wait_s = min(2.0, 0.1 * 2 ** min(repeats, 5))
            try:
                if self.link is None:
                    self.link = http.client.HTTPConnection(*self.address, timeout=30)
                self.link.request("POST", "/v1/batch", body, self.headers)
                answer = self.link.getresponse()
                text = answer.read()
                if answer.status == 200:
                    return repeats, len(json.loads(text or b"{}").get("rejected", ()))
                if answer.status not in (408, 429, 500, 502, 503, 504):
                    raise Refused(f"the hub answered {answer.status} to a batch: {text[:200].decode(errors='replace')}")
                wait_s = float(answer.headers.get("Retry-After", wait_s))
            except (OSError, http.client.HTTPException):
                self.close()
            repeats += 1
            stopped.wait(wait_s)
        return repeats, 0

    def close(self):
        if self.link is not None:
            self.link.close()
            self.link = None


class Player:
    """[any] The counters and `now` may be read while it plays."""

    def __init__(self, shop, address, write_key, crm_path, seconds, connections=3):
        self.shop, self.crm_path, self.seconds = shop, crm_path, seconds
        self.connections = [Connection(address, write_key) for _ in range(connections)]
        self.times = [event[0] for event in shop.events]
        self.stopped = threading.Event()
        self.now = shops.START      # the shop's time
        self.sent = self.tracks = self.rows = self.repeats = self.refused = 0
        self.lock = threading.Lock()  # of those counters
        self.error = None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run, name="player")

    def prepare(self):
        """Makes the CRM's file, which the hub wants to find."""
        with open(self.crm_path, "w", encoding="utf-8", newline="") as out:
            csv.writer(out, delimiter=";").writerow(shops.CRM_COLUMNS)

    def start(self):
        self.thread.start()

    def stop(self):
        self.stopped.set()
        if self.thread.ident:
            self.thread.join()

    def run(self):
        try:
            with ThreadPoolExecutor(len(self.connections)) as pool:
                self.play(pool)
        except Exception as error:  # whatever it is, the demo shows it and ends
            self.error = error
        finally:
            for connection in self.connections:
                connection.close()
            self.done.set()

    def play(self, pool):
        began = time.monotonic()
        slots = int(shops.DAYS * shops.DAY / SLOT)
        for slot in range(slots):
            if self.stopped.wait(max(0.0, began + self.seconds * slot / slots - time.monotonic())):
                return
            self.now = shops.START + slot * SLOT
            self.export_crm(self.now + 1.0 if slot else self.now + shops.DAY)
            first = bisect.bisect_left(self.times, self.now)
            last = bisect.bisect_left(self.times, self.now + SLOT) if slot + 1 < slots else len(self.times)
            for work in [pool.submit(self.carry, index, first, last) for index in range(len(self.connections))]:
                work.result()
        self.now = shops.START + shops.DAYS * shops.DAY

    def export_crm(self, until):
        rows = []
        while self.rows + len(rows) < len(self.shop.crm) and self.shop.crm[self.rows + len(rows)][0] < until:
            rows.append(self.shop.crm[self.rows + len(rows)][1])
        if rows:
            with open(self.crm_path, "a", encoding="utf-8", newline="") as out:
                csv.writer(out, delimiter=";").writerows(rows)
            self.rows += len(rows)

    def carry(self, index, first, last):
        """Sends the events [first, last) of the people of this connection."""
        mine = [n for n in range(first, last) if self.shop.events[n][1].number % len(self.connections) == index]
        for at in range(0, len(mine), BATCH_MAX):
            texts = [shops.message(self.shop.seed, n, self.shop.events[n]) for n in mine[at:at + BATCH_MAX]]
            body = ('{"batch":[' + ",".join(texts) + "]}").encode()
            repeats, refused = self.connections[index].send(body, self.stopped)
            if self.stopped.is_set():
                return
            tracks = sum(1 for text in texts if text.startswith('{"type":"track"'))
            with self.lock:
                self.repeats += repeats
                self.refused += refused
                self.sent += len(texts)
                self.tracks += tracks


def order(port, what):
    """Tells a stand-in to fail, or no longer to."""
    ask(port, "POST", "/_stand-in/fail", json.dumps(what))


def ask(port, method, path, body=None):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request(method, path, body)
        return link.getresponse().read()
    finally:
        link.close()


def stats(port):
    return json.loads(ask(port, "GET", "/_stand-in/stats"))


def records(port, after=0):
    """What a stand-in received, without the first `after`."""
    return [json.loads(line) for line in ask(port, "GET", f"/_stand-in/records?after={after}").splitlines()]

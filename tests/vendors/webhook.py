#!/usr/bin/env python3
"""A receiver of signed webhooks: verifies Standard Webhooks 1.0.0 signatures and keeps the records.

  webhook.py [--secret whsec_...] [--path /hook] [--port 0 --print-port] [--tolerance 300]

Without --secret nothing is verified. The body is a JSON array of records, JSON lines, or one record. Control: see
standin.py; {"reject_every": n} refuses (422) each request that holds a record whose key's CRC-32 is divisible by n, so that
the same records are refused however they are batched.

A record kept is {"n", "at", "webhook_id", "record"}; stats: requests, records, distinct (keys), repeats (records seen before),
refused_signatures.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
import zlib

import standin
from standin import Answer


def verify(secret, headers, body, now, tolerance_s):
    """None, or why the request is refused. https://www.standardwebhooks.com, specification 1.0.0."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or "." in message_id:
        return "webhook-id is missing or holds a full stop"
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > tolerance_s:
        return "webhook-timestamp is missing or too far off"
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = hmac.digest(secret, signed, hashlib.sha256)
    for part in headers.get("webhook-signature", "").split(" "):
        version, _, text = part.partition(",")
        try:
            if version == "v1" and hmac.compare_digest(base64.b64decode(text, validate=True), expected):
                return None
        except binascii.Error:
            continue
    return "no signature matches"


def secret_bytes(text):
    return base64.b64decode(text.removeprefix("whsec_"), validate=True)


class Webhook(standin.StandIn):
    def __init__(self, secret=None, path=None, tolerance_s=300):
        self.secret = secret_bytes(secret) if secret else None
        self.path, self.tolerance_s = path, tolerance_s
        super().__init__()

    def reset(self):
        super().reset()
        self.kept = []  # (n, at, webhook id, records)
        self.seen = set()
        self.stats.update({"records": 0, "distinct": 0, "refused_signatures": 0})

    def records(self):
        for n, at, webhook_id, items in self.kept:
            for item in items:
                yield {"n": n, "at": at, "webhook_id": webhook_id, "record": item}

    def answer(self, request, orders):
        if self.path and request.path != self.path:
            return Answer(404, {"message": "no webhook is received here"})
        if self.secret:
            problem = verify(self.secret, request.headers, request.body, time.time(), self.tolerance_s)
            if problem:
                self.stats["refused_signatures"] += 1
                return Answer(401, {"message": problem})
        try:
            items = self.parse(request)
        except ValueError:
            return Answer(400, {"message": "the body is not JSON"})
        if any(not isinstance(item, dict) or not item.get("key") for item in items):
            return Answer(400, {"message": "each record is an object with a key"})
        every = orders.get("reject_every")
        if every and any(zlib.crc32(item["key"].encode()) % every == 0 for item in items):
            return Answer(422, {"message": "refused as ordered"})
        self.kept.append((self.stats["requests"], time.time(), request.headers.get("webhook-id"), items))
        self.stats["records"] += len(items)
        before = len(self.seen)
        self.seen.update(item["key"] for item in items)
        self.stats["distinct"] = len(self.seen)
        self.stats["repeats"] += before + len(items) - len(self.seen)
        return Answer(204)

    @staticmethod
    def parse(request):
        if "ndjson" in request.headers.get("content-type", ""):
            return [json.loads(line) for line in request.body.split(b"\n") if line]
        body = json.loads(request.body)
        return body if isinstance(body, list) else [body]


def main():
    parser = standin.arguments(__doc__.split("\n", 1)[0])
    parser.add_argument("--secret", help="whsec_ and base64")
    parser.add_argument("--path", help="the only path that is received")
    parser.add_argument("--tolerance", type=int, default=300, help="seconds that a timestamp may be off")
    options = parser.parse_args()
    standin.run(Webhook(options.secret, options.path, options.tolerance), options)


if __name__ == "__main__":
    main()

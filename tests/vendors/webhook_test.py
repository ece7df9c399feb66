import base64
import hashlib
import hmac
import json
import time
import unittest

import webhook
from client import Server

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def signed(message_id, body, at=None, secret=SECRET):
    at = int(time.time()) if at is None else at
    digest = hmac.digest(webhook.secret_bytes(secret), f"{message_id}.{at}.".encode() + body, hashlib.sha256)
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": "v1," + base64.b64encode(digest).decode()}


class SignatureTest(unittest.TestCase):
    def test_the_vector_of_the_specification_holds(self):
        headers = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
                   "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}
        body, secret = b'{"test": 2432232314}', webhook.secret_bytes(SECRET)
        self.assertIsNone(webhook.verify(secret, headers, body, 1614265330 + 300, 300))
        self.assertIsNotNone(webhook.verify(secret, headers, body, 1614265330 + 301, 300))
        self.assertIsNotNone(webhook.verify(secret, headers, body + b" ", 1614265330, 300))
        rotated = {**headers, "webhook-signature": "v1,AAAA v2,x " + headers["webhook-signature"]}
        self.assertIsNone(webhook.verify(secret, rotated, body, 1614265330, 300))


class WebhookTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("webhook.py", "--secret", SECRET, "--path", "/hook").__enter__()
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        self.server.reset()

    def post(self, message_id, body, **how):
        return self.server.request("POST", "/hook", body, signed(message_id, body, **how))[0]

    def test_signed_records_are_kept_and_repeats_are_counted(self):
        body = json.dumps([{"key": "j.1.1.0"}, {"key": "j.1.1.1"}]).encode()
        self.assertEqual([self.post("m1", body), self.post("m1", body)], [204, 204])
        stats = self.server.stats()
        self.assertEqual((stats["records"], stats["distinct"], stats["repeats"]), (4, 2, 2))
        self.assertEqual([r["record"]["key"] for r in self.server.records()], ["j.1.1.0", "j.1.1.1"] * 2)

    def test_a_wrong_secret_an_old_timestamp_and_another_path_are_refused(self):
        body = b'[{"key":"k"}]'
        self.assertEqual(self.post("m", body, secret="whsec_" + base64.b64encode(b"x" * 24).decode()), 401)
        self.assertEqual(self.post("m", body, at=int(time.time()) - 400), 401)
        self.assertEqual(self.server.request("POST", "/", body, signed("m", body))[0], 404)
        self.assertEqual(self.server.stats()["refused_signatures"], 2)

    def test_lines_and_single_records_are_read(self):
        lines = b'{"key":"a"}\n{"key":"b"}\n'
        self.assertEqual(self.server.request("POST", "/hook", lines, {**signed("m", lines),
                                                                      "Content-Type": "application/x-ndjson"})[0], 204)
        self.assertEqual(self.post("n", b'{"key":"c"}'), 204)
        self.assertEqual([r["record"]["key"] for r in self.server.records()], ["a", "b", "c"])

    def test_the_same_record_is_refused_however_it_is_batched(self):
        self.server.order(reject_every=3)
        keys = [f"j.1.{n}.0" for n in range(30)]
        alone = [self.post("m", json.dumps([{"key": key}]).encode()) for key in keys]
        self.assertTrue(0 < alone.count(422) < 30)
        self.assertEqual(self.post("m", json.dumps([{"key": key} for key in keys]).encode()), 422)


if __name__ == "__main__":
    unittest.main()

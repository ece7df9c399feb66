"""The two doors of a running hub over TCP: the tracking API takes what Segment's clients send, and the admin door serves
Segment's Profile API to those who have a token."""

import base64
import gzip
import hashlib
import http.client
import json
import pathlib
import signal
import sys
import tempfile
import unittest
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402

TOKEN = "a token of the tests"
CONFIG = """
version: 1
hub: { data: ./data, listen: "127.0.0.1:0", admin: "127.0.0.1:0", tokens: [ "%s" ] }
sources:
  shop: { plugin: tracking, trust: server, with: { write_key: "shop-key" } }
computed:
  bought: events("Bought").count()
audiences:
  buyers: traits.bought >= 1.0
""" % hashlib.sha256(TOKEN.encode()).hexdigest()


class DoorsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.hub = hub.Hub(folder.name, CONFIG)
        self.addCleanup(self.hub.stop)
        self.start()

    def start(self):
        self.hub.start(ready=lambda: self.ask("/readyz")[0] == 200)

    def ask(self, path, headers=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.hub.admin_port(), timeout=20)
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, json.loads(body) if body.startswith("{") else body

    def settled(self):
        """Whether what was acknowledged has had its effect: the answer comes when it is stored."""
        text = self.ask("/metrics", {"Authorization": "Bearer " + TOKEN})[1]
        seq = dict(line.split() for line in text.splitlines() if line.startswith(("sluice_step_seq ", "sluice_journal_seq ")))
        return len(seq) == 2 and len(set(seq.values())) == 1

    def api(self, what, person="user_id:ada"):
        hub.wait_for(self.settled)
        path = "/v1/spaces/any/collections/users/profiles/" + urllib.parse.quote(person) + "/" + what
        return self.ask(path, {"Authorization": "Bearer " + TOKEN})

    def send(self, path, body, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        key = base64.b64encode(b"shop-key:").decode()
        connection.request("POST", path, text, {"Authorization": "Basic " + key, **(headers or {})})
        answer = connection.getresponse()
        out = answer.status, json.loads(answer.read())
        connection.close()
        return out

    def buy(self, message_id, **more):
        status, _ = self.send("/v1/track", {"userId": "ada", "event": "Bought", "messageId": message_id, **more})
        self.assertEqual(status, 200)

    def traits(self, what="traits?limit=200", person="user_id:ada"):
        status, body = self.api(what, person)
        self.assertEqual(status, 200, body)
        return body["traits"]


class TrackingDoorTest(DoorsTest):
    def test_an_event_that_nobody_can_read_does_not_take_its_batch_with_it(self):
        good = b'{"type":"track","event":"Bought","userId":"ada","messageId":"m%d"}'
        for number, bad in enumerate((b'{"type":"track","event":"E","userId":"ada","properties":{"n":1e999}}',
                                      b'{"type":"track","event":"E","userId":"caf\xe9"}', b"nothing")):
            body = b'{"batch":[' + b",".join((good % (2 * number), bad, good % (2 * number + 1))) + b"]}"
            packed = gzip.compress(body)
            for headers, sent in (({}, body), ({"Content-Encoding": "gzip"}, packed)):
                status, answer = self.send("/v1/batch", sent, headers)
                self.assertEqual((status, answer["accepted"]), (200, 2), bad)
                self.assertEqual([(r["index"], r["code"]) for r in answer["rejected"]], [(1, "bad_json")], bad)
        self.assertEqual(self.traits()["bought"], 6)

    def test_a_text_that_a_browser_cut_in_the_middle_of_an_emoji_is_taken(self):
        self.assertEqual(self.send("/v1/i", b'{"userId":"ada","traits":{"note":"hi \\ud83d","n":123456789012345678901234}}')[0], 200)
        traits = self.traits()
        self.assertEqual((traits["note"], traits["n"]), ("hi \ufffd", 1.2345678901234568e23))

    def test_thousands_of_equal_events_may_come_packed(self):
        events = [{"type": "track", "userId": "ada", "event": "Bought", "properties": {"padding": "x" * 300}}] * 2_500
        self.assertEqual(self.send("/v1/batch", gzip.compress(json.dumps({"batch": events}).encode()))[0], 200)
        self.assertEqual(self.traits()["bought"], 2_500)

    def test_a_message_id_counts_once_and_a_kill_does_not_make_it_count_again(self):
        self.buy("m1")
        self.buy("m1")
        self.hub.stop(signal.SIGKILL)
        self.start()
        self.buy("m1")
        self.buy("m2")
        self.assertEqual(self.traits()["bought"], 2)
        events = self.api("events")[1]["data"]
        self.assertEqual([event["messageId"] for event in events], ["m2", "m1"])


class ProfileApiTest(DoorsTest):
    def setUp(self):
        super().setUp()
        traits = {f"t{i:02}": i for i in range(25)} | {"email": "Ada@Acme.test", "gone": None}
        self.assertEqual(self.send("/v1/identify", {"userId": "ada", "anonymousId": "a1", "traits": traits})[0], 200)
        self.buy("m1", timestamp="2026-01-02T03:04:05.000Z", properties={"total": 5})
        self.send("/v1/track", {"userId": "ada", "event": "Viewed", "messageId": "m2"})

    def test_pages_hold_each_trait_once(self):
        seen, next_page = {}, "0"
        for _ in range(20):
            _, body = self.api(f"traits?limit=7&next={next_page}")
            self.assertLessEqual(len(body["traits"]), 7)
            self.assertFalse(seen.keys() & body["traits"].keys())
            seen |= body["traits"]
            cursor = body["cursor"]
            self.assertEqual(cursor["limit"], 7)
            next_page = cursor["next"]
            if not cursor["has_more"]:
                break
        self.assertEqual(len(seen), 28)
        self.assertEqual((seen["t24"], seen["email"], seen["bought"], seen["buyers"]), (24, "Ada@Acme.test", 1, True))
        self.assertEqual(next_page, "")
        self.assertEqual(self.api("traits?next=1000")[1]["traits"], {})
        for wrong in ("limit=many", "next=18446744073709551616", "limit=-1"):
            self.assertEqual(self.api("traits?" + wrong)[0], 400, wrong)

    def test_include_and_class_choose(self):
        self.assertEqual(self.traits("traits?include=t01,buyers"), {"t01": 1, "buyers": True})
        self.assertEqual(self.traits("traits?class=audience"), {"buyers": True})
        self.assertEqual(self.traits("traits?class=computed_trait"), {"bought": 1})
        ids = self.api("external_ids?include=email")[1]["data"]
        self.assertEqual([(i["type"], i["id"], i["collection"], i["encoding"]) for i in ids], [("email", "ada@acme.test", "users", "none")])
        events = self.api("events?include=Bought")[1]["data"]
        self.assertEqual([(e["event"], e["timestamp"]) for e in events], [("Bought", "2026-01-02T03:04:05.000Z")])
        self.assertIn("receivedAt", events[0])

    def test_a_person_is_found_by_any_identifier(self):
        found = {self.api("metadata", person)[1]["metadata"]["id"] for person in ("user_id:ada", "email: ADA@acme.TEST", "anonymous_id:a1")}
        self.assertEqual(len(found), 1)
        status, body = self.api("traits", "user_id:nobody")
        self.assertEqual((status, body["error"]["code"]), (404, "not_found"))


class AdminDoorTest(DoorsTest):
    def test_nobody_reads_without_a_token_nor_from_a_page_nor_by_a_foreign_name(self):
        good = {"Authorization": "Bearer " + TOKEN}
        basic = base64.b64encode((TOKEN + ":").encode()).decode()
        cases = ((200, good), (200, {"Authorization": "bearer  " + TOKEN}), (200, {"Authorization": "Basic " + basic}),
                 (200, {**good, "Host": "localhost:1"}), (401, {}), (401, {"Authorization": "Bearer x"}), (401, {"Authorization": "Bearer"}),
                 (401, {"Authorization": "Bearer " + hashlib.sha256(TOKEN.encode()).hexdigest()}),
                 (403, {**good, "Origin": "http://127.0.0.1"}), (403, {**good, "Host": "rebound.example"}))
        for path in ("/v1/audiences", "/metrics", "/v1/outbox", "/v1/dead"):
            for status, headers in cases:
                self.assertEqual(self.ask(path, headers)[0], status, (path, headers))
        self.assertEqual(self.ask("/healthz")[0], 200)

    def test_what_sources_send_to_reads_nothing(self):
        key = {"Authorization": "Basic " + base64.b64encode(b"shop-key:").decode()}
        for path in ("/v1/audiences", "/metrics", "/v1/outbox", "/v1/profiles/user_id:ada", "/v1/dead",
                     "/v1/spaces/a/collections/users/profiles/user_id:ada/traits"):
            self.assertEqual(self.ask(path, key, self.hub.port())[0], 404, path)
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.ask(path, port=self.hub.port())[0], 200)


if __name__ == "__main__":
    unittest.main()

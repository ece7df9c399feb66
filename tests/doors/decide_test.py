"""GET /v1/decide of a running hub: what a page may read of its visitor, and what nobody may."""

import http.client
import json
import pathlib
import sys
import tempfile
import unittest
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402

CONFIG = """
version: 1
hub: { data: ./data, listen: "127.0.0.1:0", admin: "unix:./admin.sock" }
sources:
  page: { plugin: tracking, trust: public, with: { write_key: "page-key" }, consent: { onsite: Onsite } }
  shop: { plugin: tracking, with: { write_key: "shop-key" } }
consent:
  purposes: { onsite: { basis: consent } }
%s
computed:
  views: { expression: events("Viewed").count(), public: true }
  spent: events("Bought").sum(e, e.properties.total)
traits:
  interest: { public: true }
audiences:
  curious: { where: traits.views >= 2.0, public: true }
  watched: traits.views >= 1.0
"""
NOTHING = {"audiences": [], "traits": {}}
ALLOWED = {"consent": {"categoryPreferences": {"Onsite": True}}}
REFUSED = {"consent": {"categoryPreferences": {"Onsite": False}}}


class DecideTest(unittest.TestCase):
    def start(self, decide="decide: { purpose: onsite }"):
        config = CONFIG % decide
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.hub = hub.Hub(folder.name, config)
        self.addCleanup(self.hub.stop)
        self.hub.start()

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, json.loads(text) if text else None

    def send(self, kind, key="page-key", **event):
        status, _, said = self.request("POST", "/v1/" + kind, json.dumps(event), {"X-Write-Key": key})
        self.assertEqual(status, 200, said)
        hub.wait_for(lambda: self.hub.unstepped() == 0)

    def visit(self, visitor, times=2, **event):
        for _ in range(times):
            self.send("track", anonymousId=visitor, event="Viewed", context=ALLOWED, **event)

    def decide(self, visitor, key="page-key"):
        query = urllib.parse.urlencode({"writeKey": key, "anonymousId": visitor})
        status, _, said = self.request("GET", "/v1/decide?" + query)
        self.assertEqual(status, 200, said)
        return said

    def test_an_anonymous_visitor_reads_what_is_public_and_no_more(self):
        self.start()
        self.visit("a-1")
        self.send("identify", anonymousId="a-1", traits={"interest": "shoes", "salary": 7})
        self.assertEqual(self.decide("a-1"), {"audiences": ["curious"], "traits": {"interest": "shoes", "views": 2}})

    def test_of_an_unknown_visitor_nothing_is_said_and_nobody_is_made(self):
        self.start()
        self.visit("a-1")
        self.assertEqual(self.decide("a-2"), NOTHING)
        self.assertEqual(self.decide("type:value"), NOTHING)
        self.assertIn("\nsluice_profiles 1\n", self.hub.get("/metrics")[1])

    def test_what_a_visitor_has_not_allowed_or_refused_is_not_read(self):
        self.start()
        self.send("track", anonymousId="a-1", event="Viewed")
        self.assertEqual(self.decide("a-1"), NOTHING)
        self.visit("a-1", times=1)
        self.assertEqual(self.decide("a-1")["traits"], {"views": 2})
        self.send("track", anonymousId="a-1", event="Viewed", context=REFUSED)
        self.assertEqual(self.decide("a-1"), NOTHING)

    def test_who_claims_a_customers_id_reads_nothing_of_the_customer(self):
        self.start()
        self.visit("a-1")
        self.send("identify", key="shop-key", userId="ada", anonymousId="a-1")
        self.send("identify", anonymousId="stranger", userId="ada")
        joined = self.hub.profile("user_id:ada")["identifiers"]["anonymous_id"]
        self.assertEqual(sorted(joined), ["a-1", "stranger"])
        self.assertEqual(self.decide("stranger"), NOTHING)
        self.assertEqual(self.decide("a-1"), {"audiences": ["curious"], "traits": {"views": 2}})

    def test_a_known_visitor_reads_when_a_server_has_said_who_it_is(self):
        self.start()
        self.visit("a-1")
        self.send("identify", anonymousId="a-1", userId="ada")
        self.assertEqual(self.decide("a-1"), NOTHING)
        self.send("identify", key="shop-key", anonymousId="a-1", userId="ada")
        self.assertEqual(self.decide("a-1"), {"audiences": ["curious"], "traits": {"views": 2}})

    def test_with_trust_public_a_pages_own_word_is_enough(self):
        self.start("decide: { purpose: onsite, trust: public }")
        self.visit("a-1")
        self.send("identify", anonymousId="a-1", userId="ada")
        self.assertEqual(self.decide("a-1")["audiences"], ["curious"])

    def test_what_cannot_be_answered_says_why(self):
        self.start()
        for path, status, code in (("/v1/decide?anonymousId=a", 401, "unknown_write_key"),
                                   ("/v1/decide?writeKey=no&anonymousId=a", 401, "unknown_write_key"),
                                   ("/v1/decide?writeKey=page-key", 400, "missing_user"),
                                   ("/v1/decide?writeKey=page-key&anonymousId=" + "a" * 513, 400, "missing_user"),
                                   ("/v1/decide?writeKey=page-key&anonymousId=a&userId=ada", 400, "only_anonymous_id")):
            got, _, said = self.request("GET", path)
            self.assertEqual((got, said["code"]), (status, code), path)
        self.assertEqual(self.request("POST", "/v1/decide?writeKey=page-key&anonymousId=a", "{}")[0], 405)

    def test_without_decide_in_the_configuration_pages_read_nothing(self):
        self.start()
        self.visit("a-1")
        self.hub.config.write_text("\n".join(line.replace(", public: true", "") for line in self.hub.config.read_text().split("\n")
                                             if not line.startswith(("decide:", "traits:", "  interest:"))))
        asked = "/v1/decide?writeKey=page-key&anonymousId=a-1"
        status, _, said = hub.wait_for(lambda: (got := self.request("GET", asked))[0] == 404 and got)
        self.assertEqual(said["code"], "not_enabled")

    def test_a_page_of_another_origin_may_ask_and_no_copy_is_kept(self):
        self.start()
        self.visit("a-1")
        status, headers, _ = self.request("OPTIONS", "/v1/decide", headers={
            "Origin": "https://shop.example", "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (204, "https://shop.example"))
        self.assertIn("GET", headers["Access-Control-Allow-Methods"])
        self.assertEqual(headers["Access-Control-Allow-Headers"], "authorization")
        status, headers, said = self.request("GET", "/v1/decide?anonymousId=a-1", headers={
            "Origin": "https://shop.example", "Authorization": "Basic cGFnZS1rZXk6"})
        self.assertEqual((status, said["traits"]), (200, {"views": 2}))
        self.assertEqual((headers["Access-Control-Allow-Origin"], headers["Cache-Control"]), ("https://shop.example", "no-store"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv)

"""`derive:` of a tracking source: what the door finds out of an event's page and visitor, and that nobody keeps the address."""

import http.client
import json
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402
import mmdb  # noqa: E402

CONFIG = """
version: 1
hub: { data: ./data, listen: "127.0.0.1:0", admin: "unix:./admin.sock" }
sources:
  page:
    plugin: tracking
    trust: public
    with: { write_key: "page-key" }
    derive:
      categories: { "/shoes/*": Shoes, "blog.example/*": Blog }
      location: ./city.mmdb
      device: true
      campaign: true
  shop: { plugin: tracking, with: { write_key: "shop-key" }, derive: { location: ./city.mmdb } }
audiences:
  french: |
    events("Viewed").where(e, e.derived.country == "FR").exists()
routes:
  all: { events: [Viewed], to: lake, fields: { about: event.derived } }
destinations:
  lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } }
"""
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"
ADDRESS = "203.0.113.77"


class DeriveTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        mmdb.write(self.folder / "city.mmdb", {
            "203.0.113.0/24": {"country": {"iso_code": "FR"}, "subdivisions": [{"iso_code": "IDF"}]},
            "198.51.100.0/25": {"country": {"iso_code": "DE"}}})
        self.hub = hub.Hub(folder.name, CONFIG)
        self.addCleanup(self.hub.stop)
        self.hub.start()

    def post(self, path, body, key, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        connection.request("POST", path, body if isinstance(body, str) else json.dumps(body), {"X-Write-Key": key, **headers})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def view(self, key="page-key", headers=None, **event):
        self.post("/v1/track", {"event": "Viewed", **event}, key, headers or {})

    def derived(self, count):
        def lines():
            path = self.folder / "lake.jsonl"
            found = path.read_text().split("\n")[:-1] if path.exists() else []
            return found if len(found) == count else None
        return [json.loads(line)["payload"].get("about") for line in hub.wait_for(lines)]

    def test_page_visitor_device_and_campaign_are_found_and_conditions_read_them(self):
        page = {"url": "https://shop.example/shoes/42/?utm_source=news%20letter&utm_campaign=may#top"}
        self.view(anonymousId="a-1", context={"page": page, "userAgent": PHONE}, headers={"X-Forwarded-For": ADDRESS})
        self.assertEqual(self.derived(1), [{"category": "Shoes", "country": "FR", "region": "IDF", "device": "mobile",
                                            "campaign": {"source": "news letter", "name": "may"}}])
        self.assertEqual(self.hub.audience("french")["size"], 1)

    def test_what_is_not_found_is_left_out(self):
        self.view(anonymousId="a-1", context={"page": {"url": "https://blog.example/2027"}},
                  headers={"X-Forwarded-For": "198.51.100.200", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"})
        self.assertEqual(self.derived(1), [{"category": "Blog", "device": "desktop"}])
        self.assertEqual(self.hub.audience("french")["size"], 0)

    def test_a_server_says_the_address_of_its_visitor_in_the_context_of_event_or_batch(self):
        self.view(key="shop-key", userId="u", context={"ip": ADDRESS, "locale": "fr-FR"})
        self.post("/v1/batch", {"context": {"ip": "198.51.100.7"}, "batch": [{"type": "track", "event": "Viewed", "userId": "u"}]},
                  "shop-key", {})
        self.assertEqual(self.derived(2), [{"country": "FR", "region": "IDF"}, {"country": "DE"}])
        self.assertEqual(self.hub.command("journal", "dump", "--unmasked").count('"locale":"fr-FR"'), 1)

    def test_no_file_of_the_hub_keeps_an_address_that_was_looked_up(self):
        self.view(anonymousId="a-1", context={"ip": ADDRESS}, headers={"X-Forwarded-For": ADDRESS})
        self.view(key="shop-key", userId="u", context={"ip": ADDRESS})
        self.post("/v1/batch", {"context": {"ip": ADDRESS}, "batch": [{"type": "track", "event": "Viewed", "userId": "u"}]},
                  "shop-key", {})
        hidden = ('{"userId":"u","event":"Viewed","context":{"ip":"%s"},"context":{"locale":"fr-FR"}}',
                  '{"userId":"u","event":"Viewed","context":{"locale":"fr-FR"},"context":{"ip":"%s"}}',
                  '{"userId":"u","event":"Viewed","context":{"\\u0069p":"%s"}}',
                  '{"userId":"u","event":"Viewed","c\\u006fntext":{"ip":"%s"},"context":{}}')
        for text in hidden:
            self.post("/v1/track", text % ADDRESS, "shop-key", {})
        hub.wait_for(lambda: self.hub.get("/metrics")[1].find("\nsluice_events_total 7\n") >= 0)
        self.hub.stop()
        files = [f for f in self.folder.rglob("*") if f.is_file()]
        self.assertGreater(len(files), 5)
        self.assertEqual([f.name for f in files if ADDRESS.encode() in f.read_bytes()], [])

    def test_a_replay_finds_what_was_found_even_if_the_database_is_another(self):
        self.view(anonymousId="a-1", headers={"X-Forwarded-For": ADDRESS})
        self.derived(1)
        self.hub.stop()
        mmdb.write(self.folder / "city.mmdb", {"203.0.113.0/24": {"country": {"iso_code": "US"}}})
        for checkpoint in (self.folder / "data" / "checkpoints").iterdir():
            checkpoint.unlink()
        self.hub.start()
        self.assertEqual(self.hub.audience("french")["size"], 1)

    def test_a_file_that_is_no_database_is_refused_and_the_running_one_goes_on(self):
        (self.folder / "bad.mmdb").write_bytes(b"nothing")
        self.hub.config.write_text(CONFIG.replace("./city.mmdb", "./bad.mmdb"))
        hub.wait_for(lambda: "no database in MaxMind's format" in (self.folder / "hub.log").read_text())
        self.view(anonymousId="a-1", headers={"X-Forwarded-For": ADDRESS})
        self.assertEqual(self.derived(1)[0]["country"], "FR")


if __name__ == "__main__":
    unittest.main(argv=sys.argv)

"""What an operator reads in the log: which destination is in trouble, when it is back, what it refused; and nobody's data."""

import http.server
import json
import pathlib
import signal
import sys
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402
from doors_test import DoorsTest  # noqa: E402

CONFIG = """
version: 1
hub: { data: ./data, listen: "127.0.0.1:0", admin: "unix:./admin.sock" }
sources:
  shop: { plugin: tracking, trust: server, with: { write_key: "shop-key" } }
routes:
  all: { events: "*", to: hook }
  people: { profiles: has(traits.email), to: hook }
destinations:
  hook: { plugin: webhook, purpose: internal, with: { url: "http://127.0.0.1:%d/", headers: { x-key: "a-header-secret" } } }
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(Receiver.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class LogTest(DoorsTest):
    def setUp(self):
        Receiver.status = 200
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.hub = hub.Hub(folder.name, CONFIG % server.server_port)
        self.addCleanup(self.hub.stop)
        self.hub.start()

    def said(self):
        lines = (self.hub.folder / "hub.log").read_text().splitlines()
        return [json.loads(line)["message"] for line in lines if line.startswith("{") and '"delivery"' in line]

    def test_a_destination_in_trouble_is_told_once_with_its_reason_and_again_when_it_is_back(self):
        Receiver.status = 503
        self.buy("m1")

        def told():
            return self.said()
        hub.wait_for(told)
        Receiver.status = 200

        def back():
            return "hook: takes records again; 0 records to go" in self.said()
        hub.wait_for(back)
        self.assertEqual(self.said()[0], "hook: http_503; 1 record waiting to be tried again")
        self.assertEqual(len(self.said()), 2)

    def test_a_destination_that_refuses_the_hub_itself_is_told_to_be_looked_at(self):
        Receiver.status = 401
        self.buy("m1")

        def told():
            return [line for line in self.said() if "look at its address, key and permissions" in line]
        hub.wait_for(told)
        self.hub.stop(signal.SIGKILL)  # it would wait for what cannot be delivered

    def test_what_was_refused_is_counted_and_nobody_s_data_is_in_the_log(self):
        Receiver.status = 422
        self.send("/v1/identify", {"userId": "ada-of-the-test", "traits": {"email": "ada@acme.test", "phone": "+33612345678",
                                                                            "first_name": "Ada-Augusta"}})
        self.buy("m1")

        def told():
            return [line for line in self.said() if "sluice dead list --destination hook" in line]
        hub.wait_for(told)
        self.send("/v1/track", b'{"userId":"ada@acme.test"')
        self.hub.stop()
        log = (self.hub.folder / "hub.log").read_text()
        for private in ("ada-of-the-test", "ada@acme.test", "33612345678", "Ada-Augusta", "shop-key", "a-header-secret"):
            self.assertNotIn(private, log)
        self.assertNotIn("shop-key", self.hub.command("dead", "list", "--json"))


if __name__ == "__main__":
    unittest.main()

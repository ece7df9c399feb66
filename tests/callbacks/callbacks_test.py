#!/usr/bin/env python3
"""The hub as vendors call it. $SLUICE names the binary, $SLUICE_PLUGINS the folders of its connectors, hooks.so among them."""

import base64
import hashlib
import hmac
import http.client
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("vendors", "support")]
from client import Server  # noqa: E402
from hub import SLUICE, Hub, wait_for  # noqa: E402
from twilio import NOT_MOBILE, NUMBER_SID, signature  # noqa: E402

ACCOUNT = "AC" + "0" * 31 + "1"
TOKEN = "auth-token-never-to-be-seen"
ADA, BOB, EVE = "+33612345611", "+33612345612", "+33612345613"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Case(unittest.TestCase):
    twilio_with = ""  # more of the destination's `with:`
    extra = ""        # more of the configuration

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-callbacks-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.vendor = Server("twilio.py", "--account", ACCOUNT, "--token", TOKEN)
        self.vendor.__enter__()
        self.addCleanup(self.vendor.__exit__)
        self.port = free_port()
        self.public = f"http://127.0.0.1:{self.port}"
        self.hub = Hub(self.folder, self.config(), {"TOKEN": TOKEN, "HOOK": "hook-secret", "OLD_HOOK": "old-secret"},
                       "data/admin.sock")
        self.addCleanup(self.end)
        self.hub.start()

    def end(self):
        if self.hub.process:
            self.hub.stop(signal.SIGKILL)

    def destination(self):
        url = f"http://127.0.0.1:{self.vendor.port}"
        return f"""
  sms:
    plugin: twilio
    purpose: sms_offers
    with: {{ account: {ACCOUNT}, token: "${{TOKEN}}", from: "+33639980001", endpoint: "{url}", messaging_endpoint: "{url}"{self.twilio_with} }}
"""

    def config(self):
        return f"""
version: 1
hub: {{ data: ./data, listen: "127.0.0.1:{self.port}", admin: "unix:./data/admin.sock", public_url: "{self.public}", country: FR }}
sources:
  shop:
    plugin: hooks
    with: {{ secret: "${{HOOK}}", old_secret: "${{OLD_HOOK}}" }}
    streams:
      orders:
        as: event
        name: "=row.event"
        ids: {{ user_id: row.user, phone: row.phone }}
        consent: {{ sms_offers: row.optin }}
        properties: {{ total: double(row.total) }}
consent:
  unknown: denied
  purposes:
    sms_offers: {{ channel: sms, basis: consent }}
    sms_service: {{ channel: sms, basis: contract }}
    newsletter: {{ channel: email, basis: consent }}
audiences:
  reached: events("Message Delivered").exists()
  failed: events("Message Failed").exists()
  replied: events("Message Replied").exists()
workflows:
  thanks:
    trigger: {{ event: Order }}
    steps: [ {{ id: thanks_sms, send: sms, with: {{ text: "Merci {{{{ event.properties.total }}}}" }} }} ]
  thanks_again:
    trigger: {{ event: Order Again }}
    steps: [ {{ id: again_sms, send: sms, with: {{ text: "Merci encore {{{{ event.properties.total }}}}" }} }} ]
  thanks_more:
    trigger: {{ event: Order More }}
    steps: [ {{ id: more_sms, send: sms, with: {{ text: "Merci toujours {{{{ event.properties.total }}}}" }} }} ]
destinations:{self.destination()}{self.extra}"""

    # ---- as the shop and the vendor call

    def call(self, path, body, headers=None, method="POST"):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        link.request(method, path, body, headers or {})
        answer = link.getresponse()
        out = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        link.close()
        return out

    def order(self, order, secret="hook-secret", at=None, **headers):
        order = {"event": "Order"} | order
        body = json.dumps(order).encode()
        at = str(int(time.time()) if at is None else at)
        mac = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
        return self.call("/in/shop/orders", body, {"X-Time": at, "X-Signature": "v0=" + mac, **headers})

    def buy(self, number, user, phone, optin=True, event="Order"):
        status, _, text = self.order({"id": f"o{number}", "event": event, "user": user, "phone": phone, "optin": optin, "total": number})
        self.assertEqual((status, text), (201, "taken"))

    def status(self, sid, status, token=TOKEN, query="", **more):
        fields = [("MessageSid", sid), ("MessageStatus", status), ("To", ADA), ("From", "+33639980001"), *more.items()]
        url = f"{self.public}/in/sms/status{query}"
        return self.call(f"/in/sms/status{query}", urllib.parse.urlencode(fields),
                         {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature(token, url, fields)})

    # ---- what is to be seen

    def messages(self):
        return [r for r in self.vendor.records() if r["kind"] == "message"]

    def callbacks(self):
        return [r for r in self.vendor.records() if r["kind"] == "callback"]

    def control(self, what, **order):
        answer = self.vendor.request("POST", "/_stand-in/" + what, json.dumps(order))
        self.assertEqual(answer[0], 200, answer)
        return json.loads(answer[2])

    def wait_messages(self, count):
        wait_for(lambda: len(self.messages()) >= count, said=f"{count} messages")

    def metric(self, metric, **labels):
        wanted = ",".join(f'{key}="{value}"' for key, value in labels.items())
        for line in self.hub.get("/metrics")[1].splitlines():
            if line.startswith(metric + "{" + wanted + "}") or (not labels and line.startswith(metric + " ")):
                return int(line.rsplit(" ", 1)[1])
        return None

    def members(self, audience):
        return self.hub.audience(audience).get("size", 0)

    def audience_has(self, audience, user):
        profile = self.hub.profile("user_id:" + user)
        return any(a["audience"] == audience for a in profile["audiences"])

    def lane(self, name="sms"):
        return next(lane for lane in json.loads(self.hub.get("/v1/outbox")[1])["lanes"] if lane["destination"] == name)


class DoorTest(Case):
    def test_only_who_holds_the_secret_is_heard_and_nothing_is_told_to_others(self):
        self.assertEqual(self.status("SM1", "delivered")[0], 204)  # unknown, and no mistake of the vendor's
        self.assertEqual(self.status("SM1", "delivered", token="forged")[::2], (401, "unauthorized\n"))
        self.assertEqual(self.call("/in/sms/status", "MessageSid=SM1&MessageStatus=delivered")[::2], (401, "unauthorized\n"))
        order = {"id": "1", "user": "ada", "total": 1}
        self.assertEqual(self.order(order, secret="forged")[0], 401)
        self.assertEqual(self.order(order, at=int(time.time()) - 301)[0], 401)  # replayed
        self.assertEqual(self.order(order, secret="old-secret")[0], 201)        # while the vendor changes over
        self.assertEqual(self.metric("sluice_webhook_requests_total", name="sms", route="/status", result="accepted"), 1)
        self.assertEqual(self.metric("sluice_webhook_requests_total", name="sms", route="/status", result="bad_signature"), 1)
        self.assertEqual(self.metric("sluice_webhook_requests_total", name="sms", route="/status", result="no_signature"), 1)
        self.assertEqual(self.metric("sluice_webhook_requests_total", name="shop", route="/orders", result="stale"), 1)
        self.assertEqual(self.metric("sluice_receipts_total", result="unknown"), 1)

    def test_what_no_route_takes_is_told_so(self):
        self.assertEqual(self.call("/in/nobody/orders", "")[0], 404)
        self.assertEqual(self.call("/in/shop/other", "")[0], 404)
        self.assertEqual(self.call("/in/shop", "")[0], 404)
        status, headers, _ = self.call("/in/shop/orders", None, method="GET")
        self.assertEqual((status, headers["allow"]), (405, "POST"))
        status, _, text = self.call("/in/shop/orders", b"x" * (1024 * 1024 + 1))
        self.assertEqual(status, 413, text)
        self.assertEqual(self.metric("sluice_webhook_requests_total", name="shop", route="/orders", result="too_large"), 1)

    def test_what_the_connector_cannot_read_is_400_and_what_it_cannot_do_now_is_503(self):
        self.assertEqual(self.order({"no": "id"})[0], 400)
        status, headers, _ = self.order({"id": "later"})
        self.assertEqual(status, 503)
        self.assertIn("retry-after", headers)
        self.assertEqual(self.order({"id": "1", "user": "ada", "total": 1})[0], 201)


class SourceTest(Case):
    def test_rows_that_are_called_in_go_the_way_of_rows_that_are_read(self):
        status, headers, text = self.order({"id": "o1", "user": "ada", "total": 5})
        self.assertEqual((status, headers["x-order"], text), (201, "seen", "taken"))
        self.hub.stop(signal.SIGKILL)  # what was answered is durable
        self.hub.start()
        ada = self.hub.profile("user_id:ada")
        self.assertIsNotNone(ada)
        self.assertEqual(self.order({"id": "o1", "user": "ada", "total": 5})[0], 201)  # again: no effect
        wait_for(lambda: self.metric("sluice_duplicates_total") == 1, said="the second is a duplicate")


class CheckTest(unittest.TestCase):
    def check(self, text):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "connectors.yaml"
            file.write_text(text, encoding="utf-8")
            done = subprocess.run([SLUICE, "check", str(file)], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr

    def test_a_route_that_does_not_say_how_its_callers_are_verified_is_refused(self):
        code, said = self.check("version: 1\nsources:\n  shop: { plugin: unverified, streams: { orders: { as: identify, ids: { user_id: row.u } } } }\n")
        self.assertEqual(code, 1, said)
        self.assertIn("/orders", said)
        self.assertIn("verif", said)

    def test_without_a_public_url_it_is_said_that_nobody_can_call(self):
        code, said = self.check(f"""
version: 1
destinations:
  sms: {{ plugin: twilio, purpose: internal, with: {{ account: {ACCOUNT}, token: x, from: "+33639980001" }} }}
""")
        self.assertEqual(code, 0, said)
        self.assertIn("public_url", said)

    def test_a_destination_without_a_sender_is_no_destination(self):
        code, said = self.check(f"version: 1\nhub: {{ public_url: \"https://hub.acme.test\" }}\ndestinations:\n"
                                f"  sms: {{ plugin: twilio, purpose: internal, with: {{ account: {ACCOUNT}, token: x }} }}\n")
        self.assertEqual(code, 1, said)
        self.assertIn("messaging_service", said)


class ReceiptTest(Case):
    def test_receipts_in_any_order_become_events_that_rules_read(self):
        self.vendor.order(statuses=["delivered", "sent"])
        self.buy(1, "ada", ADA)
        self.wait_messages(1)
        wait_for(lambda: self.members("reached") == 1, said="Ada's message is delivered")
        wait_for(lambda: len(self.callbacks()) == 2, said="both callbacks came")
        self.assertEqual([c["status"] for c in self.callbacks()], [204, 204])
        wait_for(lambda: self.metric("sluice_receipts_total", result="late") == 1, said="what came late is counted")
        message = self.messages()[0]
        self.assertTrue(message["StatusCallback"].startswith(self.public + "/in/sms/status?id="))
        self.control("status", sid=message["sid"], status="delivered")
        wait_for(lambda: self.metric("sluice_receipts_total", result="late") == 2, said="the same again is nothing new")
        # Twilio took it, and Twilio says that it arrived.
        wait_for(lambda: len(self.hub.profile("user_id:ada")["deliveries"]) == 2, said="both stand in the history")

    def test_a_message_that_does_not_arrive_is_an_event_with_its_reason(self):
        self.vendor.order(statuses=["sent", "undelivered"], error="30006")
        self.buy(1, "ada", ADA)
        wait_for(lambda: self.members("failed") == 1, said="the failure is on the profile")
        self.assertEqual(self.members("reached"), 0)

    def test_an_answer_is_an_event_of_who_has_the_number(self):
        self.buy(1, "ada", ADA)
        self.wait_messages(1)
        self.control_inbound_url()
        self.control("inbound", **{"from": ADA, "body": "Merci !"})
        wait_for(lambda: self.members("replied") == 1, said="Ada has replied")

    def control_inbound_url(self):
        link = http.client.HTTPConnection("127.0.0.1", self.vendor.port)
        auth = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        link.request("POST", f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers/{NUMBER_SID}.json",
                     urllib.parse.urlencode({"SmsUrl": self.public + "/in/sms/inbound"}),
                     {"Authorization": "Basic " + auth, "Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(link.getresponse().status, 200)
        link.close()


class StopTest(Case):
    twilio_with = f", number_sid: {NUMBER_SID}"

    def wait_subscribed(self):
        wait_for(lambda: self.metric("sluice_webhooks_registered") == 1, said="the number's webhook is set")

    def test_stop_ends_what_waits_and_what_comes_and_start_takes_it_back(self):
        self.wait_subscribed()
        self.buy(1, "ada", ADA)
        self.wait_messages(1)
        self.vendor.order(status=429, retry_after=3)
        self.buy(2, "ada", ADA, event="Order Again")
        wait_for(lambda: self.lane()["backlog"] == 1, said="the second message waits")
        self.vendor.request("POST", "/_stand-in/inbound", json.dumps({"from": ADA, "body": "Stop"}))
        wait_for(lambda: self.hub.profile("user_id:ada")["consent"]["sms_offers"]["status"] == "refused", said="Ada refuses")
        self.vendor.order(clear=True)
        wait_for(lambda: self.lane()["outcomes"].get("suppressed") == 1, said="what waited is suppressed")
        self.assertEqual(self.hub.profile("user_id:ada")["consent"]["sms_service"]["status"], "refused")
        self.assertEqual(self.hub.profile("user_id:ada")["consent"]["newsletter"]["status"], "unknown")
        self.assertEqual(self.order({"id": "o3", "event": "Order More", "user": "ada", "phone": ADA, "total": 3})[0], 201)
        self.buy(4, "bob", BOB)  # behind it, and it arrives
        self.wait_messages(2)
        self.assertEqual([m["To"] for m in self.messages()], [ADA, BOB])
        self.control("inbound", **{"from": ADA, "body": "START"})
        wait_for(lambda: self.hub.profile("user_id:ada")["consent"]["sms_offers"]["status"] == "granted", said="Ada is back")
        self.assertEqual(self.hub.profile("user_id:ada")["consent"]["newsletter"]["status"], "unknown")

    def test_start_gives_nothing_that_was_not_refused_here(self):
        self.wait_subscribed()
        self.assertEqual(self.order({"id": "o1", "user": "eve", "phone": EVE, "optin": False, "total": 1})[0], 201)
        wait_for(lambda: self.hub.profile("user_id:eve"), said="Eve is known")
        self.control("inbound", **{"from": EVE, "body": "START"})
        wait_for(lambda: self.callbacks(), said="the vendor has called")
        self.assertEqual(self.hub.profile("user_id:eve")["consent"]["sms_offers"]["status"], "refused")

    def test_a_stop_of_a_number_that_nobody_has_holds_for_whoever_comes_to_have_it(self):
        self.wait_subscribed()
        self.control("inbound", **{"from": BOB, "body": "STOP"})
        wait_for(lambda: self.hub.profile("phone:" + BOB), said="the number is kept with its refusal")
        self.assertEqual(self.order({"id": "o1", "user": "bob", "phone": BOB, "total": 1})[0], 201)
        wait_for(lambda: self.hub.profile("user_id:bob"), said="Bob has come")
        self.assertEqual(self.hub.profile("user_id:bob")["consent"]["sms_offers"]["status"], "refused")
        self.assertEqual(self.messages(), [])

    def test_a_send_that_is_refused_for_an_opt_out_is_a_refusal(self):
        self.wait_subscribed()
        self.vendor.request("POST", "/_stand-in/opt_out", json.dumps({"from": ADA}))
        self.buy(1, "ada", ADA)
        wait_for(lambda: self.lane()["outcomes"].get("suppressed") == 1, said="the message is suppressed")
        wait_for(lambda: self.hub.profile("user_id:ada")["consent"]["sms_offers"]["status"] == "refused", said="Ada refuses")
        self.assertEqual(json.loads(self.hub.get("/v1/dead")[1])["groups"], [])

    def test_a_number_that_nothing_reaches_is_a_dead_letter_and_an_event(self):
        self.wait_subscribed()
        self.buy(1, "ada", NOT_MOBILE)
        wait_for(lambda: self.lane()["outcomes"].get("rejected") == 1, said="the message is rejected")
        wait_for(lambda: self.members("failed") == 1, said="the failure is on the profile")


class KillTest(Case):
    def test_a_message_whose_answer_the_hub_did_not_live_to_see_is_held_and_never_sent_twice(self):
        self.vendor.order(hang_s=5)
        self.buy(1, "ada", ADA)
        self.wait_messages(1)
        self.hub.stop(signal.SIGKILL)
        self.vendor.order(clear=True)
        self.hub.start()
        wait_for(lambda: self.lane()["outcomes"].get("held") == 1, said="the message is held")
        self.buy(2, "bob", BOB)
        self.wait_messages(2)
        self.assertEqual([m["To"] for m in self.messages()], [ADA, BOB])
        # The vendor's word on it is heard all the same: it carries the message's own id.
        self.control("status", sid=self.messages()[0]["sid"], status="delivered")
        wait_for(lambda: self.audience_has("reached", "ada"), said="the held message is known to have arrived")

    def test_an_answer_that_is_lost_is_looked_for_over_there(self):
        self.vendor.order(cut=True, count=1)
        self.buy(1, "ada", ADA)
        wait_for(lambda: self.lane()["outcomes"].get("delivered") == 1, said="the message was found")
        self.assertEqual(len(self.messages()), 1)


class SubscribeTest(Case):
    twilio_with = f", number_sid: {NUMBER_SID}"

    def seen(self):
        auth = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        link = http.client.HTTPConnection("127.0.0.1", self.vendor.port)
        link.request("GET", f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers/{NUMBER_SID}.json", None,
                     {"Authorization": "Basic " + auth})
        url = json.loads(link.getresponse().read())["sms_url"]
        link.close()
        return [url]

    def registered(self):
        return self.metric("sluice_webhooks_registered")

    def test_the_webhook_is_set_once_kept_over_a_restart_and_taken_back_with_its_destination(self):
        url = self.public + "/in/sms/inbound"
        wait_for(lambda: self.seen() == [url], said="the number calls the hub")
        wait_for(lambda: self.registered() == 1, said="the hub knows it too")
        self.hub.stop()
        self.hub.start()
        self.buy(1, "ada", ADA)
        self.wait_messages(1)
        self.assertEqual(self.registered(), 1)
        text = self.config().replace(self.destination(), "\n  lake: { plugin: file, purpose: internal, with: { path: lake.jsonl } }\n")
        self.hub.config.write_text(text.replace("send: sms", "send: lake").replace("thanks_sms", "thanks_lake"), encoding="utf-8")
        wait_for(lambda: self.seen() == [""], said="the webhook is taken back")
        self.assertEqual(self.order({"id": "o9", "user": "ada", "total": 9})[0], 201)

    def test_a_vendor_that_is_down_costs_nobody_anything_and_is_asked_again(self):
        wait_for(lambda: self.registered() == 1, said="the number calls the hub")
        self.hub.stop()
        self.vendor.order(down=True)
        text = self.config().replace(self.twilio_with, self.twilio_with + ", validity_s: 600")  # other settings: to be set anew
        self.hub.config.write_text(text, encoding="utf-8")
        self.hub.start()
        self.assertEqual(self.order({"id": "o1", "user": "ada", "total": 1})[0], 201)
        wait_for(lambda: self.metric("sluice_webhook_registration_failures_total"), said="the trouble is told")
        self.vendor.order(clear=True)
        before = self.vendor.stats()["by_status"].get("200", 0)
        wait_for(lambda: self.vendor.stats()["by_status"].get("200", 0) > before, 30, said="it is set anew")


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""A whole hub keeps custom audiences at the stand-in of Meta: they are made there once, kept in step, replaced, made anew."""

import hashlib
import hmac
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "vendors")]
import hub  # noqa: E402
from client import Server  # noqa: E402
from hub import wait_for  # noqa: E402

os.environ.update(SITE_KEY="site-key", META_TOKEN="t", META_SECRET="s")

CONFIG = """version: 1
hub: {{ data: ./data, listen: 127.0.0.1:0, admin: 'unix:./admin.sock', country: FR }}
sources:
  site: {{ plugin: tracking, with: {{ write_key: "${{SITE_KEY}}" }} }}
consent:
  unknown: granted
  purposes: {{ ads: {{ channel: ads, basis: consent }} }}
audiences:
  vip: traits.plan == "pro"
  all: has(traits.plan)
routes:
  vip_ads: {{ audience: vip, to: meta, list: "VIP France", fields: {{ first_name: traits.first_name, city: traits.city }} }}
  all_ads: {{ audience: all, to: hook }}
destinations:
  meta:
    plugin: meta_audiences
    purpose: ads
    settle: {settle}
    with: {{ ad_account: "1", token: "${{META_TOKEN}}", app_secret: "${{META_SECRET}}", endpoint: "http://127.0.0.1:{port}", rows: {rows} }}
  hook: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:9/" }} }}
"""


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


class AudiencesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-audiences-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def begin(self, settle="0s", rows=10000, *stand_in):
        self.meta = Server("meta.py", "--token", "t", "--ad-account", "1", "--app-secret", "s", *stand_in).__enter__()
        self.addCleanup(self.meta.__exit__)
        self.hub = hub.Hub(self.folder, CONFIG.format(port=self.meta.port, settle=settle, rows=rows))
        self.hub.start()
        self.addCleanup(lambda: self.hub.stop())

    def identify(self, *people, **traits):
        """People are user ids; each gets a mail address of his own, and a batch is durable when this returns."""
        batch = [{"type": "identify", "userId": p, "traits": {"email": f"{p}@Example.com", "plan": "pro", **traits}} for p in people]
        for first in range(0, len(batch), 500):
            connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
            connection.request("POST", "/v1/batch", json.dumps({"batch": batch[first:first + 500], "writeKey": "site-key"}))
            self.assertEqual(connection.getresponse().status, 200)
            connection.close()

    def audiences(self):
        return [json.loads(line) for line in self.meta.request("GET", "/_stand-in/audiences")[2].splitlines()]

    def members(self):
        found = self.audiences()
        return sorted(m.get("EXTERN_ID", "?") for m in found[0]["members"]) if found else None

    def lane(self):
        return next(lane for lane in json.loads(self.hub.get("/v1/outbox")[1])["lanes"] if lane["destination"] == "meta")

    def until_members(self, *people):
        wait_for(lambda: self.members() == sorted(people), said=f"these are in: {people[:5]}")

    def test_the_audience_is_made_once_and_people_enter_and_leave_it_hashed(self):
        self.begin()
        self.identify("ada", first_name="Müller", city="New York", phone="06 12 34 56 78")
        self.until_members("ada")
        self.identify("bob", "eve")
        self.until_members("ada", "bob", "eve")
        self.identify("bob", plan="free")
        self.until_members("ada", "eve")
        self.assertEqual([a["name"] for a in self.audiences()], ["VIP France"])
        ada = next(m for m in self.audiences()[0]["members"] if m["EXTERN_ID"] == "ada")
        self.assertEqual(ada["EMAIL"], sha("ada@example.com"))
        self.assertEqual(ada["PHONE"], "8a3e7886c9335e82e02299fa3e87b46e2de3b0c63d56003e30a5029394a47661")
        self.assertEqual(ada["FN"], "2dbd218072117713f2d5996a726a9b216ed791ffd0783b6ba4ab6d61b8333192")
        self.assertEqual(ada["CT"], "350c754ba4d38897693aa077ef43072a859d23f613443133fecbbd90a3512ca5")
        stats = self.meta.stats()
        self.assertEqual((stats["created"], stats["invalid"]), (1, 0))

    def test_a_hub_that_is_killed_while_the_audience_is_made_does_not_make_a_second(self):
        self.begin()
        self.meta.order(hang_s=3)  # the work is done at once, the answer comes when nobody waits for it any more
        self.identify("ada")
        wait_for(self.audiences)
        self.hub.stop(signal.SIGKILL)
        self.meta.order(clear=True)
        self.hub.start()
        self.until_members("ada")
        self.assertEqual(self.meta.stats()["created"], 1)
        # It is kept from then on: a start verifies it and looks for none.
        self.hub.stop()
        before = len(self.meta.records())
        self.hub.start()
        self.identify("bob")
        self.until_members("ada", "bob")
        self.assertEqual((self.meta.stats()["created"], len(self.meta.records())), (1, before + 1))

    def test_an_audience_deleted_over_there_is_made_anew(self):
        self.begin()
        self.identify("ada")
        self.until_members("ada")
        gone = self.audiences()[0]["id"]
        self.meta.request("POST", "/_stand-in/drop", {"id": gone})
        self.identify("bob")
        self.until_members("bob")
        self.assertNotEqual(self.audiences()[0]["id"], gone)
        # Who was in the old one comes with a full refresh.
        self.hub.command("resync", "vip_ads")
        self.until_members("ada", "bob")

    def test_a_token_that_has_expired_pauses_this_destination_alone_and_says_so(self):
        self.begin()
        self.meta.order(code=190, subcode=463, in_200=True)
        self.identify("ada")
        lane = wait_for(lambda: self.lane()["state"] == "paused" and self.lane())
        self.assertIn("VIP France", lane["last_error"])
        self.assertEqual(lane["backlog"], 1)
        self.assertEqual(self.hub.get("/readyz")[0], 200)

    def test_a_budget_that_is_used_up_stops_the_lane_for_the_announced_minutes(self):
        self.begin()
        self.identify("ada")
        self.until_members("ada")
        self.meta.order(usage=100, regain=20)
        self.identify("bob")
        wait_for(lambda: self.lane()["state"] == "backoff")
        asked = self.meta.stats()["requests"]
        self.identify("eve")
        wait_for(lambda: self.lane()["backlog"] == 2)
        self.assertEqual(self.meta.stats()["requests"], asked)

    def test_a_person_who_enters_and_leaves_within_the_settling_time_is_sent_once(self):
        self.begin("2s", 10000, "--minute", "1.5")
        self.identify("ada", "bob")
        self.identify("ada", plan="free")
        self.until_members("bob")
        self.identify("bob", plan="free")
        self.until_members()
        self.assertEqual(self.meta.stats()["races"], 0)
        sent = [[row[0] for row in r["data"]] for r in self.meta.records() if r["method"] == "POST"]
        self.assertEqual(sent, [["bob"]])

    def test_a_full_refresh_leaves_the_members_and_nobody_else_though_the_hub_is_killed_meanwhile(self):
        self.begin("0s", 500)
        people = [f"p{n:05}" for n in range(6_500)]
        self.identify(*people)
        wait_for(lambda: (self.members() or [])[-1:] == people[-1:] and self.lane()["backlog"] == 0, 60)
        audience = self.audiences()[0]
        stranger = {"payload": {"schema": ["EXTERN_ID"], "data": [["stranger"]]}}
        headers = {"Authorization": "Bearer t", "Content-Type": "application/json"}
        proof = "?appsecret_proof=" + hmac.new(b"s", b"t", hashlib.sha256).hexdigest()
        self.assertEqual(self.meta.request("POST", f"/v25.0/{audience['id']}/users{proof}", stranger, headers)[0], 200)
        self.identify("p00003", plan="free")
        wait_for(lambda: "p00003" not in self.members())
        refresh = subprocess.run([hub.SLUICE, "resync", "all_ads", "--config", str(self.hub.config)], capture_output=True, text=True,
                                 cwd=self.folder)
        self.assertIn("takes no full refreshes", refresh.stdout + refresh.stderr)
        self.assertIn("6499 members", self.hub.command("resync", "vip_ads"))
        self.identify("late")
        self.identify("p00004", plan="free")

        def sessions():
            return [r["session"] for r in self.meta.records() if r["session"]]
        wait_for(lambda: len(sessions()) >= 2)
        self.hub.stop(signal.SIGKILL)
        self.hub.start()
        wait_for(lambda: self.lane()["backlog"] == 0 and sessions()[-1]["last"], 60)
        wanted = sorted(set(people) - {"p00003", "p00004"} | {"late"})
        wait_for(lambda: self.members() == wanted)
        seen = sessions()
        self.assertEqual(len({s["id"] for s in seen}), 1)
        numbers = [s["seq"] for s in seen]
        self.assertEqual((numbers[0], sorted(numbers), sum(s["last"] for s in seen)), (1, numbers, 1))
        self.assertEqual(set(numbers), set(range(1, numbers[-1] + 1)))
        self.hub.stop()
        self.assertIn("the same", self.hub.command("store", "verify"))


if __name__ == "__main__":
    unittest.main()

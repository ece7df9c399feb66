"""When two people become one, the list over there ends right: everybody who is in the audience is on it once, by identifiers of
people that there are, and nobody else; also with merges on the way, a vendor in trouble and a hub that is killed."""

import hashlib
import http.client
import itertools
import json
import os
import pathlib
import random
import signal
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
  site: {{ plugin: tracking, trust: server, with: {{ write_key: "${{SITE_KEY}}" }} }}
audiences:
  vip: traits.plan == "pro"
routes:
  vip_ads: {{ audience: vip, to: meta, list: "VIP" }}
destinations:
  meta:
    plugin: meta_audiences
    purpose: internal
    settle: 0s
    with: {{ ad_account: "1", token: "${{META_TOKEN}}", app_secret: "${{META_SECRET}}", endpoint: "http://127.0.0.1:{port}" }}
"""

# Who of the two was a member before, the older and the younger; and what the event says that makes them one.
PLANS = list(itertools.product(("pro", "free"), ("pro", "free"), ("pro", "free", None)))


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


class HandOverTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-hand-over-")
        self.addCleanup(folder.cleanup)
        self.meta = Server("meta.py", "--token", "t", "--ad-account", "1", "--app-secret", "s").__enter__()
        self.addCleanup(self.meta.__exit__)
        self.hub = hub.Hub(folder.name, CONFIG.format(port=self.meta.port))
        self.hub.start()
        self.addCleanup(lambda: self.hub.stop())

    def identify(self, *calls):
        batch = [{"type": "identify", **call} for call in calls]
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        connection.request("POST", "/v1/batch", json.dumps({"batch": batch, "writeKey": "site-key"}))
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def lane(self):
        return json.loads(self.hub.get("/v1/outbox")[1])["lanes"][0]

    def listed(self):
        found = [json.loads(line) for line in self.meta.request("GET", "/_stand-in/audiences")[2].splitlines()]
        return found[0]["members"] if found else []

    def older(self, n, plan):
        return {"userId": f"u{n}", "traits": {"email": f"a{n}@shop.example", "plan": plan}}

    def younger(self, n, plan):
        return {"anonymousId": f"n{n}", "traits": {"email": f"b{n}@shop.example", "plan": plan}}

    def merging(self, n, plan):
        traits = {"email": f"b{n}@shop.example"} | ({"plan": plan} if plan else {})
        return {"userId": f"u{n}", "traits": traits}

    def check(self):
        """The list is who is in the audience, each once."""
        wait_for(lambda: self.hub.unstepped() == 0 and self.lane()["backlog"] == 0, 60)
        self.assertEqual(self.lane().get("dead", 0), 0)
        people = {}
        for member in self.hub.audience("vip")["members"]:
            ids = member["identifiers"]
            for key in ids.get("user_id", []) + [sha(mail) for mail in ids.get("email", [])]:
                people[key] = member["id"]
        on = []
        for row in self.listed():
            found = {people.get(row[column]) for column in ("EXTERN_ID", "EMAIL") if row.get(column)}
            self.assertEqual(len(found), 1, f"{row} is of nobody, or of two: {found}")
            self.assertNotIn(None, found, f"{row} is of nobody in the audience")
            on += found
        self.assertEqual(sorted(on), sorted(set(people.values())))
        return on

    def test_whoever_of_the_two_was_on_the_list_the_one_that_they_become_is_on_it_once_or_not_at_all(self):
        for n, (older, _, _) in enumerate(PLANS):
            self.identify(self.older(n, older))
        for n, (_, younger, _) in enumerate(PLANS):
            self.identify(self.younger(n, younger))
        self.assertEqual(len(self.check()), 12)
        for n, (_, _, said) in enumerate(PLANS):
            self.identify(self.merging(n, said))
        on = self.check()
        for member in self.hub.audience("vip")["members"]:
            self.assertEqual({type: len(values) for type, values in member["identifiers"].items()},
                             {"user_id": 1, "email": 2, "anonymous_id": 1})
        # "pro" was said last: by the event itself, or by the younger.
        self.assertEqual(len(on), sum((said or younger) == "pro" for _, younger, said in PLANS))

    def test_the_same_with_merges_on_the_way_a_vendor_in_trouble_and_a_hub_that_is_killed(self):
        order = random.Random(4)
        calls = []
        for n in range(120):
            older, younger, said = order.choice(PLANS)
            one = [self.older(n, older), self.younger(n, younger), self.merging(n, said)]
            # Third parties: another browser who becomes one with them later, and who changes their mind after it.
            one += [{"anonymousId": f"m{n}", "traits": {"email": f"c{n}@shop.example", "plan": order.choice(("pro", "free"))}},
                    {"userId": f"u{n}", "traits": {"email": f"c{n}@shop.example"}}]
            if order.random() < 0.3:
                one.append({"userId": f"u{n}", "traits": {"plan": order.choice(("pro", "free"))}})
            calls.append(one)
        waiting = [(n, call) for n, one in enumerate(calls) for call in one]
        order.shuffle(waiting)
        waiting = [(n, calls[n].pop(0)) for n, _ in waiting]  # mixed, and each person's in order
        size = len(waiting) // 12
        for part in range(0, len(waiting), size):
            self.identify(*(call for _, call in waiting[part:part + size]))
            fault = order.choice(({"status": 500}, {"hang_s": 0.3}, {"code": 2, "in_200": True}, {"clear": True}))
            self.meta.order(**fault)
            if order.random() < 0.4:
                self.hub.stop(signal.SIGKILL)
                self.hub.start()
        self.meta.order(clear=True)
        self.assertGreater(len(self.check()), 20)


if __name__ == "__main__":
    unittest.main()

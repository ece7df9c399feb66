"""When two people become one, and when that is taken back, the list over there ends right: everybody who is in the audience is
on it once, by identifiers of theirs, and nobody else; also with merges on the way, a vendor in trouble and a hub that is killed.
For each destination that keeps lists."""

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

os.environ.update(SITE_KEY="site-key", META_TOKEN="t", META_SECRET="s", SF_SECRET="s3cret")

CONFIG = """version: 1
hub: {{ data: ./data, listen: 127.0.0.1:0, admin: 'unix:./admin.sock', country: FR }}
sources:
  site: {{ plugin: tracking, trust: server, with: {{ write_key: "${{SITE_KEY}}" }} }}
identity:
  - {{ id: user_id, at_most: {user_ids} }}
  - {{ id: email, at_most: 5, normalize: email }}
  - {{ id: anonymous_id, at_most: 100 }}
audiences:
  vip: traits.plan == "pro"
routes:
  vip: {{ audience: vip, to: there, list: "VIP" }}
{routes}
destinations:
  there:
    purpose: internal
    settle: 0s
{there}
"""

# Who of the two was a member before, the older and the younger; and what the event says that makes them one.
PLANS = list(itertools.product(("pro", "free"), ("pro", "free"), ("pro", "free", None)))


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


class HandOver:
    """The people and what becomes of them. Who mixes it in says where the list is kept, and by which `keys`."""

    user_ids = 1  # of a person at most; above 1 the younger has one, too
    rows_of_two = False  # people who are taken apart may be one row, until the list is replaced (plugins/meta_audiences/README.md)
    routes = there = vendor = ""
    faults = ({"status": 500}, {"hang_s": 0.3}, {"clear": True})
    options = ()  # of the stand-in

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-hand-over-")
        self.addCleanup(folder.cleanup)
        self.over_there = Server(self.vendor, *self.options).__enter__()
        self.addCleanup(self.over_there.__exit__)
        url = f"http://127.0.0.1:{self.over_there.port}"
        self.hub = hub.Hub(folder.name, CONFIG.format(user_ids=self.user_ids, routes=self.routes, there=self.there.replace("URL", url)))
        self.hub.start()
        self.addCleanup(lambda: self.hub.stop())

    def listed(self):
        """A set of keys for each row that is on the list."""
        raise NotImplementedError

    def keys(self, member):
        """Of somebody who is in the audience: the keys by which rows over there may name them."""
        raise NotImplementedError

    def identify(self, *calls):
        batch = [{"type": "identify", **call} for call in calls]
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        connection.request("POST", "/v1/batch", json.dumps({"batch": batch, "writeKey": "site-key"}))
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def lane(self):
        return json.loads(self.hub.get("/v1/outbox")[1])["lanes"][0]

    def settle(self):
        wait_for(lambda: self.hub.unstepped() == 0 and self.lane()["backlog"] == 0, 60)

    def older(self, n, plan):
        return {"userId": f"u{n}", "traits": {"email": f"a{n}@shop.example", "plan": plan}}

    def younger(self, n, plan, letter="v", address="b"):
        who = {"userId": f"{letter}{n}"} if self.user_ids > 1 else {"anonymousId": f"{letter}{n}"}
        return who | {"traits": {"email": f"{address}{n}@shop.example", "plan": plan}}

    def merging(self, n, plan):
        traits = {"email": f"b{n}@shop.example"} | ({"plan": plan} if plan else {})
        return {"userId": f"u{n}", "traits": traits}

    def check(self):
        """The list is who is in the audience, each once."""
        self.settle()
        self.assertEqual(json.loads(self.hub.command("dead", "list", "--json"))["groups"], [])
        people, inside = {}, []
        for member in self.hub.audience("vip")["members"]:
            keys = self.keys(member)
            people |= dict.fromkeys(keys, member["id"])
            inside += [member["id"]] if keys else []
        on = []
        for row in self.listed():
            found = {people.get(key) for key in row}
            self.assertNotIn(None, found, f"{row} is of nobody in the audience")
            self.assertEqual(len(found), 1, f"{row} is of two: {found}")
            on += found
        self.assertEqual(sorted(on), sorted(inside))
        return on

    def test_whoever_of_the_two_was_on_the_list_the_one_that_they_become_is_on_it_once_or_not_at_all(self):
        for first, second in ((self.older, self.younger), (self.younger, self.older)):
            start = 0 if first == self.older else len(PLANS)  # whoever was there first is who they become
            for n, (older, younger, _) in enumerate(PLANS, start):
                self.identify(first(n, older if first == self.older else younger))
            for n, (older, younger, _) in enumerate(PLANS, start):
                self.identify(second(n, younger if first == self.older else older))
        self.check()
        self.assertEqual(self.hub.audience("vip")["size"], 24)
        for start in (0, len(PLANS)):
            for n, (_, _, said) in enumerate(PLANS, start):
                self.identify(self.merging(n, said))
        self.check()
        for member in self.hub.audience("vip")["members"]:
            self.assertEqual({type: len(values) for type, values in member["identifiers"].items()},
                             {"user_id": 2, "email": 2} if self.user_ids > 1 else {"user_id": 1, "email": 2, "anonymous_id": 1})
        # What was said last counts: by the event itself, or by whoever of the two came second.
        wanted = sum((said or younger) == "pro" for _, younger, said in PLANS) + sum((said or older) == "pro" for older, _, said in PLANS)
        self.assertEqual(self.hub.audience("vip")["size"], wanted)

    def test_the_same_with_merges_on_the_way_a_vendor_in_trouble_and_a_hub_that_is_killed(self):
        order = random.Random(4)
        calls = []
        for n in range(120):
            older, younger, said = order.choice(PLANS)
            one = [self.older(n, older), self.younger(n, younger)]
            order.shuffle(one)
            one.append(self.merging(n, said))
            # Third parties: somebody else who becomes one with them later, and who changes their mind after it.
            one += [self.younger(n, order.choice(("pro", "free")), "w", "c"),
                    {"userId": f"u{n}", "traits": {"email": f"c{n}@shop.example"}}]
            for _ in range(order.choice((0, 0, 1, 2))):
                one.append({"userId": f"u{n}" if self.user_ids == 1 else order.choice("uvw") + str(n),
                            "traits": {"plan": order.choice(("pro", "free"))}})
            calls.append(one)
        waiting = [(n, call) for n, one in enumerate(calls) for call in one]
        order.shuffle(waiting)
        waiting = [(n, calls[n].pop(0)) for n, _ in waiting]  # mixed, and each person's in order
        size = len(waiting) // 12
        for part in range(0, len(waiting), size):
            self.identify(*(call for _, call in waiting[part:part + size]))
            self.over_there.order(**order.choice(self.faults))
            if order.random() < 0.4:
                self.hub.stop(signal.SIGKILL)
                self.hub.start()
        self.over_there.order(clear=True)
        self.assertGreater(len(self.check()), 20)

    def unmerge(self, n):
        person = f"user_id:u{n}"
        story = json.loads(self.hub.command("identity", "explain", person, "--json"))
        self.hub.command("identity", "unmerge", person, "--input", str(story["merges"][0]["input"]), "--yes")

    def test_a_merge_that_is_taken_back_leaves_each_of_the_two_on_the_list_or_off_it(self):
        for n, (older, younger, said) in enumerate(PLANS):
            self.identify(self.older(n, older))
            self.identify(self.younger(n, younger))
            self.identify(self.merging(n, said))
        self.check()
        # Some leave and come back as one, by the identifiers that were heard last.
        for plan in ("free", "pro"):
            self.identify(*(self.younger(n, plan) for n in range(0, len(PLANS), 2)))
            self.check()
        for n in range(len(PLANS)):
            self.unmerge(n)
            if n % 5 == 0:
                self.hub.stop(signal.SIGKILL)
                self.hub.start()
        if self.rows_of_two:
            self.settle()
            self.hub.command("resync", "vip")
        self.check()
        # And they go on apart.
        self.identify(*(self.older(n, "free" if n % 2 else "pro") for n in range(len(PLANS))))
        self.identify(*(self.younger(n, "pro" if n % 2 else "free") for n in range(len(PLANS))))
        self.check()
        self.assertEqual(self.hub.audience("vip")["size"], len(PLANS))


class MetaTest(HandOver, unittest.TestCase):
    rows_of_two = True
    vendor, options = "meta.py", ("--token", "t", "--ad-account", "1", "--app-secret", "s")
    faults = ({"status": 500}, {"hang_s": 0.3}, {"code": 2, "in_200": True}, {"clear": True})
    there = """    plugin: meta_audiences
    with: { ad_account: "1", token: "${META_TOKEN}", app_secret: "${META_SECRET}", endpoint: "URL" }"""

    def listed(self):
        found = [json.loads(line) for line in self.over_there.request("GET", "/_stand-in/audiences")[2].splitlines()]
        return [{row[column] for column in ("EXTERN_ID", "EMAIL") if row.get(column)} for row in (found[0]["members"] if found else [])]

    def keys(self, member):
        ids = member["identifiers"]
        return [*ids.get("user_id", []), *(sha(mail) for mail in ids.get("email", []))]


class SalesforceTest(HandOver, unittest.TestCase):
    """Members of a campaign, Contacts by their number; people have up to three of them."""

    vendor, user_ids, by = "salesforce.py", 3, "user_id"
    faults = ({"status": 500}, {"hang_s": 0.3}, {"locked": 3}, {"clear": True})
    routes = '  people: { profiles: has(traits.plan), to: there, fields: { LastName: traits.plan } }'
    there = """    plugin: salesforce
    with: { url: "URL", client_id: hub, client_secret: "${SF_SECRET}", external_id: Numero_Client__c }"""

    def living(self, kind):
        found = json.loads(self.over_there.request("GET", "/_stand-in/rows?object=" + kind)[2])
        return [row for row in found if not row["IsDeleted"]]

    def listed(self):
        contacts = {row["Id"]: row["Numero_Client__c"] for row in self.living("Contact")}
        return [{contacts[row["ContactId"]]} for row in self.living("CampaignMember")]

    def keys(self, member):
        return member["identifiers"].get(self.by, [])


class SalesforceByAddressTest(SalesforceTest):
    """People are known over there by their addresses, of which each has up to five."""

    user_ids, by = 1, "email"
    there = SalesforceTest.there.replace("Numero_Client__c", "Numero_Client__c, person_id: email")


class SalesforceBoxTest(SalesforceTest):
    """The list is a box that is ticked."""

    there = SalesforceTest.there.replace("Numero_Client__c", "Numero_Client__c, audience_fields: { VIP: Is_VIP__c }")

    def listed(self):
        return [{row["Numero_Client__c"]} for row in self.living("Contact") if row["Is_VIP__c"]]


class WebhookTest(HandOver, unittest.TestCase):
    """Whoever receives the records keeps lists of their own: by `profile`, or by an identifier."""

    vendor, user_ids = "webhook.py", 3
    there = """    plugin: webhook
    with: { url: "URL/hook" }"""

    def received(self):
        """In the order of arrival, and what is repeated once, as README.md tells receivers to do it."""
        seen = {}
        for one in self.over_there.records():
            seen.setdefault(one["record"]["key"], one["record"])
        return [record for record in seen.values() if record["name"] == "VIP"]

    def listed(self):
        on = set()
        for record in self.received():
            (on.add if record["op"] == "enter" else on.discard)(record["profile"])
        return [{profile} for profile in on]

    def keys(self, member):
        return [member["id"]]


class WebhookByNumberTest(WebhookTest):
    """A list of numbers: who enters by some is put on it by the first unless one of them is there, who leaves is taken off by all."""

    def listed(self):
        on = set()
        for record in self.received():
            ids = record["identifiers"].get("user_id", [])
            if record["op"] == "leave":
                on -= set(ids)
            elif not on & set(ids):
                on |= set(ids[:1])
        return [{number} for number in on]

    def keys(self, member):
        return member["identifiers"].get("user_id", [])


if __name__ == "__main__":
    unittest.main()

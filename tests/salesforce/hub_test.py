#!/usr/bin/env python3
"""The hub with Salesforce, against tests/vendors/salesforce.py: what comes in, what goes out, and what goes wrong.

$SLUICE names the binary, $SLUICE_PLUGINS the folder of its connectors.
"""

import base64
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("vendors", "support")]
from client import Server  # noqa: E402
from hub import Hub, wait_for  # noqa: E402

SECRET = "consumer-secret-never-to-be-seen"


class Case(unittest.TestCase):
    config = ""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-salesforce-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.vendor = Server("salesforce.py", "--client-secret", SECRET).__enter__()
        self.addCleanup(self.vendor.__exit__)
        with_ = f'with: {{ url: "http://127.0.0.1:{self.vendor.port}", client_id: hub, client_secret: "${{SECRET}}"'
        self.hub = Hub(self.folder, self.config.replace("WITH", with_), {"SECRET": SECRET}, "data/admin.sock")
        self.addCleanup(self.end)

    def end(self):
        if self.hub.process:
            self.hub.stop(signal.SIGKILL)

    def put(self, kind, *rows):
        status, _, text = self.vendor.request("POST", "/_stand-in/rows", {"object": kind, "rows": rows})
        self.assertEqual(status, 200, text)
        return json.loads(text)

    def delete(self, kind, *ids):
        self.assertEqual(self.vendor.request("POST", "/_stand-in/delete", {"object": kind, "ids": ids})[0], 200)

    def rows(self, kind):
        return json.loads(self.vendor.request("GET", "/_stand-in/rows?object=" + kind)[2])

    def lake(self):
        """What the lake got, in order; a line that is being written is not there yet."""
        path = self.folder / "lake.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]


SOURCE = """
version: 1
hub: { data: ./data, admin: "unix:./data/admin.sock", country: FR }
sources:
  crm:
    plugin: salesforce
    every: 1s
    WITH, bulk_rows: 2000 }
    streams:
      Contact:
        as: identify
        where: row.Level__c != "Bronze"
        time: row.SystemModstamp
        ids: { user_id: row.Numero_Client__c, email: row.Email }
        traits: { first_name: row.FirstName, city: row.MailingCity, points: row.Points__c, company: row.Account.Name }
        consent: { news: row.Optin_Email__c }
        deleted: drop_source
      Task:
        as: event
        name: "=row.Subject"
        time: row.CreatedDate
        ids: { user_id: row.Description }
        properties: { status: row.Status }
  web:
    plugin: csv
    with: { path: ./web.csv }
    streams:
      rows: { as: identify, ids: { user_id: row.id }, traits: { city: row.city } }
consent: { purposes: { news: { channel: email, basis: consent } } }
audiences: { rich: traits.points > 10.0, vip: traits.points > 20.0 }
routes:
  people: { profiles: "has(traits.city) || has(traits.first_name)", to: lake, on_leave: delete, fields: { city: traits.city } }
  tasks: { events: ["*"], to: lake }
  rich: { audience: rich, to: lake }
destinations:
  lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } }
"""


class SourceTest(Case):
    config = SOURCE

    def setUp(self):
        super().setUp()
        (self.folder / "web.csv").write_text("id,city\n")

    def append(self, row):
        with (self.folder / "web.csv").open("a") as file:
            file.write(row + "\n")

    def contact(self, n, **more):
        return {"LastName": f"L{n}", "Numero_Client__c": f"u{n}", "Email": f"u{n}@acme.test", "FirstName": f"F{n}", **more}

    def person(self, n):
        return self.hub.profile(f"user_id:u{n}")

    def tasks(self):
        return sorted(line["name"] for line in self.lake() if line["op"] == "event")

    def next_second(self):
        """Their clock has seconds: what changes twice within one, with a poll between, is the same change."""
        began = int(time.time())
        wait_for(lambda: int(time.time()) > began, 5, "the next second")

    def test_two_objects_are_read_and_then_what_changes(self):
        account = self.put("Account", {"Name": "Acme"})[0]
        ids = self.put("Contact", *(self.contact(n, AccountId=account, Points__c=n) for n in range(30)))
        self.put("Task", *({"Subject": f"Call {n}", "Description": f"u{n}", "Status": "Completed"} for n in range(5)))
        self.hub.start()
        wait_for(lambda: self.person(29) and len(self.tasks()) == 5, 60, "both streams were read")
        self.assertEqual(self.person(29)["traits"], {"first_name": "F29", "points": 29, "company": "Acme"})
        described = self.vendor.stats()["described"]
        self.next_second()
        self.put("Contact", {"Id": ids[3], "FirstName": "New"})
        self.put("Task", {"Subject": "Later", "Description": "u3"})
        wait_for(lambda: self.person(3)["traits"]["first_name"] == "New" and "Later" in self.tasks(), 60, "changes came")
        self.assertEqual(self.vendor.stats()["described"], described, "what is known of an object is kept")
        self.assertEqual(self.tasks(), [f"Call {n}" for n in range(5)] + ["Later"])

    def test_only_the_fields_that_are_mapped_are_asked_for(self):
        self.put("Contact", self.contact(1, MobilePhone="+33612345678", Level__c="Bronze"), self.contact(2))
        self.hub.start()
        wait_for(lambda: self.person(2), 60, "the second one is there")
        self.assertIsNone(self.person(1))
        dump = self.hub.command("journal", "dump", "--unmasked")
        self.assertIn("u2@acme.test", dump)
        self.assertNotIn("MobilePhone", dump)
        self.assertNotIn("+33612345678", dump)

    def test_a_deleted_contact_withdraws_what_it_said_and_no_more(self):
        first, second, twin = self.put("Contact", self.contact(1, MailingCity="Lyon", Optin_Email__c=True, Points__c=20),
                                       self.contact(2, MailingCity="Nice"), self.contact(2, MailingCity="Nice", Email="b@acme.test"))
        self.hub.start()
        wait_for(lambda: self.person(2) and self.person(1), 60, "both are there")
        self.append("u1,Paris")
        wait_for(lambda: self.person(1)["traits"]["city"] == "Paris", 60, "the shop has said more")
        self.delete("Contact", first, twin)
        wait_for(lambda: "first_name" not in self.person(1)["traits"], 60, "it is withdrawn")
        gone = self.person(1)
        self.assertEqual(gone["traits"], {"city": "Paris"})
        self.assertEqual(gone["identifiers"], {"user_id": ["u1"]})
        self.assertIsNone(self.hub.profile("email:u1@acme.test"))
        self.assertEqual(gone["consent"]["news"]["status"], "refused")
        self.assertEqual(gone["audiences"], [])
        self.assertEqual(self.person(2)["traits"]["city"], "Nice", "of two records of one person one is there")
        wait_for(lambda: [line["op"] for line in self.lake() if line["name"] == "rich"] == ["enter", "leave"], 60, "the list knows")
        self.delete("Contact", second)
        wait_for(lambda: self.hub.profile("email:u2@acme.test") is None, 60, "nothing is left of the second")
        wait_for(lambda: "delete" in [line["op"] for line in self.lake()], 60, "and the lake was told")
        deleted = [line for line in self.lake() if line["op"] == "delete"]
        self.assertEqual(len(deleted), 1)

    def test_after_kill_nothing_is_lost_and_no_event_counts_twice(self):
        tasks = [{"Subject": f"T{n}", "Description": f"u{n % 50}", "SystemModstamp": f"2026-10-{1 + n // 100:02d}T00:00:{n % 60:02d}.000+0000"}
                 for n in range(1000)]
        self.put("Task", *tasks)
        self.put("Contact", *(self.contact(n) for n in range(50)))
        self.vendor.order(page=50)
        self.hub.start("--checkpoint-inputs", "300")
        for part in (1, 400, 800):
            wait_for(lambda part=part: len(self.lake()) >= part, 60, f"{part} records are out")
            self.hub.stop(signal.SIGKILL)
            self.hub.start("--checkpoint-inputs", "300")
        wait_for(lambda: len(set(self.tasks())) == 1000, 60, "all are there")
        self.assertEqual(self.hub.profile("user_id:u7")["traits"]["first_name"], "F7")
        keys = [line["key"] for line in self.lake() if line["op"] == "event"]
        self.assertEqual(len(set(keys)), 1000, "a record that was sent twice has one key")
        self.hub.stop()
        self.assertIn("the same", self.hub.command("store", "verify"))

    def test_an_expired_session_costs_one_token(self):
        self.put("Contact", self.contact(1))
        self.hub.start()
        wait_for(lambda: self.person(1), 60, "the first is there")
        tokens = self.vendor.stats()["tokens"]
        self.vendor.request("POST", "/_stand-in/expire")
        self.put("Contact", self.contact(2))
        wait_for(lambda: self.person(2), 60, "the second too")
        wait_for(lambda: self.vendor.stats()["tokens"] >= tokens + 2, 60, "each stream has asked again")
        self.put("Contact", self.contact(3))
        wait_for(lambda: self.person(3), 60, "the third too")
        self.assertEqual(self.vendor.stats()["tokens"], tokens + 2, "one for each stream")
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(SECRET.encode(), path.read_bytes(), path.name)

    def test_when_the_limit_is_used_up_nothing_more_is_asked(self):
        self.vendor.order(usage=[100_000, 100_000])
        self.put("Contact", self.contact(1))
        self.hub.start()
        wait_for(lambda: self.vendor.stats()["by_status"].get("403", 0) >= 2, 60, "both streams were refused")
        asked = self.vendor.stats()["requests"]
        self.vendor.order(clear=True)
        self.append("u9,Paris")
        wait_for(lambda: self.person(9), 60, "other sources go on")
        self.assertLessEqual(self.vendor.stats()["requests"], asked + 1)
        self.assertIsNone(self.person(1))

    def test_many_rows_come_by_a_job_of_the_bulk_api(self):
        account = self.put("Account", {"Name": "Ac,me \"x\"\nltd"})[0]
        self.put("Contact", *(self.contact(n, Points__c=n / 2, AccountId=account, Optin_Email__c=n % 2 == 0) for n in range(2500)))
        self.vendor.order(page=1000)
        self.hub.start()
        wait_for(lambda: self.vendor.stats()["jobs"] == 1 and self.person(2499), 60, "the job was read")
        self.assertEqual(self.person(2499)["traits"], {"first_name": "F2499", "points": 1249.5, "company": "Ac,me \"x\"\nltd"})
        self.assertEqual([self.person(n)["consent"]["news"]["status"] for n in (2, 3)], ["granted", "refused"])
        wait_for(lambda: self.vendor.stats()["queries"] > 3, 60, "it goes on by queries")
        self.assertEqual(self.vendor.stats()["jobs"], 1)

    def test_a_query_that_takes_too_long_is_asked_in_parts(self):
        days = [f"2026-{month:02d}-01T10:00:00.000+0000" for month in range(1, 11)]
        self.put("Contact", *(self.contact(n, SystemModstamp=day) for n, day in enumerate(days)))
        self.vendor.order(window_s=60 * 86_400)
        self.hub.start()
        wait_for(lambda: all(self.person(n) for n in range(10)), 60, "all of them came")


DESTINATION = """
version: 1
hub: { data: ./data, listen: "127.0.0.1:0", admin: "unix:./data/admin.sock", country: FR }
sources:
  web: { plugin: tracking, with: { write_key: key } }
audiences: { rich: traits.points > 10.0, vip: traits.points > 20.0 }
routes:
  people:
    profiles: has(traits.last)
    to: crm
    on_leave: delete
    fields: { LastName: traits.last, Email: traits.email, Level__c: traits.level }
  calls: { events: [Call], to: crm, fields: { Description: event.properties.note } }
  rich: { audience: rich, to: crm }
  vip: { audience: vip, to: crm, list: VIP France }
destinations:
  crm:
    plugin: salesforce
    purpose: internal
    WITH, external_id: Numero_Client__c, campaign_marker: Sluice_Sync__c, audience_fields: { rich: Is_VIP__c } }
"""


class DestinationTest(Case):
    config = DESTINATION

    def setUp(self):
        super().setUp()
        self.hub.start()

    def send(self, *events):
        link = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        batch = [{"messageId": f"m{self.vendor.stats()['requests']}-{i}", **event} for i, event in enumerate(events)]
        link.request("POST", "/v1/batch", json.dumps({"batch": batch}),
                     {"Authorization": "Basic " + base64.b64encode(b"key:").decode(), "Content-Type": "application/json"})
        answer = link.getresponse()
        self.assertEqual(answer.status, 200, answer.read())
        link.close()

    def person(self, n, **traits):
        return {"type": "identify", "userId": f"u{n}", "traits": {"last": f"L{n}", **traits}}

    def lane(self):
        return json.loads(self.hub.get("/v1/outbox")[1])["lanes"][0]

    def wait_empty(self, seconds=30):
        wait_for(lambda: self.lane()["backlog"] == 0, seconds, "the lane is empty")

    def living(self, kind):
        return [row for row in self.rows(kind) if not row["IsDeleted"]]

    def test_people_events_and_audiences_arrive(self):
        # The first that is heard of each of them makes the person and the member.
        self.send(*(self.person(n, points=n) for n in range(25)), {"type": "track", "event": "Call", "userId": "u3", "properties": {"note": "hi"}})
        wait_for(lambda: len(self.living("Task")) == 1, 60, "the event is there")
        self.wait_empty()
        contacts = {row["Numero_Client__c"]: row for row in self.living("Contact")}
        self.assertEqual([n for n in range(25) if contacts[f"u{n}"]["Is_VIP__c"]], list(range(11, 25)))
        task = self.living("Task")[0]
        self.assertEqual((task["Subject"], task["Description"], task["WhoId"]), ("Call", "hi", contacts["u3"]["Id"]))
        campaign = self.living("Campaign")[0]
        members = {row["ContactId"] for row in self.living("CampaignMember") if row["CampaignId"] == campaign["Id"]}
        self.assertEqual((campaign["Name"], members), ("VIP France", {contacts[f"u{n}"]["Id"] for n in range(21, 25)}))
        self.send(self.person(20, points=1), self.person(22, points=15), self.person(24, last=None))
        wait_for(lambda: len(self.living("Contact")) == 24, 60, "one is gone")
        self.wait_empty()
        self.assertFalse(next(row for row in self.living("Contact") if row["Numero_Client__c"] == "u20")["Is_VIP__c"])
        self.assertNotIn(contacts["u22"]["Id"], {row["ContactId"] for row in self.living("CampaignMember")})
        self.assertEqual(self.vendor.stats()["refused"], 0)

    def members(self):
        contacts = {row["Id"]: row["Numero_Client__c"] for row in self.living("Contact")}
        return sorted(contacts[row["ContactId"]].lower() for row in self.living("CampaignMember"))

    def counted(self, name):
        found = [line for line in self.hub.get("/metrics")[1].splitlines() if f'name="{name}"' in line]
        return float(found[0].split()[-1]) if found else 0

    def test_a_refresh_reads_back_who_is_a_member_and_says_how_many_were_missing_and_how_many_too_many(self):
        self.send(*(self.person(n, points=n) for n in range(270)))
        right = sorted(f"u{n}" for n in range(21, 270))
        wait_for(lambda: self.members() == right, 60, "the members are there")
        self.wait_empty()
        # Somebody over there takes thirty off and puts twelve on.
        rows = self.living("CampaignMember")
        contacts = {row["Numero_Client__c"]: row["Id"] for row in self.living("Contact")}
        self.vendor.request("POST", "/_stand-in/delete", {"object": "CampaignMember", "ids": [row["Id"] for row in rows[:30]]})
        wrong = [{"CampaignId": rows[0]["CampaignId"], "ContactId": contacts[f"u{n}"]} for n in range(12)]
        self.vendor.request("POST", "/_stand-in/rows", {"object": "CampaignMember", "rows": wrong})
        # And writes numbers in capitals, by which they are the same people.
        self.put("Contact", *({"Id": contacts[f"u{n}"], "Numero_Client__c": f"U{n}"} for n in range(200, 210)))
        self.vendor.order(locked=3)  # which costs a part, and not the refresh
        self.hub.command("resync", "vip")
        wait_for(lambda: self.members() == right, 60, "they are as they should be")
        self.wait_empty()
        self.assertEqual(self.counted("audience_members_too_many"), 12)
        self.assertEqual(self.counted("audience_members_missing"), 30)
        self.assertIn("12 members were too many", (self.hub.folder / "hub.log").read_text())
        self.assertEqual(json.loads(self.hub.command("dead", "list", "--json"))["groups"], [])
        # Who leaves is found by the number in capitals, too.
        self.send(self.person(200, points=15))
        right.remove("u200")
        wait_for(lambda: self.members() == right, 60, "one has left")
        # Where nothing has drifted, nothing is counted; who came in between belongs there.
        missing = self.counted("audience_members_missing")
        self.send(self.person(300, points=40))
        wait_for(lambda: self.members() == sorted([*right, "u300"]), 60, "the new one is there, too")
        before = self.vendor.stats()["queries"]
        self.hub.command("resync", "vip")
        wait_for(lambda: self.vendor.stats()["queries"] >= before + 5, 60, "they were read: three parts, and twice the end")
        self.wait_empty()
        self.assertEqual(self.members(), sorted([*right, "u300"]))
        self.assertEqual((self.counted("audience_members_too_many"), self.counted("audience_members_missing")), (12, missing))

    def test_a_refresh_leaves_leads_in_a_campaign_of_contacts_and_says_how_many(self):
        self.send(*(self.person(n, points=30) for n in range(3)))
        wait_for(lambda: len(self.members()) == 3, 60, "the members are there")
        self.wait_empty()
        campaign = self.living("Campaign")[0]["Id"]
        leads = self.put("Lead", {"LastName": "A", "Company": "C"}, {"LastName": "B", "Company": "C"})
        contact = self.put("Contact", {"LastName": "nobody of ours"})[0]
        self.put("CampaignMember", *({"CampaignId": campaign, "LeadId": lead} for lead in leads), {"CampaignId": campaign, "ContactId": contact})
        self.hub.command("resync", "vip")
        wait_for(lambda: self.counted("audience_members_too_many") == 1, 60, "the Contact is taken off")
        self.wait_empty()
        members = self.living("CampaignMember")
        self.assertEqual(sorted(row["LeadId"] for row in members if row["LeadId"]), sorted(leads))
        self.assertEqual(len(members), 5)
        self.assertIn("2 members are no Contacts, and were left alone", (self.hub.folder / "hub.log").read_text())

    def test_of_a_batch_the_bad_ones_are_dead_letters_and_the_others_arrive(self):
        self.vendor.order(locked=2)
        self.send(*(self.person(n, **({"level": "Tin"} if n % 5 == 0 else {"level": "Gold"})) for n in range(20)))
        wait_for(lambda: len(self.living("Contact")) == 16, 60, "the good ones are there")
        self.wait_empty()
        groups = json.loads(self.hub.command("dead", "list", "--json"))["groups"]
        self.assertEqual([(one["reason"], one["count"]) for one in groups], [("invalid_or_null_for_restricted_picklist", 4)])
        self.assertNotIn("Tin", json.dumps(groups))

    def test_an_expired_session_costs_one_token_and_no_record(self):
        self.send(self.person(1))
        wait_for(lambda: self.living("Contact"), 60, "the first is there")
        tokens = self.vendor.stats()["tokens"]
        self.vendor.request("POST", "/_stand-in/expire")
        self.send(*(self.person(n) for n in range(2, 30)))
        wait_for(lambda: len(self.living("Contact")) == 29, 60, "all are there")
        self.assertEqual(self.vendor.stats()["tokens"], tokens + 1)

    def test_a_used_up_limit_makes_the_lane_wait(self):
        self.vendor.order(usage=[5, 5])
        self.send(self.person(1))
        wait_for(lambda: self.vendor.stats()["by_status"].get("403"), 60, "it was refused")
        wait_for(lambda: self.lane()["backlog"] == 1 and "limit" in json.dumps(self.lane()), 60, "the lane says so")
        self.assertEqual(json.loads(self.hub.command("dead", "list", "--json"))["groups"], [])

    def test_after_kill_everybody_is_there_once(self):
        self.send(*(self.person(n) for n in range(200)))
        wait_for(lambda: self.vendor.stats()["records"] > 0, 60, "some are out")
        self.hub.stop(signal.SIGKILL)
        self.hub.start()
        wait_for(lambda: len(self.living("Contact")) == 200, 60, "all are there")
        self.wait_empty()
        self.assertEqual(len(self.rows("Contact")), 200)


class OnlineTest(Case):
    config = SOURCE.replace("Contact:", "Contacts:").replace("row.Subject", "row.Sujbect").replace("time: row.CreatedDate", "time: row.IsDeleted")

    def check(self, *options):
        done = subprocess.run([os.environ["SLUICE"], "check", *options, "--format", "json", str(self.hub.config)], capture_output=True,
                              text=True, env=self.hub.environment)
        return done.returncode, [(one["code"], one["line"], one["message"], one["help"]) for one in json.loads(done.stdout)]

    def line_of(self, text):
        return next(i for i, line in enumerate(self.config.splitlines(), 1) if text in line)

    def test_what_is_not_over_there_is_told_at_its_place(self):
        (self.folder / "web.csv").write_text("id,city\n")
        self.assertEqual(self.check(), (0, []), "without --online nobody is asked")
        self.assertEqual(self.vendor.stats()["requests"], 0)
        code, found = self.check("--online")
        self.assertEqual(code, 1)
        self.assertEqual(found, [
            ("unknown-name", self.line_of("Contacts:"), "no stream is named 'Contacts' over there", "did you mean 'Contact'?"),
            ("unknown-name", self.line_of("Sujbect"), "the stream 'Task' has no field 'Sujbect'", "did you mean 'Subject'?"),
            ("wrong-type", self.line_of("time: row.IsDeleted"), "'IsDeleted' is of type boolean, and a time is none", "")])

    def test_a_connection_that_does_not_work_is_told_at_its_source(self):
        self.hub.environment["SECRET"] = "another-secret"
        code, found = self.check("--online")
        self.assertEqual((code, found[0][:2]), (1, ("connection-failed", self.line_of("  crm:"))))
        self.assertIn("client id or secret", found[0][2])
        self.assertNotIn("another-secret", json.dumps(found))

    def test_discover_shows_streams_fields_types_and_values(self):
        streams = json.loads(self.hub.command("plugin", "discover", "crm", "--json"))["streams"]
        self.assertIn("Order_Event__c", [one["name"] for one in streams])
        fields = {one["name"]: one for one in json.loads(self.hub.command("plugin", "discover", "crm", "Contact", "--json"))["streams"][0]["fields"]}
        self.assertEqual(fields["Level__c"]["values"], ["Bronze", "Silver", "Gold"])
        self.assertEqual([fields[name]["type"] for name in ("Points__c", "IsDeleted", "SystemModstamp", "Account")],
                         ["number", "boolean", "datetime", "object"])
        self.assertIn("Level__c", self.hub.command("plugin", "discover", "crm", "Contact"))


if __name__ == "__main__":
    unittest.main()

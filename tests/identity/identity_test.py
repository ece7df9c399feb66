"""Who is it? People as they come through the HTTP API to a running hub: what makes two of them one, and what never does; and
what time alone does to them."""

import base64
import contextlib
import http.client
import json
import pathlib
import re
import signal
import sys
import tempfile
import time
import unittest
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "vendors")]
import hub  # noqa: E402
from client import Server  # noqa: E402


def new(what):
    return f"{what}-{uuid.uuid4().hex[:10]}"


def mail_of(name):
    return new(name) + "@example.com"


class HubTest(unittest.TestCase):
    def setUp(self):
        self.open = contextlib.ExitStack()
        self.addCleanup(self.open.close)
        folder = self.open.enter_context(tempfile.TemporaryDirectory(prefix="sluice-identity-"))
        self.mail = self.open.enter_context(Server("mail.py"))
        config = (HERE / "connectors.yaml").read_text(encoding="utf-8")
        self.hub = hub.Hub(folder, config.replace("MAIL_PORT", str(self.mail.ports[0])))
        self.hub.start()
        self.open.callback(self.hub.stop)

    def send(self, key, *calls):
        """As one batch; the hub has them durably when this returns."""
        calls = [{"messageId": new("m"), **call} for call in calls]
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        authorization = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        connection.request("POST", "/v1/batch", json.dumps({"batch": calls}),
                           {"Authorization": authorization, "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        self.assertEqual(answer.status, 200, text)

    def settle(self):
        """Everything sent so far has been stepped: a person that is sent last is known."""
        mark = new("mark")
        self.send("shop", {"type": "identify", "userId": mark})
        return hub.wait_for(lambda: self.hub.profile(f"user_id:{mark}"))

    def person(self, who):
        self.settle()
        return self.hub.profile(who)

    def one_person(self, *names):
        self.settle()
        ids = {name: (self.hub.profile(name) or {}).get("id") for name in names}
        self.assertEqual(len(set(ids.values())), 1, ids)
        self.assertIsNotNone(ids[names[0]], ids)
        return self.hub.profile(names[0])

    def different(self, *names):
        self.settle()
        ids = {name: (self.hub.profile(name) or {}).get("id") for name in names}
        self.assertNotIn(None, ids.values(), ids)
        self.assertEqual(len(set(ids.values())), len(names), ids)


class IdentityTest(HubTest):
    def test_a_visitor_then_an_email_then_a_user_id_on_another_device_is_one_person(self):
        phone, laptop, ada, user = new("a"), new("b"), mail_of("ada"), new("u")
        self.send("site", {"type": "track", "event": "Product Viewed", "anonymousId": phone})
        first = self.person(f"anonymous_id:{phone}")["id"]
        self.send("site", {"type": "track", "event": "Product Viewed", "anonymousId": laptop})
        second = self.person(f"anonymous_id:{laptop}")["id"]
        self.assertNotEqual(first, second)
        self.send("site", {"type": "identify", "anonymousId": phone, "traits": {"email": ada, "first_name": "Ada"}})
        self.send("shop", {"type": "identify", "anonymousId": laptop, "userId": user, "traits": {"email": ada}})
        person = self.one_person(f"anonymous_id:{phone}", f"anonymous_id:{laptop}", f"email:{ada}", f"user_id:{user}")
        self.assertEqual(person["id"], first, "the older permanent id stays")
        self.assertEqual(self.hub.profile(second)["id"], first, "the younger one still resolves")
        self.assertEqual(person["computed"]["views"], 2)
        self.assertEqual(person["traits"]["first_name"], "Ada")
        [merge] = person["merged"]
        self.assertEqual((merge["id"], merge["joined_by"]), (second, "anonymous_id"))
        self.assertGreater(merge["cause"], 0)
        shown = self.hub.command("profile", f"user_id:{user}")
        self.assertRegex(shown, rf"became one with\n +{second} .* by anonymous_id \(input {merge['cause']}\)")
        self.explained(person, second, merge["cause"], laptop, user, ada)
        self.hub.stop()
        self.explained(person, second, merge["cause"], laptop, user, ada)
        self.assertEqual(json.loads(self.hub.command("profile", second, "--json"))["id"], first, "without a running hub too")
        self.assertIn("the same", self.hub.command("store", "verify"))

    def explained(self, person, loser, cause, laptop, user, ada):
        """Which event joined whom, when and by what, from the hub or from its files."""
        story = json.loads(self.hub.command("identity", "explain", f"email:{ada}", "--json"))
        self.assertEqual(story["person"], person["id"])
        self.assertEqual({(i["type"], i["value"]) for i in story["identifiers"]},
                         {(kind, value) for kind, values in person["identifiers"].items() for value in values})
        [merge] = story["merges"]
        self.assertEqual((merge["id"], merge["input"], merge["joined_by"], merge["value"]), (loser, cause, "anonymous_id", laptop))
        self.assertEqual((merge["source"], merge["kind"]), ("backend", "identify"))
        self.assertEqual(merge["identifiers"], [{"type": "user_id", "value": user}, {"type": "email", "value": ada},
                                                {"type": "anonymous_id", "value": laptop}])
        shown = self.hub.command("identity", "explain", person["id"])
        self.assertRegex(shown, rf"{loser}  at .* by anonymous_id {laptop}\n +input {cause}: identify of backend")

    def test_two_user_ids_are_never_one_person(self):
        ada, bob, shared, device = new("u"), new("u"), mail_of("family"), new("a")
        self.send("shop", {"type": "identify", "userId": ada, "anonymousId": device, "traits": {"email": shared}})
        self.send("shop", {"type": "identify", "userId": bob, "anonymousId": device, "traits": {"email": shared}})
        self.send("shop", {"type": "track", "event": "Product Viewed", "userId": bob, "anonymousId": device})
        self.different(f"user_id:{ada}", f"user_id:{bob}")
        self.one_person(f"user_id:{ada}", f"email:{shared}", f"anonymous_id:{device}")
        self.assertEqual(self.person(f"user_id:{bob}")["computed"]["views"], 1)
        self.assertEqual(self.person(f"user_id:{ada}")["computed"]["views"], 0)
        self.assertEqual(self.person(f"user_id:{bob}")["merged"], [])

    def test_a_public_source_joins_no_two_known_people_and_a_server_does(self):
        user, ada, device = new("u"), mail_of("ada"), new("a")
        self.send("shop", {"type": "identify", "userId": user, "traits": {"plan": "gold"}},
                  {"type": "identify", "anonymousId": device, "traits": {"email": ada}})
        self.different(f"user_id:{user}", f"email:{ada}")
        self.send("site", {"type": "identify", "userId": user, "anonymousId": device, "traits": {"email": ada, "plan": "free"}},
                  {"type": "identify", "userId": user, "traits": {"plan": None}})
        self.different(f"user_id:{user}", f"email:{ada}")
        self.assertEqual(self.person(f"user_id:{user}")["traits"]["plan"], "gold", "what the server said stands")
        self.send("shop", {"type": "identify", "userId": user, "traits": {"email": ada}})
        self.one_person(f"user_id:{user}", f"email:{ada}", f"anonymous_id:{device}")

    def test_a_public_source_joins_a_visitor_to_a_person(self):
        user, device = new("u"), new("a")
        self.send("shop", {"type": "identify", "userId": user})
        self.send("site", {"type": "track", "event": "Product Viewed", "anonymousId": device},
                  {"type": "identify", "userId": user, "anonymousId": device})
        self.assertEqual(self.one_person(f"user_id:{user}", f"anonymous_id:{device}")["computed"]["views"], 1)

    def test_beyond_a_limit_the_weakest_identifier_is_left_out(self):
        user, devices = new("u"), [new("a") for _ in range(4)]
        mails = [mail_of("m") for _ in range(3)]
        for device in devices:
            self.send("shop", {"type": "track", "event": "Product Viewed", "userId": user, "anonymousId": device})
        person = self.person(f"user_id:{user}")
        self.assertEqual(person["computed"]["views"], 4, "the event still counts for the person")
        self.assertEqual(set(person["identifiers"]["anonymous_id"]), set(devices[:3]))
        for mail in mails:
            self.send("shop", {"type": "identify", "userId": user, "traits": {"email": mail}})
        self.assertEqual(set(self.person(f"user_id:{user}")["identifiers"]["email"]), set(mails[:2]))
        self.assertIsNone(self.hub.profile(f"email:{mails[2]}"))

    def test_a_limit_that_is_lowered_does_not_lock_out_who_is_beyond_it(self):
        user, devices = new("u"), [new("a") for _ in range(3)]
        for device in devices:
            self.send("shop", {"type": "track", "event": "Product Viewed", "userId": user, "anonymousId": device})
        self.settle()
        self.hub.stop()
        config = self.hub.config.read_text(encoding="utf-8")
        self.hub.config.write_text(config.replace("anonymous_id, at_most: 3", "anonymous_id, at_most: 1"), encoding="utf-8")
        self.hub.start()
        self.send("shop", {"type": "track", "event": "Product Viewed", "userId": user},
                  {"type": "track", "event": "Product Viewed", "anonymousId": devices[2]},
                  {"type": "track", "event": "Product Viewed", "userId": user, "anonymousId": new("a")})
        person = self.person(f"user_id:{user}")
        self.assertEqual(person["computed"]["views"], 6)
        self.assertEqual(set(person["identifiers"]["anonymous_id"]), set(devices))

    def test_a_window_that_is_asked_for_later_counts_what_came_before(self):
        user, later = new("u"), new("u")
        self.send("shop", {"type": "track", "event": "Product Viewed", "userId": user})
        self.assertFalse(self.person(f"user_id:{user}")["partial"])
        self.hub.stop()
        config = self.hub.config.read_text(encoding="utf-8")
        self.hub.config.write_text(config.replace("computed:\n", 'computed:\n  last_views: events("Product Viewed").within("9d").count()\n'),
                                   encoding="utf-8")
        self.hub.start()
        self.send("shop", {"type": "track", "event": "Product Viewed", "userId": later})
        for person in (user, later):
            hub.wait_for(lambda: self.person(f"user_id:{person}")["computed"]["last_views"] == 1)  # noqa: B023
            self.assertFalse(self.hub.profile(f"user_id:{person}")["partial"], "the journal has all of it")

    def test_values_that_name_nobody_join_nobody(self):
        ada, bob = new("u"), new("u")
        for nobody in ("test@test.com", " TEST@Test.com ", "NoReply@shop.example"):
            self.send("shop", {"type": "identify", "userId": ada, "traits": {"email": nobody}},
                      {"type": "identify", "userId": bob, "traits": {"email": nobody}})
        self.different(f"user_id:{ada}", f"user_id:{bob}")
        self.assertNotIn("email", self.person(f"user_id:{ada}")["identifiers"])
        self.assertIsNone(self.hub.profile("email:test@test.com"))

    def test_addresses_and_numbers_are_compared_in_one_form(self):
        one, other, device = new("u"), new("a"), new("a")
        local = new("Zoe")
        self.send("shop", {"type": "identify", "userId": one, "traits": {"email": f" {local}@Example.COM ", "phone": "06 12 34 56 78"}},
                  {"type": "identify", "anonymousId": other, "traits": {"email": f"{local.lower()}@example.com"}},
                  {"type": "identify", "anonymousId": device, "traits": {"phone": "+33 (0)6 12 34 56 78"}})
        person = self.one_person(f"user_id:{one}", f"anonymous_id:{other}", f"anonymous_id:{device}", "phone:+33612345678")
        self.assertEqual(person["identifiers"]["email"], [f"{local.lower()}@example.com"])
        self.assertEqual(person["identifiers"]["phone"], ["+33612345678"])
        landline = new("u")
        self.send("shop", {"type": "identify", "userId": landline, "traits": {"phone": "01 99 00 12 34"}})
        self.assertNotIn("phone", self.person(f"user_id:{landline}")["identifiers"], "only: mobile")

    def test_an_anonymous_source_is_never_joined_to_a_known_person(self):
        user, cookie, device, ada = new("u"), new("c"), new("a"), mail_of("ada")
        panel = {"type": "identify", "userId": user, "traits": {"cookie": cookie, "interest": "boats", "email": ada, "phone": "0612345679",
                                                                "first_name": "Ada"}}
        self.send("shop", {"type": "identify", "userId": user, "traits": {"email": ada}})
        self.send("panel", panel)
        self.different(f"user_id:{user}", f"cookie:{cookie}")
        stranger = self.hub.profile(f"cookie:{cookie}")
        self.assertEqual(set(stranger["identifiers"]), {"cookie"})
        self.assertEqual(stranger["traits"], {"cookie": cookie, "interest": "boats"}, "no names, e-mails and phones are taken")
        # A visitor with this cookie takes part in it, and logs in: the person does not get what the panel said.
        self.send("site", {"type": "track", "event": "Product Viewed", "anonymousId": device, "properties": {"cookie": cookie}})
        self.one_person(f"anonymous_id:{device}", f"cookie:{cookie}")
        for call in ({"type": "identify", "anonymousId": device, "userId": user, "traits": {"cookie": cookie}},
                     {"type": "identify", "anonymousId": device, "traits": {"email": mail_of("new"), "cookie": cookie}}):
            self.send("shop", call)
        self.different(f"user_id:{user}", f"cookie:{cookie}")
        self.assertNotIn("interest", self.hub.profile(f"user_id:{user}")["traits"])
        self.assertLessEqual(set(self.hub.profile(f"cookie:{cookie}")["identifiers"]), {"cookie", "anonymous_id"})

    def test_what_a_panel_says_of_a_visitor_does_not_follow_them_to_their_account(self):
        cookie, device, ada = new("c"), new("a"), mail_of("ada")
        self.send("site", {"type": "track", "event": "Product Viewed", "anonymousId": device, "properties": {"cookie": cookie}})
        self.send("panel", {"type": "identify", "anonymousId": new("p"), "traits": {"cookie": cookie, "interest": "boats"}})
        self.send("shop", {"type": "identify", "anonymousId": device, "traits": {"email": ada}})
        self.different(f"email:{ada}", f"cookie:{cookie}")
        self.assertNotIn("interest", self.hub.profile(f"email:{ada}")["traits"])


class ConsentTest(HubTest):
    def consent(self, who, purpose):
        return self.person(who)["consent"][purpose]

    def call(self, preferences, at=None, **ids):
        call = {"type": "identify", "context": {"consent": {"categoryPreferences": preferences}}, **ids}
        return {**call, "timestamp": at} if at else call

    def test_consent_is_granted_and_withdrawn_by_the_newest_word(self):
        user = new("u")
        who = f"user_id:{user}"
        self.send("shop", {"type": "identify", "userId": user})
        self.assertEqual(self.consent(who, "newsletter"), {"allowed": False, "status": "unknown"})
        self.assertTrue(self.consent(who, "service")["allowed"], "a contract needs no grant")
        self.send("shop", self.call({"Newsletter": True}, "2024-05-02T10:00:00Z", userId=user))
        self.assertEqual([self.consent(who, "newsletter")[k] for k in ("allowed", "status")], [True, "granted"])
        self.send("shop", self.call({"Newsletter": False}, "2024-05-03T10:00:00Z", userId=user),
                  self.call({"Newsletter": True}, "2024-05-01T10:00:00Z", userId=user))
        self.assertEqual([self.consent(who, "newsletter")[k] for k in ("allowed", "status")], [False, "refused"])

    def test_a_public_source_speaks_of_the_purposes_under_its_consent_alone(self):
        user = new("u")
        self.send("site", self.call({"Newsletter": True, "Offers": True, "offers": True}, userId=user))
        self.assertTrue(self.consent(f"user_id:{user}", "newsletter")["allowed"])
        self.assertEqual(self.consent(f"user_id:{user}", "offers")["status"], "unknown")

    def test_when_two_become_one_a_refusal_wins_over_an_older_grant_and_a_newer_grant_over_it(self):
        user, device = new("u"), new("a")
        old, later = "2024-05-01T10:00:00Z", "2024-05-02T10:00:00Z"
        self.send("shop", self.call({"Newsletter": True, "Offers": True}, old, userId=user),
                  self.call({"Newsletter": False}, later, anonymousId=device))
        self.send("shop", {"type": "identify", "userId": user, "anonymousId": device})
        person = self.one_person(f"user_id:{user}", f"anonymous_id:{device}")
        self.assertEqual(person["consent"]["newsletter"]["status"], "refused")
        self.assertEqual(person["consent"]["offers"]["status"], "granted")
        user, device = new("u"), new("a")
        self.send("shop", self.call({"Newsletter": False}, old, userId=user),
                  self.call({"Newsletter": True}, later, anonymousId=device))
        self.send("shop", {"type": "identify", "userId": user, "anonymousId": device})
        self.assertEqual(self.one_person(f"user_id:{user}", f"anonymous_id:{device}")["consent"]["newsletter"]["status"], "granted")


class TimeTest(HubTest):
    def view(self, user, **more):
        self.send("shop", {"type": "track", "event": "Product Viewed", "userId": user, **more})

    def changes(self, user, audience="looking"):
        person = self.hub.profile(f"user_id:{user}") or {"history": []}
        return [h for h in person["history"] if h["audience"] == audience]

    def assert_two_seconds(self, entered, left):
        self.assertEqual([entered["change"], left["change"], left["by_time"]], ["entered", "left", True])
        def moment(change):
            seconds = re.search(r":(\d\d\.\d+)Z", change["time"]).group(1)
            return float(seconds)
        self.assertLess(abs((moment(left) - moment(entered)) % 60 - 2), 0.5, (entered, left))

    def test_a_person_leaves_by_time_alone(self):
        user = new("u")
        self.send("shop", {"type": "identify", "userId": user, "traits": {"plan": "gold"}})
        self.view(user)
        entered, left = hub.wait_for(lambda: len(self.changes(user)) == 2 and self.changes(user))
        self.assert_two_seconds(entered, left)
        away = self.changes(user, "away")
        self.assertEqual([c["change"] for c in away], ["entered", "left", "entered"], "an audience of audiences follows")
        self.assertEqual(away[-1]["time"], left["time"])

    def test_a_condition_on_now_holds_from_its_moment_on(self):
        user = new("u")
        paid = time.time() - 24 * 3600 + 2  # a day ago in two seconds
        text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(paid))
        self.send("shop", {"type": "identify", "userId": user, "traits": {"plan": "gold", "paid_at": text}})
        self.settle()
        self.assertEqual([self.changes(user, "idle"), self.changes(user, "lapsed")], [[], []])
        [idle] = hub.wait_for(lambda: self.changes(user, "idle"))
        [lapsed] = hub.wait_for(lambda: self.changes(user, "lapsed"))
        self.assertTrue(idle["by_time"] and lapsed["by_time"])
        self.assertTrue(lapsed["time"].startswith(time.strftime("%Y-%m-%dT%H:%M:%S.00", time.gmtime(int(paid) + 24 * 3600))), lapsed)
        self.view(user)
        hub.wait_for(lambda: len(self.changes(user, "idle")) == 3)
        self.assertEqual([c["change"] for c in self.changes(user, "idle")], ["entered", "left", "entered"])

    def test_a_count_and_a_last_value_fall_out_of_their_window_row_by_row(self):
        user = new("u")
        self.view(user, properties={"page": "home"})
        self.view(user, properties={"page": "cart"})
        self.settle()
        self.assertEqual(self.changes(user, "viewed_3"), [])
        self.view(user, properties={"page": "home"})
        entered, left = hub.wait_for(lambda: len(self.changes(user, "viewed_3")) == 2 and self.changes(user, "viewed_3"))
        self.assertEqual([entered["by_time"], left["by_time"]], [False, True])
        hub.wait_for(lambda: self.hub.profile(f"user_id:{user}")["computed"]["views_3s"] == 0)

    def test_a_person_leaves_at_the_moment_at_which_the_window_closed_though_the_hub_was_down(self):
        for how in (signal.SIGTERM, signal.SIGKILL):
            user = new("u")
            self.view(user)
            hub.wait_for(lambda: self.changes(user))
            self.hub.stop(how)
            down = time.monotonic()
            hub.wait_for(lambda: time.monotonic() - down > 2.5)
            self.hub.start()
            entered, left = hub.wait_for(lambda: len(self.changes(user)) == 2 and self.changes(user))
            self.assert_two_seconds(entered, left)

    def test_a_message_sent_twice_counts_once_also_across_a_restart(self):
        user = new("u")
        call = {"type": "track", "event": "Order Completed", "userId": user, "messageId": new("order")}
        self.send("shop", call, call)
        self.send("shop", call)
        self.assertEqual(self.person(f"user_id:{user}")["computed"]["orders"], 1)
        for how in (signal.SIGTERM, signal.SIGKILL):
            self.hub.stop(how)
            self.hub.start()
            self.send("shop", call, {**call, "messageId": new("order")})
        self.assertEqual(self.person(f"user_id:{user}")["computed"]["orders"], 3)
        self.send("site", call)
        self.assertEqual(self.person(f"user_id:{user}")["computed"]["orders"], 4, "another source has message ids of its own")

    def test_a_mail_follows_the_wait_and_again_holds_the_next_one_back(self):
        user, ada = new("u"), mail_of("ada")
        def mails():
            return [m for m in self.mail.records() if ada in m["to"]]
        self.send("shop", {"type": "identify", "userId": user, "traits": {"email": ada, "first_name": "Ada", "remind": True}})
        self.view(user)
        [mail] = hub.wait_for(mails)
        self.assertEqual(mail["subject"], "Ada, still looking?")
        hub.wait_for(lambda: len(self.changes(user)) == 2)
        self.view(user)  # enters again within three seconds: no second mail
        hub.wait_for(lambda: len(self.changes(user)) == 4)
        self.assertEqual(len(mails()), 1)
        self.view(user)  # more than three seconds after the first run began
        self.assertEqual(len(hub.wait_for(lambda: len(mails()) == 2 and mails())), 2)
        self.assertEqual(self.hub.profile(f"user_id:{user}")["workflows"], [])

    def test_a_run_goes_on_after_the_hub_was_down(self):
        user, ada = new("u"), mail_of("ada")
        self.send("shop", {"type": "identify", "userId": user, "traits": {"email": ada, "first_name": "Ada", "remind": True}})
        self.view(user)
        self.settle()
        self.hub.stop(signal.SIGKILL)
        self.hub.start()
        hub.wait_for(lambda: any(ada in m["to"] for m in self.mail.records()))


if __name__ == "__main__":
    unittest.main()

"""Destinations that fail, hang, refuse and come back; consent withdrawn while a record waits; stops and second hubs."""

import json
import pathlib
import subprocess
import threading
import time
import unittest

import rig

HEAD = """
version: 1
hub:
  data: ./data
  listen: 127.0.0.1:0
  admin: unix:./data/admin.sock
sources:
  site: {{ plugin: tracking, trust: server, with: {{ write_key: "${{WRITE_KEY}}" }}, consent: {{ newsletter: Newsletter }} }}
consent:
  unknown: denied
  purposes:
    newsletter: {{ channel: email, basis: consent }}
    service: {{ channel: email, basis: contract }}
"""
PACE = HEAD + """
routes:
  pings_to_braze: {{ events: [Ping], to: braze }}
  pings_to_hook: {{ events: [Ping], to: hook }}
  all_to_lake: {{ events: ["*"], to: lake }}
destinations:
  braze: {{ plugin: braze, purpose: service, with: {{ endpoint: "http://127.0.0.1:{braze}", api_key: "${{BRAZE_KEY}}" }} }}
  hook: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{hook}/", secret: "${{HOOK_SECRET}}" }} }}
  lake: {{ plugin: file, purpose: internal, with: {{ path: ./lake.jsonl }} }}
"""
LETTERS = HEAD + """
routes:
  pings_to_letters: {{ events: [Ping], to: letters }}
destinations:
  letters: {{ plugin: webhook, purpose: newsletter, with: {{ url: "http://127.0.0.1:{letters}/", secret: "${{HOOK_SECRET}}" }} }}
"""
MAIL = HEAD + """
workflows:
  welcome:
    trigger: {{ event: Signed Up }}
    steps: [ {{ send: mail, with: {{ subject: Welcome, text: Good to have you here. }} }} ]
destinations:
  mail: {{ plugin: smtp, purpose: service, on_unknown: hold, with: {{ server: "smtp://127.0.0.1:{mail}", from: "Shop <shop@example.com>", tls: none }} }}
"""

EVENTS = 3000
PEOPLE = 50


class Feeder:
    """Pings of PEOPLE people, numbered per person; and what was sent."""

    def __init__(self, test, hub):
        self.sender, self.clock = rig.Sender(hub), rig.Clock()
        self.count = 0
        test.addCleanup(self.sender.close)

    def event(self, kind, user, **members):
        self.count += 1
        return {"type": kind, "messageId": f"f{self.count}", "timestamp": self.clock.text(), "userId": user, **members}

    def ping(self, user, n=0):
        return self.event("track", user, event="Ping", properties={"p": user, "n": n})

    def send(self, *events):
        self.sender.send(list(events))

    def pings(self, count):
        """Sends so many; -> their message ids in order."""
        ids = []
        for start in range(0, count, 50):
            events = [self.ping(f"u{i % PEOPLE}", self.count) for i in range(start, min(count, start + 50))]
            self.send(*events)
            ids += [event["messageId"] for event in events]
        return ids

    def consent(self, user, granted):
        self.send(self.event("identify", user, context={"consent": {"categoryPreferences": {"Newsletter": granted}}}))


class Case(unittest.TestCase):
    def stand_in(self, *arguments):
        return self.enterContext(rig.Server(*arguments))

    def hub(self, config):
        hub = rig.Hub(config)
        self.addCleanup(hub.close)
        hub.start()
        return hub

    def pace_bench(self):
        self.braze = self.stand_in("braze.py", "--api-key", rig.BRAZE_KEY)
        self.hook = self.stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        hub = self.hub(PACE.format(braze=self.braze.port, hook=self.hook.port))
        return hub, Feeder(self, hub)

    def timed(self, hub, feeder):
        """Sends EVENTS; -> the seconds until webhook and file have them."""
        before = self.hook.stats()["distinct"]
        began = time.monotonic()
        ids = feeder.pings(EVENTS)
        rig.wait_until(lambda: self.hook.stats()["distinct"] >= before + EVENTS, 20, "the webhook has what was sent")
        rig.wait_until(lambda: hub.lanes()["lake"]["backlog"] == 0, 20, "the file has what was sent")
        took = time.monotonic() - began
        self.sent += ids
        return took

    def braze_pings(self):
        return [r["object"]["properties"] for r in self.braze.records() if r["array"] == "events" and r["outcome"] == "accepted"]

    def check_in_order(self, pings):
        people = {}
        for p in pings:
            people.setdefault(p["p"], []).append(p["n"])
        for person, numbers in people.items():
            self.assertEqual(list(dict.fromkeys(numbers)), sorted(set(numbers)), f"{person} out of order")

    def nowhere(self, hub, secret):
        """No file of the hub's but its configuration holds the secret."""
        for path in hub.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(secret.encode(), path.read_bytes(), f"{path} holds a secret")


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class FailingDestinationTest(Case):
    def test_while_one_destination_fails_refuses_or_hangs_the_others_go_on_at_the_same_pace(self):
        hub, feeder = self.pace_bench()
        self.sent = []
        self.timed(hub, feeder)  # warm
        control = min(self.timed(hub, feeder) for _ in range(2))
        bound = 3 * control + 2
        faults = {"500": {"status": 500}, "429": {"status": 429, "retry_after": 60}, "down": {"down": True}, "hang": {"hang_s": 2}}
        paces = {}
        for name, order in faults.items():
            refused = self.braze.stats()["requests"]
            self.braze.order(**order)
            paces[name] = self.timed(hub, feeder)
            if paces[name] >= bound:  # a machine that was busy for a moment; who waits for braze waits again
                paces[name] = self.timed(hub, feeder)
            rig.wait_until(lambda before=refused: self.braze.stats()["requests"] > before or name == "hang", 20, "braze was asked")
            self.braze.order(clear=True)
            if name == "429":  # nobody waits for a minute here: a restart forgets the pause
                hub.kill()
                hub.start()
            rig.wait_until(lambda: hub.lanes()["braze"]["backlog"] == 0, 30, f"braze gets what waited during {name}\n{hub.log()}")
        print("seconds for the others:", {"control": round(control, 2)} | {k: round(v, 2) for k, v in paces.items()})
        for name, seconds in paces.items():
            self.assertLess(seconds, bound, f"braze: {name}: the others wait")
        at_braze = self.braze_pings()
        self.assertEqual(len({(p["p"], p["n"]) for p in at_braze}), len(self.sent))
        self.check_in_order(at_braze)
        self.assertEqual({line["payload"]["messageId"] for line in hub.lines("lake.jsonl")}, set(self.sent))
        self.assertEqual(hub.stop(), 0)

    def test_a_retry_after_is_honoured_to_the_end(self):
        hub, feeder = self.pace_bench()
        self.hook.order(status=429, retry_after=2, count=1)
        began = time.time()
        feeder.send(feeder.ping("u1"))
        rig.wait_until(lambda: self.hook.stats()["by_status"].get("429"), 10, "the webhook refused once")
        feeder.pings(200)
        rig.wait_until(lambda: self.hook.stats()["distinct"] == 201, 20, "all is delivered afterwards")
        first = min(record["at"] for record in self.hook.records())
        self.assertGreaterEqual(first - began, 2.0, "asked before the time was over")
        self.assertLess(first - began, 10.0)
        self.check_in_order([r["record"]["payload"]["properties"] for r in self.hook.records()])

    def test_of_a_batch_half_refused_the_other_half_is_delivered_and_the_refused_can_be_replayed(self):
        hub, feeder = self.pace_bench()
        self.sent = []
        control = self.timed(hub, feeder)
        rig.wait_until(lambda: hub.lanes()["braze"]["backlog"] == 0, 20, "braze has all")
        self.braze.order(reject_every=2)
        took = self.timed(hub, feeder)
        rig.wait_until(lambda: hub.lanes()["braze"]["backlog"] == 0, 20, "each has its outcome")
        self.braze.order(clear=True)
        self.assertLess(took, 3 * control + 2)
        (group,) = hub.dead()["groups"]
        self.assertEqual((group["destination"], group["kind"], group["reason"]), ("braze", "rejected", "refused_by_braze"))
        self.assertEqual(group["count"] + len(self.braze_pings()), 2 * EVENTS)
        self.assertAlmostEqual(group["count"], EVENTS / 2, delta=EVENTS / 10)
        letter = hub.dead("--destination", "braze")["letters"][0]
        shown = json.loads(hub.run("dead", "show", str(letter["id"]), "--json"))
        self.assertIn("/users/track", shown["request"])
        self.assertIn("refused as ordered", shown["response"] + shown["detail"])
        self.assertEqual(shown["payload"]["event"], "Ping")
        self.assertNotIn(rig.BRAZE_KEY, json.dumps(shown))
        before = len(self.braze_pings())
        ids = [str(found["id"]) for found in hub.dead()["letters"][:10]]
        self.assertIn("10 of 10", hub.run("dead", "replay", *ids))
        rig.wait_until(lambda: len(self.braze_pings()) == before + 10, 10, "what was replayed arrives")
        rig.wait_until(lambda: hub.backlog() == 0, 10, "the replay ends")
        self.assertEqual(hub.dead()["groups"][0]["count"], group["count"] - 10)
        self.nowhere(hub, rig.BRAZE_KEY)
        self.nowhere(hub, rig.HOOK_SECRET)
        self.nowhere(hub, rig.WRITE_KEY)

    def test_a_kill_during_a_replay_leaves_each_letter_sent_or_listed(self):
        hub, feeder = self.pace_bench()
        self.braze.order(status=400)
        sent = set(feeder.pings(100))
        rig.wait_until(lambda: len(hub.dead()["letters"]) == 100, 20, "all are dead letters")
        self.braze.order(clear=True)
        ids = [str(letter["id"]) for letter in hub.dead()["letters"]]
        replay = subprocess.Popen([rig.SLUICE, "dead", "replay", *ids, "--config", str(hub.config)], env=hub.environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        rig.wait_until(self.braze_pings, 10, "the first is sent again")
        hub.kill()
        replay.wait()
        hub.start()
        rig.wait_until(lambda: hub.backlog() == 0, 20, "the lanes are empty")
        listed = [json.loads(hub.get(f"/v1/dead/{letter['id']}")[1])["payload"] for letter in hub.dead()["letters"]]
        arrived = {p["n"] for p in self.braze_pings()}
        self.assertEqual(len(arrived | {event["properties"]["n"] for event in listed}), len(sent))
        self.assertEqual(arrived & {event["properties"]["n"] for event in listed}, set())

    def test_a_webhook_that_refuses_whole_batches_loses_only_what_it_refuses(self):
        hub, feeder = self.pace_bench()
        self.hook.order(reject_every=10)
        feeder.pings(400)
        rig.wait_until(lambda: hub.backlog() == 0 and self.hook.stats()["distinct"] > 0, 30, "each has its outcome")
        self.hook.order(clear=True)
        refused = sum(group["count"] for group in hub.dead()["groups"])
        self.assertGreater(refused, 0)
        self.assertEqual(self.hook.stats()["distinct"] + refused, 400)
        self.assertEqual({group["destination"] for group in hub.dead()["groups"]}, {"hook"})
        self.check_in_order([r["record"]["payload"]["properties"] for r in self.hook.records()])


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class WaitingRecordTest(Case):
    def test_consent_withdrawn_while_a_record_waits_ends_it_as_suppressed(self):
        letters = self.stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        hub = self.hub(LETTERS.format(letters=letters.port))
        feeder = Feeder(self, hub)
        for user in ("ada", "bob"):
            feeder.consent(user, True)
        letters.order(down=True)
        feeder.send(feeder.ping("ada"), feeder.ping("bob"))
        rig.wait_until(lambda: hub.lanes()["letters"]["backlog"] == 2 and letters.stats()["requests"] > 0, 10, "both wait")
        feeder.consent("ada", False)
        rig.wait_until(lambda: not hub.profile("user_id:ada")["consent"]["newsletter"]["allowed"], 10, "the refusal is known")
        letters.order(clear=True)
        rig.wait_until(lambda: hub.backlog() == 0, 20, "both have an outcome")
        self.assertEqual([r["record"]["identifiers"]["user_id"] for r in letters.records()], [["bob"]])
        outcomes = hub.lanes()["letters"]["outcomes"]
        self.assertEqual((outcomes["delivered"], outcomes["suppressed"]), (1, 1))
        told = lambda: [d["outcome"] for d in hub.profile("user_id:ada")["deliveries"]]
        rig.wait_until(lambda: told() == ["suppressed"], 10, "the profile tells it")

    def test_a_refusal_during_an_outage_holds_after_a_kill_too(self):
        letters = self.stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        hub = self.hub(LETTERS.format(letters=letters.port))
        feeder = Feeder(self, hub)
        for user in ("ada", "bob"):
            feeder.consent(user, True)
        letters.order(down=True)
        feeder.send(feeder.ping("ada"), feeder.ping("bob"))
        rig.wait_until(lambda: hub.lanes()["letters"]["backlog"] == 2, 10, "both wait")
        feeder.consent("ada", False)
        hub.kill()
        letters.order(clear=True)
        hub.start()
        rig.wait_until(lambda: hub.backlog() == 0, 20, "both have an outcome")
        self.assertEqual([r["record"]["identifiers"]["user_id"] for r in letters.records()], [["bob"]])

    def test_what_waited_over_a_restart_is_delivered_once_and_in_order(self):
        hub, feeder = self.pace_bench()
        self.hook.order(down=True)
        sent = feeder.pings(500)
        rig.wait_until(lambda: hub.lanes()["hook"]["backlog"] == 500, 10, "all wait")
        began = time.monotonic()
        self.assertEqual(hub.stop(), 0, hub.log())
        self.assertLess(time.monotonic() - began, 30)
        self.hook.order(clear=True)
        hub.start()
        rig.wait_until(lambda: hub.backlog() == 0, 20, "all is delivered")
        records = [r["record"] for r in self.hook.records()]
        self.assertEqual(sorted(r["payload"]["messageId"] for r in records), sorted(sent))
        self.check_in_order([r["payload"]["properties"] for r in records])

    def test_a_mail_of_which_nobody_knows_whether_it_left_is_held_and_goes_out_when_replayed(self):
        mail = self.stand_in("mail.py")
        hub = self.hub(MAIL.format(mail=mail.ports[0]))
        feeder = Feeder(self, hub)
        feeder.send(feeder.event("identify", "ada", traits={"email": "ada@example.com"}))
        mail.order(hang_s=30, at="data")
        feeder.send(feeder.event("track", "ada", event="Signed Up"))
        rig.wait_until(lambda: mail.stats()["connections"], 10, "the mail is on its way")
        hub.kill()
        mail.order(clear=True)
        hub.start()
        letters = rig.wait_until(lambda: hub.dead("--destination", "mail")["letters"], 10, "the mail is a dead letter")
        self.assertEqual([letter["kind"] for letter in letters], ["held"])
        self.assertEqual((mail.stats()["messages"], hub.backlog()), (0, 0))
        hub.run("dead", "replay", str(letters[0]["id"]))
        rig.wait_until(lambda: mail.stats()["messages"] == 1, 10, "the replayed mail arrives")
        self.assertEqual(mail.records()[0]["to"], ["ada@example.com"])
        self.assertFalse(hub.dead()["letters"])

    def test_a_mail_whose_answer_is_lost_is_held_and_not_sent_again(self):
        mail = self.stand_in("mail.py")
        hub = self.hub(MAIL.format(mail=mail.ports[0]))
        feeder = Feeder(self, hub)
        for user in ("ada", "bob"):
            feeder.send(feeder.event("identify", user, traits={"email": f"{user}@example.com"}))
        mail.order(cut=True, at="data", count=1)
        feeder.send(feeder.event("track", "ada", event="Signed Up"))
        letters = rig.wait_until(lambda: hub.dead("--destination", "mail")["letters"], 10, "the mail is a dead letter")
        self.assertEqual([letter["kind"] for letter in letters], ["held"])
        mail.order(clear=True)
        feeder.send(feeder.event("track", "bob", event="Signed Up"))
        rig.wait_until(lambda: hub.backlog() == 0 and mail.stats()["messages"] == 2, 20, "the next mail goes out")
        self.assertEqual([r["to"] for r in mail.records()], [["ada@example.com"], ["bob@example.com"]])


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class StopTest(Case):
    def test_sigterm_drains_and_ends_with_zero(self):
        hub, feeder = self.pace_bench()
        sent = feeder.pings(3000)
        self.assertEqual(hub.stop(), 0, hub.log())
        self.assertEqual(self.hook.stats()["distinct"], len(sent))
        self.assertEqual(len(self.braze_pings()), len(sent))
        lake = [line["payload"] for line in hub.lines("lake.jsonl")]
        self.assertEqual(sorted(event["messageId"] for event in lake), sorted(sent))
        self.check_in_order([event["properties"] for event in lake])
        self.assertIn("the same", hub.run("store", "verify"))

    def test_sigterm_under_load_takes_nothing_that_it_then_forgets(self):
        hub, feeder = self.pace_bench()
        acknowledged, stop = [], threading.Event()

        def feed():
            sender = rig.Sender(hub)
            while not stop.is_set():
                events = [feeder.ping(f"u{i}", feeder.count) for i in range(20)]
                if sender.post(events):
                    acknowledged.extend(event["messageId"] for event in events)
            sender.close()

        thread = threading.Thread(target=feed)
        thread.start()
        rig.wait_until(lambda: len(acknowledged) > 1000, 20, "there is load")
        code = hub.stop()
        stop.set()
        thread.join()
        self.assertEqual(code, 0, hub.log())
        self.assertFalse(set(acknowledged) - {line["payload"]["messageId"] for line in hub.lines("lake.jsonl")})

    def test_a_hub_killed_in_its_first_moments_starts_all_the_same(self):
        letters = self.stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        for moment in (0.02, 0.05, 0.08, 0.12, 0.2):
            hub = rig.Hub(LETTERS.format(letters=letters.port))
            self.addCleanup(hub.close)
            hub.begin()
            time.sleep(moment)  # the moment is the test
            hub.kill()
            hub.start()
            feeder = Feeder(self, hub)
            feeder.consent("ada", True)
            self.assertEqual(hub.stop(), 0, hub.log())
            self.assertIn("the same", hub.run("store", "verify"))

    def test_a_second_hub_on_the_same_data_is_refused_and_told_who_has_it(self):
        hub, feeder = self.pace_bench()
        code, text = hub.run("run", check=False)
        self.assertEqual(code, 1, text)
        self.assertIn(f"in use by process {hub.process.pid}", text)
        feeder.send(feeder.ping("u1"))
        rig.wait_until(lambda: self.hook.stats()["distinct"] == 1, 10, "the first goes on")


if __name__ == "__main__":
    unittest.main()

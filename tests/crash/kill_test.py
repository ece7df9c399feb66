"""kill -9 under load, again and again: nothing acknowledged is missing, nothing is applied twice.

  kill_test.py [--kills N] [--seed N] [--seconds N] [--slow]    the defaults are the quick test; --slow: the first test alone
"""

import argparse
import json
import pathlib
import random
import sys
import time
import unittest

import rig

CONFIG = """
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
computed:
  pings: events("Ping").count()
  total: events("Ping").sum(e, e.properties.n)
audiences:
  busy: traits.pings >= 10
routes:
  people_to_braze: {{ profiles: has(traits.email), to: braze, fields: {{ pings: traits.pings }} }}
  pings_to_braze: {{ events: [Ping], to: braze }}
  pings_to_hook: {{ events: [Ping], to: hook }}
  busy_to_hook: {{ audience: busy, to: hook }}
  pings_to_letters: {{ events: [Ping], to: letters }}
  all_to_lake: {{ events: ["*"], to: lake }}
workflows:
  welcome:
    trigger: {{ event: Signed Up }}
    steps:
      - wait: 1s
      - send: mail
        with: {{ subject: "Welcome, {{{{ traits.name }}}}", text: "Good to have you here." }}
destinations:
  braze: {{ plugin: braze, purpose: service, with: {{ endpoint: "http://127.0.0.1:{braze}", api_key: "${{BRAZE_KEY}}" }} }}
  hook: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{hook}/", secret: "${{HOOK_SECRET}}" }} }}
  letters: {{ plugin: webhook, purpose: newsletter, with: {{ url: "http://127.0.0.1:{letters}/", secret: "${{HOOK_SECRET}}" }} }}
  mail: {{ plugin: smtp, purpose: service, with: {{ server: "smtp://127.0.0.1:{mail}", from: "Shop <shop@example.com>", tls: none }} }}
  lake: {{ plugin: file, purpose: internal, with: {{ path: ./lake.jsonl }} }}
"""

OPTIONS = argparse.Namespace(kills=3, seed=None, seconds=None)


def arrivals(records):
    """[(message id, key, (person, device, n, consent))] of the pings at a receiver of the hub's own record form, in order."""
    found = []
    for record in records:
        if record["op"] == "event" and record["name"] == "Ping":
            p = record["payload"]["properties"]
            found.append((record["payload"]["messageId"], record["key"], (p["p"], p["d"], p["n"], p["c"])))
    return found


class Bench:
    """Stand-ins, hub and load together."""

    def __init__(self, test, seed, clients=4, people=30, rate=700):
        def stand_in(*arguments):
            return test.enterContext(rig.Server(*arguments))
        self.braze = stand_in("braze.py", "--api-key", rig.BRAZE_KEY, "--rate", "100000")
        self.hook = stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        self.letters = stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        self.mail = stand_in("mail.py")
        self.hub = rig.Hub(CONFIG.format(braze=self.braze.port, hook=self.hook.port, letters=self.letters.port,
                                         mail=self.mail.ports[0]), "--checkpoint-inputs", "1500")
        test.addCleanup(self.hub.close)
        self.flaky = False
        self.clients = [rig.Load(self.hub, i, seed * 100 + i, people, rate) for i in range(clients)]

    def begin(self):
        self.hub.start()
        for client in self.clients:
            client.start()

    def end_load(self):
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.join(60)
            if client.error:
                raise client.error
            assert not client.is_alive(), "the load does not end"

    def acknowledged(self):
        return {id_: ping for client in self.clients for id_, ping in client.acknowledged.items()}

    def signups(self):
        return set().union(*(client.signups for client in self.clients))

    def drain(self, seconds):
        """Until every lane is empty and all that follows from time has happened."""
        wanted = len(self.acknowledged())
        rig.wait_until(lambda: self.hook.stats()["distinct"] >= wanted, seconds, "the webhook has every ping")
        # By person: a mail that was on the wire at a kill may have arrived and be held.
        rig.wait_until(lambda: not self.signups() - self.mailed() - self.held(), seconds, "every mail is out or held")
        rig.wait_until(lambda: self.hub.backlog() == 0, seconds, "every lane is empty")

    def mailed(self):
        return {mail["to"][0].split("@")[0] for mail in self.mail.records()}

    def held(self):
        letters = self.hub.dead("--destination", "mail")["letters"]
        return {user for letter in letters for user in self.hub.profile(letter["profile"])["identifiers"]["user_id"]}


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class KillTest(unittest.TestCase):
    def setUp(self):
        self.seed = OPTIONS.seed if OPTIONS.seed is not None else random.SystemRandom().randrange(1_000_000)
        self.random = random.Random(self.seed)
        print(f"seed {self.seed} (again: kill_test.py --kills {OPTIONS.kills} --seed {self.seed})", flush=True)

    def test_killed_at_random_moments_under_load_nothing_acknowledged_is_missing_or_applied_twice(self):
        bench = Bench(self, self.seed)
        bench.begin()
        hub, kills = bench.hub, 0
        end = time.monotonic() + OPTIONS.seconds if OPTIONS.seconds else None
        while kills < OPTIONS.kills and (end is None or time.monotonic() < end):
            self.wait(self.random.uniform(0.2, 2.0))
            hub.kill()
            kills += 1
            if self.random.random() < 0.25:  # once more, while it recovers
                hub.begin()
                self.wait(self.random.uniform(0.0, 0.15))
                hub.kill()
                kills += 1
            hub.start()
        self.wait(0.5)
        bench.end_load()
        self.finish(bench, kills)

    def test_killed_while_a_checkpoint_is_written_the_state_is_the_same(self):
        bench = Bench(self, self.seed + 1, clients=3)
        bench.begin()
        hub = bench.hub
        caught = 0
        for _ in range(2):
            folder = hub.folder / "data" / "checkpoints"
            rig.wait_until(lambda: any(p.suffix == ".tmp" for p in folder.iterdir()), 20, "a checkpoint is being written")
            hub.kill()
            caught += any(p.suffix == ".tmp" for p in folder.iterdir())
            hub.start()
        print(f"{caught} of 2 kills left a checkpoint half written")
        bench.end_load()
        self.finish(bench, 2)

    def test_killed_while_destinations_fail_now_and_then_all_arrives_in_order(self):
        bench = Bench(self, self.seed + 2, clients=3)
        bench.begin()
        bench.flaky = True
        troubles = ({"status": 500, "count": 3}, {"cut": True, "count": 1}, {"down": True, "for_s": 0.3}, {"hang_s": 0.5, "count": 4},
                    {"status": 429, "retry_after": 1, "count": 2})
        kills = max(2, OPTIONS.kills // 5)
        for _ in range(kills):
            for stand_in in (bench.braze, bench.hook, bench.letters):
                stand_in.order(**self.random.choice(troubles))
            self.wait(self.random.uniform(0.3, 1.2))
            bench.hub.kill()
            bench.hub.start()
        for stand_in in (bench.braze, bench.hook, bench.letters):
            stand_in.order(clear=True)
        bench.end_load()
        self.finish(bench, kills)

    def wait(self, seconds):
        """The moment of the next kill: time is what this test is about."""
        time.sleep(seconds)

    def finish(self, bench, kills):
        bench.drain(120)
        # A destination whose answer was lost gets a repeat without any kill.
        self.check_arrivals(bench, None if bench.flaky else kills)
        held = self.check_mails(bench)
        arrived = len(bench.held() & bench.mailed())
        self.assertLessEqual(held, kills, "a kill leaves no more than the one mail in doubt that was on the wire")
        self.check_people(bench)
        self.assertEqual(bench.hub.stop(), 0, bench.hub.log())
        self.check_store(bench)
        stats = bench.hook.stats()
        pings = bench.acknowledged()
        print(f"{kills} kills, {len(pings)} pings of {sum(len(c.people) for c in bench.clients)} people acknowledged, "
              f"{sum(c.repeated for c in bench.clients)} events sent twice; webhook: {stats['records']} records, "
              f"{stats['records'] - stats['distinct']} repeats; mails: {bench.mail.stats()['messages']}, {held} held, {arrived} of them had arrived", flush=True)

    # What must hold ---------------------------------------------------------------------------------------------------

    def check_arrivals(self, bench, kills):
        acknowledged = bench.acknowledged()
        hook_records = [r["record"] for r in bench.hook.records()]
        self.check_receiver("webhook", arrivals(hook_records), acknowledged, kills)
        self.check_receiver("file", arrivals(bench.hub.lines("lake.jsonl")), acknowledged, kills)
        self.check_braze(bench.braze.records(), acknowledged, kills)
        self.check_letters(bench, arrivals(r["record"] for r in bench.letters.records()), kills)
        entered = {}
        for record in hook_records:
            if record["op"] == "enter":
                entered.setdefault(record["profile"], set()).add(record["key"])
        self.assertTrue(entered)
        twice = {profile: keys for profile, keys in entered.items() if len(keys) > 1}
        self.assertFalse(twice, "somebody entered an audience twice: under two keys")

    def check_receiver(self, name, found, acknowledged, kills):
        ids = {id_ for id_, _, _ in found}
        self.assertFalse(acknowledged.keys() - ids, f"{name}: acknowledged and missing")
        self.assertFalse(ids - acknowledged.keys(), f"{name}: arrived and never acknowledged: the load sends all until acknowledged")
        keys, by_key = {}, {}
        for id_, key, _ in found:
            self.assertEqual(keys.setdefault(id_, key), key, f"{name}: {id_} came under two keys")
            self.assertEqual(by_key.setdefault(key, id_), id_, f"{name}: two events came under the key {key}")
        self.check_order(name, [ping for _, _, ping in found], kills)

    def check_order(self, name, pings, kills):
        """Per person: each device's events in order; what follows the merge after what was before; repeats only after a kill."""
        people = {}
        for person, device, n, _ in pings:
            people.setdefault(person, []).append((device, n))
        for person, sequence in people.items():
            first = list(dict.fromkeys(sequence))
            for devices in ((0, 2), (1, 2)):
                numbers = [n for device, n in first if device in devices]
                self.assertEqual(numbers, sorted(numbers), f"{name}: {person} out of order: {sequence}")
                if kills is not None:
                    back = rig.descents([n for device, n in sequence if device in devices])
                    self.assertLessEqual(back, kills, f"{name}: {person} goes back: {sequence}")

    def check_braze(self, records, acknowledged, kills):
        events = [r["object"]["properties"] for r in records if r["array"] == "events"]
        self.assertFalse([r for r in records if r["outcome"] != "accepted"][:3])
        pings = [(p["p"], p["d"], p["n"], p["c"]) for p in events]
        self.assertEqual(set(acknowledged.values()) - set(pings), set(), "braze: acknowledged and missing")
        self.assertEqual(set(pings) - set(acknowledged.values()), set(), "braze: arrived and never acknowledged")
        self.check_order("braze", pings, kills)

    def check_letters(self, bench, found, kills):
        """Only what was allowed leaves; what was allowed and not withdrawn later has arrived."""
        acknowledged = bench.acknowledged()
        self.assertFalse([ping for _, _, ping in found if not ping[3]], "sent without consent")
        refused_at = {p.user: p.refused_at for client in bench.clients for p in client.people}
        must = {id_ for id_, (person, _, n, granted) in acknowledged.items() if granted and n >= refused_at[person]}
        self.assertTrue(must)
        self.assertFalse(must - {id_ for id_, _, _ in found}, "allowed, and not sent")
        self.check_order("letters", [ping for _, _, ping in found], kills)

    def check_mails(self, bench):
        """-> how many are held."""
        mails = bench.mail.records()
        by_person = {}
        for mail in mails:
            by_person.setdefault(mail["to"][0].split("@")[0], []).append(mail["headers"]["message-id"])
        self.assertFalse({p: ids for p, ids in by_person.items() if len(ids) > 1}, "a mail was sent twice")
        held = [letter for letter in bench.hub.dead("--destination", "mail")["letters"]]
        self.assertFalse([letter for letter in held if letter["kind"] != "held"])
        self.assertFalse(bench.signups() - by_person.keys() - bench.held(), "their mail was neither sent nor held")
        self.assertFalse(by_person.keys() - bench.signups())
        return len(held)

    def check_people(self, bench):
        expected = {}
        for person, _, n, _ in bench.acknowledged().values():
            count, total = expected.get(person, (0, 0))
            expected[person] = (count + 1, total + n)
        people = [p for client in bench.clients for p in client.people if p.known]
        at_braze = {tuple(p["id"]): p["attributes"] for p in map(json.loads, bench.braze.request("GET", "/_stand-in/profiles")[2].splitlines())}
        for person in people:
            profile = bench.hub.profile("user_id:" + person.user)
            self.assertIsNotNone(profile, f"{person.user} is not known")
            computed = profile["computed"]
            self.assertEqual((computed["pings"], computed["total"]), expected.get(person.user, (0, 0)), f"{person.user}: applied twice, or not at all")
            self.assertEqual(sorted(profile["identifiers"]["anonymous_id"]), [f"a{person.number}-0", f"a{person.number}-1"])
            self.assertEqual(profile["consent"]["newsletter"]["allowed"], person.granted)
            self.assertEqual(at_braze[("external_id", person.user)]["pings"], expected.get(person.user, (0, 0))[0], "braze has an older value")

    def check_store(self, bench):
        whole = json.loads(bench.hub.run("journal", "verify", "--json"))
        self.assertFalse(whole["problems"])
        same = json.loads(bench.hub.run("store", "verify", "--json"))
        self.assertFalse(same["problems"])
        self.assertEqual(same["recorded"], same["recomputed"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seconds", type=float, help="no further kill after so long")
    parser.add_argument("--slow", action="store_true", help="only the kills at random moments")
    OPTIONS, rest = parser.parse_known_args()
    if OPTIONS.slow:
        rest.append("KillTest.test_killed_at_random_moments_under_load_nothing_acknowledged_is_missing_or_applied_twice")
    unittest.main(argv=[sys.argv[0], *rest])

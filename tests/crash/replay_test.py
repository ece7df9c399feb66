"""Dead letters, handed back: by number or by what they have in common, and what is said about it."""

import json
import pathlib
import unittest

import rig
from faults_test import HEAD, Case, Feeder

CONFIG = HEAD + """
routes:
  pings_to_letters: {{ events: [Ping], to: letters }}
  pings_to_hook: {{ events: [Ping], to: hook }}
destinations:
  letters: {{ plugin: webhook, purpose: newsletter, with: {{ url: "http://127.0.0.1:{letters}/", secret: "${{HOOK_SECRET}}" }} }}
  hook: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{hook}/", secret: "${{HOOK_SECRET}}" }} }}
"""
PEOPLE = 60


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class ReplayTest(Case):
    def setUp(self):
        self.letters = self.stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        self.hook = self.stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        self.running = self.hub(CONFIG.format(letters=self.letters.port, hook=self.hook.port))
        self.feeder = Feeder(self, self.running)
        for n in range(PEOPLE):
            self.feeder.consent(f"p{n}", True)
        for stand_in in (self.letters, self.hook):
            stand_in.order(status=400)
        self.feeder.send(*(self.feeder.ping(f"p{n}", n) for n in range(PEOPLE)))
        rig.wait_until(lambda: len(self.letters_listed()) == 2 * PEOPLE, 20, "all are dead letters")
        for stand_in in (self.letters, self.hook):
            stand_in.order(clear=True)

    def letters_listed(self, *filters):
        return self.running.dead(*filters)["letters"]

    def replay(self, *arguments):
        return self.running.run("dead", "replay", *arguments)

    def test_all_that_match_go_back_and_those_without_consent_are_said_to_be_left_out(self):
        for n in range(3):
            self.feeder.consent(f"p{n}", False)
        self.assertIn("no dead letter matches", self.replay("--destination", "letters", "--reason", "http_500"))
        self.assertIn("no dead letter matches", self.replay("--destination", "letters", "--kind", "held"))
        said = self.replay("--destination", "letters", "--reason", "http_400", "--kind", "rejected")
        self.assertIn(f"{PEOPLE - 3} of {PEOPLE} handed back to the outbox", said)
        self.assertIn("3 left out", said)
        rig.wait_until(lambda: self.letters.stats()["distinct"] == PEOPLE - 3, 20, "what was handed back arrives")
        rig.wait_until(lambda: self.running.backlog() == 0, 20, "the lanes are empty")
        self.assertEqual(self.letters_listed("--destination", "letters"), [])
        self.assertEqual(len(self.letters_listed("--destination", "hook", "--kind", "rejected")), PEOPLE, "nothing else was touched")
        self.assertEqual(self.hook.stats()["distinct"], 0)

    def test_by_number_each_goes_back_once_and_what_is_none_is_said(self):
        ids = [str(letter["id"]) for letter in self.letters_listed("--destination", "hook")][:4]
        self.assertIn("4 of 4 handed back to the outbox", self.replay(*ids))
        again = self.replay(*ids, "999999")
        self.assertIn("0 of 5 handed back", again)
        self.assertIn("5 no dead letters", again)
        rig.wait_until(lambda: self.hook.stats()["distinct"] == 4, 20, "they arrive")
        answer = json.loads(self.replay("--json", str(self.letters_listed("--destination", "hook")[0]["id"])))
        self.assertEqual(answer, {"taken": 1, "handed_back": 1, "left_out": 0, "not_open": 0})

    def test_what_is_refused_again_is_listed_again_and_the_replay_ends(self):
        self.hook.order(status=400)
        self.assertIn(f"{PEOPLE} of {PEOPLE} handed back", self.replay("--destination", "hook"))
        rig.wait_until(lambda: len(self.letters_listed("--destination", "hook")) == PEOPLE, 20, "they are dead letters again")
        self.assertEqual(self.running.backlog(), 0)

    def test_without_a_number_or_a_destination_nothing_is_replayed(self):
        code, said = self.running.run("dead", "replay", "--reason", "http_400", check=False)
        self.assertNotEqual(code, 0)
        self.assertIn("--destination", said)
        self.assertEqual(len(self.letters_listed()), 2 * PEOPLE)


if __name__ == "__main__":
    unittest.main()

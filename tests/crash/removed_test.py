"""A destination that is taken out of the configuration while records wait for it, and comes back."""

import pathlib
import unittest

import rig
from faults_test import LETTERS, Case, Feeder


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class RemovedDestinationTest(Case):
    def test_what_waits_is_shown_as_removed_and_is_sent_when_the_destination_is_back(self):
        letters = self.stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        letters.order(status=503)
        whole = LETTERS.format(letters=letters.port)
        hub = self.hub(whole)
        feeder = Feeder(self, hub)
        feeder.consent("ada", True)
        feeder.send(*(feeder.ping("ada", n) for n in range(20)))
        rig.wait_until(lambda: hub.lanes()["letters"]["backlog"] == 20, 10, "the records wait")
        hub.kill()
        hub.config.write_text(whole[:whole.index("routes:")], encoding="utf-8")
        hub.start()
        self.assertIn("destination 'letters' is no longer in the configuration", hub.log(1000))
        lane = hub.lanes()["letters"]
        self.assertEqual((lane["state"], lane["backlog"]), ("removed", 20))
        shown = [line for line in hub.run("outbox").splitlines() if line.startswith("letters")]
        self.assertIn("removed", shown[0])
        self.assertEqual(hub.get("/readyz")[0], 200)
        self.assertEqual(hub.stop(), 0)
        letters.order(clear=True)
        hub.config.write_text(whole, encoding="utf-8")
        hub.start()
        rig.wait_until(lambda: letters.stats()["distinct"] == 20, 20, "what waited is sent")
        self.check_in_order([r["record"]["payload"]["properties"] for r in letters.records()])


if __name__ == "__main__":
    unittest.main()

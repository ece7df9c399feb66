"""What a machine does to a hub: its disk is full, it is stopped for a while, its clock jumps."""

import errno
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import rig
from faults_test import HEAD, Case, Feeder

CONFIG = HEAD + """
computed:
  pings: events("Ping").count()
routes:
  pings_to_hook: {{ events: [Ping], to: hook }}
destinations:
  hook: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{hook}/", secret: "${{HOOK_SECRET}}" }} }}
"""
DISK_MIB = 200
CLOCK = os.environ.get("SLUICE_CLOCK", "")
SANITIZER = os.environ.get("SLUICE_SANITIZER_LIBRARY", "")  # which must come before all others


class Bench(Case):
    def make(self):
        self.hook = self.stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        hub = rig.Hub(CONFIG.format(hook=self.hook.port))
        self.addCleanup(hub.close)
        return hub

    def arrived(self):
        return [r["record"]["payload"]["messageId"] for r in self.hook.records()]


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class DiskTest(Bench):
    def disk(self, hub):
        data = hub.folder / "data"
        data.mkdir(mode=0o700)
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0700", "tmpfs", str(data)], capture_output=True, text=True)
        if made.returncode != 0:
            self.skipTest(f"a file system of its own cannot be mounted here: {made.stderr.strip()}")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", str(data)], check=True))
        return data

    def free_mib(self, data):
        stat = os.statvfs(data)
        return stat.f_bavail * stat.f_frsize / 2**20

    def fill(self, data, leave_mib):
        with open(data / "filler", "wb") as filler:
            def filled():
                try:
                    os.posix_fallocate(filler.fileno(), 0, int((self.free_mib(data) - leave_mib) * 2**20))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    filler.truncate(0)  # the hub has written since it was measured
                    return False
                return True
            rig.wait_until(filled, 20, "the disk is filled")

    def test_on_a_full_disk_intake_is_refused_outcomes_are_kept_and_nothing_acknowledged_is_lost(self):
        hub = self.make()
        data = self.disk(hub)
        hub.start()
        feeder = Feeder(self, hub)
        self.hook.order(down=True)
        sent = feeder.pings(200)
        rig.wait_until(lambda: hub.lanes()["hook"]["backlog"] == 200, 20, "all wait")
        self.fill(data, 20)  # below the margin that is kept for outcomes

        def refused():
            return feeder.sender.post([feeder.ping("late")]) is None
        rig.wait_until(refused, 20, "intake is refused")
        self.assertIsNone(self.hub_process(hub).poll())
        self.hook.order(clear=True)
        rig.wait_until(lambda: hub.backlog() == 0, 20, "what waited goes out all the same")
        self.assertEqual(set(sent) - set(self.arrived()), set())

        (data / "filler").unlink()
        sent += feeder.pings(200)  # taken again, without a restart
        self.fill(data, 0)         # to the last byte, under load
        for _ in range(400):
            events = [feeder.ping(f"u{n}", feeder.count) for n in range(50)]
            if not feeder.sender.post(events):
                break
            sent += [event["messageId"] for event in events]
        if hub.process.poll() is None:
            hub.kill()
        (data / "filler").unlink()
        hub.start()
        rig.wait_until(lambda: hub.backlog() == 0, 30, "all that was acknowledged is delivered")
        self.assertEqual(set(sent) - set(self.arrived()), set())
        self.assertEqual(hub.stop(), 0, hub.log())
        self.assertIn("the same", hub.run("store", "verify"))
        self.assertEqual(json.loads(hub.run("journal", "verify", "--json"))["problems"], [])

    def hub_process(self, hub):
        return hub.process


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class StopTest(Bench):
    def test_stopped_for_a_while_in_the_midst_of_its_work_it_goes_on_where_it_was(self):
        hub = self.make()
        hub.start()
        feeder = Feeder(self, hub)
        self.hook.order(hang_s=0.2)
        sent = feeder.pings(300)
        for seconds in (0.5, 3):
            hub.process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)  # the pause is the test
            hub.process.send_signal(signal.SIGCONT)
            sent += feeder.pings(100)
        self.hook.order(clear=True)
        rig.wait_until(lambda: hub.backlog() == 0, 30, "all is delivered")
        arrived = self.arrived()
        self.assertEqual(sorted(set(arrived)), sorted(sent))
        self.check_in_order([r["record"]["payload"]["properties"] for r in self.hook.records()])
        self.assertEqual(hub.lanes()["hook"]["outcomes"]["rejected"], 0)
        self.assertEqual(hub.stop(), 0, hub.log())
        self.assertIn("the same", hub.run("store", "verify"))


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists() and pathlib.Path(CLOCK).exists(), "the binary or the clock is not built")
class ClockTest(Bench):
    def test_a_clock_that_jumps_back_and_forward_ends_no_record_and_stops_no_delivery(self):
        # Braze, whose stand-in asks no signature for the time.
        braze = self.stand_in("braze.py", "--api-key", rig.BRAZE_KEY)
        hub = rig.Hub(HEAD.format() + f"""
computed:
  pings: events("Ping").count()
routes:
  pings_to_braze: {{ events: [Ping], to: braze }}
destinations:
  braze: {{ plugin: braze, purpose: service, with: {{ endpoint: "http://127.0.0.1:{braze.port}", api_key: "${{BRAZE_KEY}}" }} }}
""")
        self.addCleanup(hub.close)
        jump = pathlib.Path(tempfile.mkdtemp(prefix="sluice-clock-")) / "jump"
        jump.write_text("0", encoding="utf-8")
        hub.environment |= {"LD_PRELOAD": ":".join(filter(None, (SANITIZER, CLOCK))), "SLUICE_TEST_CLOCK": str(jump)}
        hub.start()
        feeder = Feeder(self, hub)
        sent = feeder.pings(50)
        for days in (-2, 0, 30, 0):  # records live for seven days
            braze.order(down=True)
            sent += feeder.pings(50)
            rig.wait_until(lambda: hub.lanes()["braze"]["backlog"] >= 50, 20, "they wait")
            jump.write_text(str(days * 86_400), encoding="utf-8")
            sent += feeder.pings(50)
            braze.order(clear=True)
            rig.wait_until(lambda: hub.backlog() == 0, 30, "all is delivered")
            outcomes = hub.lanes()["braze"]["outcomes"]
            self.assertEqual((outcomes["delivered"], outcomes["expired"]), (len(sent), 0), f"after a jump to {days} days: {outcomes}")
        self.check_in_order([r["object"]["properties"] for r in braze.records() if r["outcome"] == "accepted"])
        self.assertEqual(hub.stop(), 0, hub.log())
        self.assertEqual(json.loads(hub.run("journal", "verify", "--json"))["problems"], [])  # stamps that go back, too
        self.assertIn("the same", hub.run("store", "verify"))


if __name__ == "__main__":
    unittest.main()

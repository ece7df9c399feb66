"""One destination dead, one slow, one lying: the healthy ones keep their pace. A hub beside it, with the healthy ones alone and
fed alike, says what that pace is at the moment."""

import pathlib
import statistics
import time
import unittest

import rig
from faults_test import HEAD, Case, Feeder

HEALTHY = HEAD + """
routes:
  pings_to_hook: {{ events: [Ping], to: hook }}
  pings_to_lake: {{ events: [Ping], to: lake }}
{routes}
destinations:
  hook: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{hook}/", secret: "${{HOOK_SECRET}}" }} }}
  lake: {{ plugin: file, purpose: internal, with: {{ path: ./lake.jsonl }} }}
{destinations}
"""
ROUTES = """
  pings_to_dead: { events: [Ping], to: dead }
  pings_to_slow: { events: [Ping], to: slow }
  pings_to_liar: { events: [Ping], to: liar }
  pings_to_braze_liar: { events: [Ping], to: braze_liar }
"""
DESTINATIONS = """
  dead: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:1/", secret: "${{HOOK_SECRET}}" }} }}
  slow: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{slow}/", secret: "${{HOOK_SECRET}}" }} }}
  liar: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{liar}/", secret: "${{HOOK_SECRET}}" }} }}
  braze_liar: {{ plugin: braze, purpose: service, with: {{ endpoint: "http://127.0.0.1:{liar}", api_key: "${{BRAZE_KEY}}" }} }}
"""
ROUNDS = 60
BATCH = 50
MEMORY_MORE_KIB = 150_000  # what a hub with liars may take more than one without


class Bench:
    def __init__(self, case, **bad):
        self.hook = case.stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        self.hub = case.hub(HEALTHY.format(hook=self.hook.port, routes=ROUTES if bad else "",
                                           destinations=DESTINATIONS.format(**bad) if bad else ""))
        self.feeder = Feeder(case, self.hub)
        self.took = []

    def round(self):
        before = self.hook.stats()["distinct"]
        began = time.monotonic()
        self.feeder.pings(BATCH)
        rig.wait_until(lambda: self.hook.stats()["distinct"] >= before + BATCH, 20, "the healthy destination has them")
        self.took.append(time.monotonic() - began)

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.hub.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class LyingDestinationTest(Case):
    def test_beside_dead_slow_and_lying_destinations_the_healthy_ones_keep_their_pace(self):
        slow, liar = self.stand_in("webhook.py", "--secret", rig.HOOK_SECRET), self.stand_in("liar.py")
        slow.order(hang_s=2)
        control, beside = Bench(self), Bench(self, slow=slow.port, liar=liar.port)
        for _ in range(ROUNDS):  # in turns: what else this machine does meets both
            control.round()
            beside.round()
        median = [statistics.median(bench.took) for bench in (control, beside)]
        p99 = [statistics.quantiles(bench.took, n=100)[98] for bench in (control, beside)]
        print(f"median {median[0] * 1000:.0f} ms alone, {median[1] * 1000:.0f} beside; p99 {p99[0] * 1000:.0f} and {p99[1] * 1000:.0f}; "
              f"peak {control.memory_kib()} and {beside.memory_kib()} KiB")
        self.assertLess(median[1], 2 * median[0] + 0.02)
        self.assertLess(p99[1], 3 * p99[0] + 0.1)
        self.assertLess(beside.memory_kib(), control.memory_kib() + MEMORY_MORE_KIB)
        rig.wait_until(lambda: beside.hub.lanes()["lake"]["backlog"] == 0, 20, "the file has all")
        lanes = beside.hub.lanes()
        self.assertEqual(lanes["lake"]["outcomes"]["delivered"], ROUNDS * BATCH)
        self.assertEqual(lanes["dead"]["backlog"], ROUNDS * BATCH)
        self.assertEqual((lanes["dead"]["state"], lanes["dead"]["outcomes"]["rejected"]), ("backoff", 0))
        self.assertIn(lanes["dead"]["breaker"], ("open", "half open"))
        self.assertGreater(liar.stats()["requests"], 5)
        for lane in lanes.values():  # each record has one outcome or waits for it
            self.assertEqual(sum(lane["outcomes"].values()) + lane["backlog"], ROUNDS * BATCH, lane)
        metrics = beside.hub.get("/metrics")[1]
        self.assertIn('sluice_lane_breaker_open{destination="dead"} 1', metrics)
        self.assertIn('sluice_lane_breaker_open{destination="hook"} 0', metrics)
        self.assertEqual(beside.hub.stop(), 0, beside.hub.log())

    def test_no_answer_however_it_lies_ends_the_hub_or_a_record_twice(self):
        for way in ("wrong", "half", "garbage", "large", "huge", "headers", "lines", "early"):
            with self.subTest(way):
                liar = self.stand_in("liar.py", "--only", way)
                bench = Bench(self, slow=1, liar=liar.port)
                bench.round()
                rig.wait_until(lambda: liar.stats()["told"][way] >= 2, 20, "it has lied")
                lane = bench.hub.lanes()["braze_liar"]
                self.assertEqual(lane["outcomes"]["delivered"], 0, f"{way}: {lane}")
                self.assertEqual(bench.hub.get("/healthz")[0], 200)
                self.assertLess(bench.memory_kib(), 400_000)
                bench.hub.close()


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class RefusedCredentialsTest(Case):
    def test_refused_credentials_pause_the_lane_until_they_are_others(self):
        braze = self.stand_in("braze.py", "--api-key", "another-key")
        hub = self.hub(HEAD.format() + f"""
routes:
  pings_to_braze: {{ events: [Ping], to: braze }}
destinations:
  braze: {{ plugin: braze, purpose: service, with: {{ endpoint: "http://127.0.0.1:{braze.port}", api_key: "${{BRAZE_KEY}}" }} }}
""")
        feeder = Feeder(self, hub)
        feeder.pings(100)
        rig.wait_until(lambda: hub.lanes()["braze"]["state"] == "paused", 10, "the lane is paused")
        rig.wait_until(lambda: "look at its address, key and permissions" in hub.log(1000), 10, "the log says what to do")
        feeder.pings(100)
        rig.wait_until(lambda: hub.lanes()["braze"]["backlog"] == 200, 20, "all wait")
        self.assertEqual(hub.lanes()["braze"]["outcomes"]["rejected"], 0)
        self.assertIn('sluice_lane_paused{destination="braze"} 1', hub.get("/metrics")[1])
        self.assertIn("paused", hub.run("outbox"))
        self.assertLess(braze.stats()["requests"], 20)
        self.assertEqual(hub.log(1000).count("look at its address, key and permissions"), 1)
        hub.config.write_text(hub.config.read_text().replace("${BRAZE_KEY}", "another-key"), encoding="utf-8")
        rig.wait_until(lambda: hub.backlog() == 0, 20, "with the right key all goes out at once")
        self.assertIn('sluice_lane_paused{destination="braze"} 0', hub.get("/metrics")[1])
        self.assertEqual(hub.dead()["letters"], [])


if __name__ == "__main__":
    unittest.main()

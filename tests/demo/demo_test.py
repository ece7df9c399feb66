"""What the demo promises: the same year for the same seed, in order, nothing lost by its player, and a page that fits."""

import http.server
import io
import json
import os
import pathlib
import re
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import unittest

import play
import screen
import shop
from processes import Metrics


def small(seed=3):
    return shop.Shop(seed=seed, people=150, events=3000)


class TheShop(unittest.TestCase):
    def test_the_same_seed_gives_the_same_year(self):
        texts = [[shop.message(3, n, event) for n, event in enumerate(small().events)] for _ in range(2)]
        self.assertEqual(texts[0], texts[1])
        self.assertNotEqual(texts[0], [shop.message(4, n, event) for n, event in enumerate(small(4).events)])

    def test_events_and_rows_come_in_order_of_time_within_the_year(self):
        made = small()
        times = [event[0] for event in made.events]
        self.assertEqual(times, sorted(times))
        self.assertGreaterEqual(times[0], shop.START)
        self.assertLess(times[-1], shop.START + shop.DAYS * shop.DAY)
        nights = [row[0] for row in made.crm]
        self.assertEqual(nights, sorted(nights))

    def test_events_have_the_shape_that_segment_documents(self):
        made = small()
        seen = set()
        for n, event in enumerate(made.events):
            message = json.loads(shop.message(3, n, event))
            seen.add(message.get("event", message["type"]))
            self.assertTrue(message["anonymousId"] and message["messageId"])
            self.assertRegex(message["timestamp"], r"^2025-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(message["type"], ("track", "page", "identify"))
        self.assertLessEqual({"page", "identify", "Product Viewed", "Product Added", "Checkout Started", "Order Completed",
                              "Order Returned", "Segment Consent Preference Updated"}, seen)

    def test_a_person_orders_only_once_known_and_comes_anonymously_first(self):
        known = set()
        for n, event in enumerate(small().events):
            message = json.loads(shop.message(3, n, event))
            if message["type"] == "identify" and "userId" in message:
                known.add((message["userId"], message["anonymousId"]))
            if message.get("event") == "Order Completed":
                self.assertIn((message["userId"], message["anonymousId"]), known)

    def test_december_is_busier_than_august(self):
        months = [shop.iso(event[0])[5:7] for event in shop.Shop(people=2000, events=20000).events]
        self.assertGreater(months.count("12"), 2 * months.count("08"))


class Hub(http.server.BaseHTTPRequestHandler):
    """Takes batches; each third one is refused for the moment, each fifth answered by closing the connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        hub = self.server
        with hub.lock:
            hub.requests += 1
            turn = hub.requests
        if turn % 5 == 0:
            self.close_connection = True
            return
        if turn % 3 != 0:
            with hub.lock:
                hub.received += [json.loads(body)["batch"]]
        self.send_response(429 if turn % 3 == 0 else 200)
        if turn % 3 == 0:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class ThePlayer(unittest.TestCase):
    def test_each_event_arrives_once_and_in_order_for_its_person_although_the_hub_refuses(self):
        with Server(("127.0.0.1", 0), Hub) as hub, tempfile.TemporaryDirectory() as folder:
            hub.lock, hub.requests, hub.received = threading.Lock(), 0, []
            thread = threading.Thread(target=hub.serve_forever)
            thread.start()
            try:
                made = shop.Shop(seed=3, people=30, events=200)
                crm = pathlib.Path(folder) / "crm.csv"
                player = play.Player(made, hub.server_address, "key", crm, seconds=0)
                player.prepare()
                player.start()
                self.assertTrue(player.done.wait(60))
            finally:
                player.stop()
                hub.shutdown()
                thread.join()
            self.assertIsNone(player.error)
            ids = [message["messageId"] for batch in hub.received for message in batch]
            self.assertEqual(sorted(ids), [f"shop-3-{n:07d}" for n in range(len(made.events))])
            self.assertEqual(player.sent, len(made.events))
            self.assertGreater(player.repeats, 0)
            devices = {}
            for batch in hub.received:
                for message in batch:
                    devices.setdefault(message["anonymousId"], []).append(message["messageId"])
            self.assertTrue(all(own == sorted(own) for own in devices.values()))
            self.assertEqual(len(crm.read_text(encoding="utf-8").splitlines()), 1 + len(made.crm))


class TheScreen(unittest.TestCase):
    def view(self):
        view = screen.View("Sluice plays a year of a shop")
        view.elapsed_s, view.share, view.now = 3599, 1.0, shop.START + 260 * shop.DAY
        view.events, view.events_rate, view.people = 1234567, 98765.4, 1234567
        view.audiences = [(f"audience_number_{n}", 10 ** n, [n, 5, 0, 100] * 20) for n in range(8)]
        view.destinations = [(f"destination{n}", 123456789, 12345678, 123456.7, "catching up") for n in range(4)]
        view.mails, view.last_mail = 123456, ("A subject that goes on for much longer than fits " * 3, "someone@example.com")
        view.note = "A note that is longer than a line of the terminal can hold, so that it has to be cut somewhere " * 2
        return view

    def test_the_page_fits_into_80_by_24(self):
        lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in screen.page(self.view())]
        self.assertLessEqual(len(lines), 23)
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_without_a_terminal_lines_are_printed_and_no_control_codes(self):
        out = io.StringIO()
        one = screen.Screen(out)
        one.draw(self.view())
        one.draw(self.view())
        one.end()
        lines = out.getvalue().splitlines()
        self.assertNotIn("\x1b", out.getvalue())
        self.assertEqual(len([line for line in lines if line.startswith("Thursday 18 September 2025: ")]), 1)
        self.assertIn("audience_number_7 10,000,000", " ".join(lines))
        self.assertLessEqual(max(map(len, lines[1:])), 78)

    def test_addresses_are_not_shown(self):
        self.assertNotIn("someone", "".join(screen.page(self.view())))

    def test_the_line_of_a_year_has_one_width_whatever_its_values(self):
        for values in ([], [0, 0], [1], list(range(100))):
            self.assertEqual(len(screen.spark(values)), screen.SPARK)


class TheMetrics(unittest.TestCase):
    def test_prometheus_text_is_read_with_and_without_labels(self):
        metrics = Metrics('# HELP a x\na 5\nb{x="1",y="two, three"} 7\nb{x="2"} 1.5e3\n')
        self.assertEqual(metrics.total("a"), 5)
        self.assertEqual(metrics.total("b"), 1507)
        self.assertEqual(metrics.total("b", x="1"), 7)
        self.assertEqual(metrics.by("b", "x"), {"1": 7, "2": 1500})
        self.assertIsNone(metrics.total("c"))


@unittest.skipUnless("SLUICE" in os.environ, "run by ctest, which names the hub")
class TheDemo(unittest.TestCase):
    def demo(self, *arguments, **options):
        return subprocess.Popen([sys.executable, "-B", str(pathlib.Path(__file__).with_name("demo.py")), "--hub", os.environ["SLUICE"],
                                 "--people", "200", "--events", "3000", *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)

    def test_a_small_year_goes_through_the_real_hub_with_nothing_lost_and_the_folder_is_removed(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.demo("--seconds", "5", env=os.environ | {"TMPDIR": folder}) as demo:
                said = demo.communicate(timeout=50)[0]
            self.assertEqual(demo.returncode, 0, said)
            self.assertNotIn("DIFFERS", said)
            for text in ("Braze answers 500", "Braze works again", "One person's story: sluice profile email:", "became one with",
                         "What to try next"):
                self.assertIn(text, said)
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])

    def test_ctrl_c_ends_it_and_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.demo("--seconds", "600", env=os.environ | {"TMPDIR": folder}) as demo:
                self.assertIn("seed", demo.stdout.readline())
                self.assertIn("0 events", demo.stdout.readline())  # the year has begun
                demo.send_signal(signal.SIGINT)
                said = demo.communicate(timeout=40)[0]
            self.assertEqual(demo.returncode, 130, said)
            self.assertTrue(said.endswith("stopped\n"), said)
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])


if __name__ == "__main__":
    unittest.main()

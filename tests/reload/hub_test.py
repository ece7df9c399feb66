"""What the running hub says at its doors, what commands say without it, and how it stops."""

import http.client
import json
import socket
import time
import unittest

import bench
from bench import ROWS, config, mail, ping, tracking, webhook
from hub import wait_for

SITE = tracking("site", "SITE_KEY")


class DoorTest(bench.Bench):
    def test_both_doors_say_whether_the_hub_is_well_though_nothing_is_sent_to_it(self):
        (self.folder / "rows.csv").write_text("id\n1\n")
        self.run_hub(config(ROWS))
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        self.addCleanup(connection.close)
        for path, wanted in (("/healthz", 200), ("/readyz", 200), ("/metrics", 404), ("/v1/audiences", 404),
                             ("/v1/profiles/user_id:1", 404)):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, wanted, path)
            if wanted == 200:
                self.assertEqual(self.hub.get(path)[0], 200)

    def test_a_door_opens_with_the_first_source_that_needs_it(self):
        (self.folder / "rows.csv").write_text("id\n1\n")
        self.run_hub(config(ROWS, head="country: FR"))
        self.assertNotIn("listening on", self.log())
        self.apply(config(ROWS + SITE))
        self.assertEqual(self.send("site-key", ping(1)), 200)

    def test_what_is_read_to_its_end_is_idle_at_once_where_nobody_can_send(self):
        (self.folder / "rows.csv").write_text("id\n1\n")
        bench.hub.Hub(self.folder, config(ROWS)).run_until_idle("--clock", "events")

    def test_what_connectors_count_stands_in_the_metrics(self):
        self.run_hub(config(SITE))
        text = self.hub.get("/metrics")[1]
        self.assertIn("# TYPE sluice_connector_total counter", text)
        self.assertIn("sluice_connector_metrics_refused_total 0", text)


class OutboxTest(bench.Bench):
    def test_without_a_hub_the_outbox_is_read_from_the_lanes_files(self):
        here = self.stand_in("webhook.py")
        routes = "up: { events: [Ping], to: up }\ndown: { events: [Ping], to: down }\n"
        self.run_hub(config(SITE, "", routes, "", webhook("up", here.port) + webhook("down", 1)))
        for n in range(7):
            self.assertEqual(self.send("site-key", ping(n)), 200)
        wait_for(lambda: here.stats()["records"] == 7)
        wait_for(lambda: self.lanes()["up"]["backlog"] == 0)
        running = {lane["destination"]: lane for lane in json.loads(self.hub.command("outbox", "--json"))["lanes"]}
        self.hub.stop()
        before = {path: path.stat().st_mtime_ns for path in (self.folder / "data").rglob("*") if path.is_file()}
        stopped = {lane["destination"]: lane for lane in json.loads(self.hub.command("outbox", "--json"))["lanes"]}
        self.assertEqual(list(stopped), list(running))
        for name, lane in stopped.items():
            self.assertEqual(set(lane), set(running[name]))
            self.assertEqual(lane["state"], "stopped")
            for key in ("backlog", "backlog_bytes", "outcomes"):
                self.assertEqual(lane[key], running[name][key], key)
        self.assertIn("oldest", stopped["down"])
        self.assertNotIn("oldest", stopped["up"])
        self.assertEqual(before, {path: path.stat().st_mtime_ns for path in before})
        self.assertRegex(self.hub.command("outbox"), r"down +stopped +7 +0 ")


class StopTest(bench.Bench):
    """The patience of a stop is 5 s for all lanes together."""

    def stop_seconds(self):
        begin = time.monotonic()
        self.hub.stop()
        return time.monotonic() - begin

    def test_a_destination_that_refuses_connections_is_not_waited_for(self):
        self.run_hub(config(SITE, "", "down: { events: [Ping], to: down }\n", "", webhook("down", 1)))
        for n in range(20):
            self.send("site-key", ping(n))
        wait_for(lambda: self.lanes()["down"]["state"] == "backoff")
        self.assertLess(self.stop_seconds(), 3)

    def test_destinations_that_never_answer_share_one_patience(self):
        silent = [self.open.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ports = [s.getsockname()[1] for s in silent]
        hello = "hello: { trigger: { event: Ping }, steps: [ { send: mail, with: { subject: Hello, text: Hello } } ] }\n"
        self.run_hub(config(SITE, "", "one: { events: [Ping], to: one }\ntwo: { events: [Ping], to: two }\n", hello,
                            webhook("one", ports[0]) + webhook("two", ports[1]) + mail("mail", ports[2])))
        self.send("site-key", {"type": "identify", "userId": "a", "traits": {"email": "a@example.com"}}, ping(1))
        wait_for(lambda: self.lanes()["one"]["in_flight"] == 1 and self.lanes()["two"]["in_flight"] == 1)
        self.assertLess(self.stop_seconds(), 8)
        self.hub.start()  # nothing is lost: it is tried again, but for the mail, of which nobody knows whether it left
        wait_for(lambda: self.lanes()["one"]["backlog"] == 1 and self.lanes()["two"]["backlog"] == 1)


if __name__ == "__main__":
    unittest.main()

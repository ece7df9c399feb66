#!/usr/bin/env python3
"""A year of a shop, played through the hub in about a minute: ./dev demo [--seconds 75] [--people N] [--events N] [--seed N]

Starts stand-ins for Braze, a webhook and a mail server, starts `sluice run --clock events`, plays the year to it and shows
what happens. Braze is down in June. At the end everything sent is compared with everything that arrived; the exit code is 1
if anything was lost. All files are in a temporary folder, which is removed.
"""

import argparse
import base64
import datetime
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import play
import screen
import shop as shops
from processes import Admin, Failed, Processes, free_port

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
AUDIENCES = ("browsing", "cart_left", "first_order", "regulars", "vip", "big_month", "asleep", "sends_back")
DESTINATIONS = ("braze", "backend", "mail", "lake")
HISTORY_EVERY_DAYS = 365 / screen.SPARK
SETTLE_SECONDS = 120
NOTE_DAYS = 30  # how long the last word on the outage stands


def moment(month, day):
    return datetime.datetime(shops.YEAR, month, day, tzinfo=datetime.timezone.utc).timestamp()


class Demo:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.processes = Processes(folder)
        self.admin = Admin(folder / "data" / "admin.sock")
        self.shop = shops.Shop(options.seed, options.people, options.events)
        self.screen = screen.Screen(force_plain=options.plain)
        self.view = screen.View("Sluice plays a year of a shop")
        self.history = {name: [] for name in AUDIENCES}
        self.rates = {}   # name -> (when, count, per second)
        self.outage, self.over_at = "before", 0.0  # of Braze: before, down, repaired, catching up, over, past
        self.braze_is_live, self.braze_waits = True, 0
        self.ports = {}
        self.player = None

    # Starting -------------------------------------------------------------------------------------------------------

    def start(self):
        key, signing = secrets.token_hex(8), "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        write_key = secrets.token_hex(8)
        system_python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
        self.ports["braze"], = self.processes.stand_in("braze", "braze.py", "--api-key", key)
        self.ports["backend"], = self.processes.stand_in("backend", "webhook.py", "--secret", signing)
        smtp, self.ports["mail"] = self.processes.stand_in("mail", "mail.py", python=system_python)
        listen = free_port()
        text = (HERE / "connectors.yaml").read_text(encoding="utf-8")
        for default, port in ((8080, listen), (8181, self.ports["braze"]), (8182, self.ports["backend"]), (2525, smtp)):
            text = text.replace(f"127.0.0.1:{default}", f"127.0.0.1:{port}")
        self.config = self.folder / "demo.yaml"
        self.config.write_text(text, encoding="utf-8")
        (self.folder / "lake").mkdir()
        self.player = play.Player(self.shop, ("127.0.0.1", listen), write_key, self.folder / "crm.csv", self.options.seconds)
        self.player.prepare()
        self.environment = os.environ | {"WEBSITE_WRITE_KEY": write_key, "BRAZE_KEY": key, "WEBHOOK_SECRET": signing}
        self.processes.start("hub", [self.options.hub, "run", str(self.config), "--clock", "events"], env=self.environment,
                             cwd=self.folder)
        self.admin.wait_until_ready(self.processes)
        self.player.start()

    # While the year goes by -------------------------------------------------------------------------------------------

    def run(self):
        self.began = time.monotonic()
        while not self.player.done.is_set():
            self.direct(self.player.now)
            self.look()
            self.player.done.wait(0.25)
        if self.player.error:
            raise Failed(f"the shop could not go on: {self.player.error}")
        self.direct(self.player.now)
        self.view.note = "The year is over: waiting for what is still under way."
        end = time.monotonic() + SETTLE_SECONDS
        while not self.settled(self.look()) and time.monotonic() < end:
            time.sleep(0.25)

    def direct(self, now):
        """Braze fails in June."""
        if self.outage == "before" and now >= moment(6, 3):
            play.order(self.ports["braze"], {"status": 500})
            self.outage = "down"
            self.view.note = "3 June: Braze answers 500 to everything. The others do not notice."
        elif self.outage == "down" and now >= moment(6, 28):
            play.order(self.ports["braze"], {"clear": True})
            self.outage = "repaired"
            self.view.note = "28 June: Braze works again; the hub will see it at its next try."
        elif self.outage == "repaired" and self.braze_is_live:
            self.outage = "catching up"
            self.view.note = f"{screen.day(now)}: Braze gets what waited, in order for each person."
        elif self.outage == "catching up" and self.braze_waits < 100:
            self.outage = "over"
            self.over_at = now
            self.view.note = f"{screen.day(now)}: Braze has all that waited. Nothing was lost."
        elif self.outage == "over" and now >= self.over_at + NOTE_DAYS * shops.DAY:
            self.outage = "past"
            self.view.note = ""

    def look(self):
        self.processes.check()
        metrics = self.admin.metrics()
        view, now = self.view, self.player.now
        view.elapsed_s = time.monotonic() - self.began
        view.now, view.share = now, (now - shops.START) / (shops.DAYS * shops.DAY)
        view.events = metrics.total("sluice_events_total")
        view.events_rate = self.rate("events", view.events)
        view.people = metrics.total("sluice_profiles")
        members = metrics.by("sluice_audience_members", "audience")
        for name, values in self.history.items():
            while len(values) * HISTORY_EVERY_DAYS * shops.DAY <= now - shops.START and len(values) < screen.SPARK:
                values.append(members.get(name, 0))
        view.audiences = [(name, members.get(name), self.history[name]) for name in AUDIENCES]
        view.destinations = [self.destination(name, metrics) for name in DESTINATIONS]
        mails = play.stats(self.ports["mail"])["messages"]
        if mails > view.mails:
            last = play.records(self.ports["mail"], mails - 1)[-1]
            view.mails, view.last_mail = mails, (last["subject"], last["to"][0])
        self.screen.draw(view)
        return metrics

    def destination(self, name, metrics):
        delivered = metrics.total("sluice_lane_delivered_total", destination=name) or 0
        waiting = metrics.total("sluice_lane_backlog", destination=name) or 0
        live = metrics.total("sluice_lane_up", destination=name) != 0
        if name == "braze":
            self.braze_is_live, self.braze_waits = live, waiting
        if not live:
            state = "waiting to try again" if self.outage == "repaired" else "failing"
        else:
            state = "catching up" if waiting > 500 else "in step" if delivered else "idle"
        return name, delivered, waiting, self.rate(name, delivered), state

    def rate(self, name, count):
        """Per second, over about the last second."""
        now = time.monotonic()
        since, before, shown = self.rates.get(name, (now, count, 0))
        if count is None:
            return None
        if name not in self.rates or now - since >= 1.0:
            shown = (count - before) / (now - since) if now > since else 0
            self.rates[name] = (now, count, shown)
        return shown

    def settled(self, metrics):
        total = metrics.total("sluice_events_total") or 0
        waiting = sum(metrics.by("sluice_lane_backlog", "destination").values())
        return total >= self.player.sent + self.player.rows and waiting == 0

    # Afterwards -------------------------------------------------------------------------------------------------------

    def verdict(self):
        """Compares what was sent with what arrived. -> [(what, expected, found)]"""
        metrics = self.admin.metrics()
        delivered = metrics.by("sluice_lane_delivered_total", "destination")
        braze, backend = play.stats(self.ports["braze"]), play.stats(self.ports["backend"])
        mails = play.stats(self.ports["mail"])
        lake = set()
        for path in sorted((self.folder / "lake").iterdir()):
            with open(path, encoding="utf-8") as lines:
                lake.update(json.loads(line)["key"] for line in lines)
        return [
            ("events taken in, of those sent", self.player.sent + self.player.rows, metrics.total("sluice_events_total")),
            ("events refused by the hub", 0, self.player.refused),
            ("people and strangers, as the shop knows them", self.shop.distinct_people(), metrics.total("sluice_profiles")),
            ("track events in the lake, of those sent", self.player.tracks, len(lake)),
            ("records at the webhook, of those delivered", delivered.get("backend", 0), backend["distinct"]),
            ("mails received, of those delivered", delivered.get("mail", 0), mails["distinct"]),
            ("objects refused by Braze", 0, braze["rejected"]),
            ("records still waiting", 0, sum(metrics.by("sluice_lane_backlog", "destination").values())),
        ]

    def chosen(self):
        """Someone worth telling about: a mail received, several devices, orders, a return."""
        mailed = {record["to"][0] for record in play.records(self.ports["mail"])}

        def worth(person):
            return (person.email in mailed, min(person.returns, 1), len(person.logged_in), -abs(person.orders - 4))

        return max(self.shop.people, key=worth)

    def tell(self):
        print("\nWhat was sent, and what arrived")
        good = True
        for what, expected, found in self.verdict():
            same = found is not None and int(found) == int(expected)
            good &= same
            print(f"  {'ok     ' if same else 'DIFFERS'}  {what:<46} {screen.number(expected):>10} {screen.number(found):>10}")
        person = self.chosen()
        command = ["profile", f"email:{person.email}"]
        print(f"\nOne person's story: sluice {' '.join(command)}")
        print("(the shop's times are those of its year, the deliveries' those of the clock on the wall)\n", flush=True)
        story = subprocess.run([self.options.hub, *command, "--config", str(self.config)], env=self.environment, timeout=60,
                               stdin=subprocess.DEVNULL, check=False)
        code = self.processes.stop("hub", 60)
        if code != 0:
            print(f"\nThe hub did not end in order ({'killed' if code is None else code}):\n{self.processes.log('hub')}")
        print(NEXT if good else f"\nSomething differs. The hub's last words:\n{self.processes.log('hub')}")
        return good and story.returncode == 0 and code == 0


NEXT = """
What to try next
  build/release/sluice check    break connectors.yaml, and see what it says
  build/release/sluice run      run it; point a Segment SDK at 127.0.0.1:8080
  docs/configuration.md         everything that can stand in the file
  docs/connectors.md            write a connector of your own
  ./dev demo --seed 8 --keep    another year; keeps its folder to look into"""


def arguments():
    parser = argparse.ArgumentParser(description="A year of a shop, played through the hub.")
    parser.add_argument("--seconds", type=float, default=75, help="how long the year takes, if the hub keeps up")
    parser.add_argument("--people", type=int, default=12000)
    parser.add_argument("--events", type=int, default=250000, help="about so many")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--plain", action="store_true", help="lines instead of a page")
    parser.add_argument("--keep", action="store_true", help="keep the folder with data, logs and configuration")
    parser.add_argument("--hub", default=str(ROOT / "build" / "release" / "sluice"), help="the binary")
    options = parser.parse_args()
    if not os.access(options.hub, os.X_OK):
        parser.error(f"{options.hub} is not there: ./dev demo builds it first")
    return options


def stop_like_ctrl_c(_number, _frame):
    raise KeyboardInterrupt


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, stop_like_ctrl_c)
    signal.signal(signal.SIGHUP, stop_like_ctrl_c)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-demo-"))
    demo = None
    try:
        print(f"Making up a shop's year (seed {options.seed}) …", flush=True)
        demo = Demo(options, folder)
        try:
            demo.start()
            demo.run()
        finally:
            demo.screen.end()
        return 0 if demo.tell() else 1
    except KeyboardInterrupt:
        print("\nstopped")
        return 130
    except (Failed, OSError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    finally:
        if demo and demo.player:
            demo.player.stop()
        if demo:
            demo.processes.stop_all()
        if options.keep:
            print(f"\nKept: {folder}\n  build/release/sluice journal verify --config {folder}/demo.yaml")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

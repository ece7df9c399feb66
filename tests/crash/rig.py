"""What the crash tests share: a folder with a configuration, the hub as a process that may be killed, and its load.

The binary comes from $SLUICE, its connectors from $SLUICE_PLUGINS (beside the binary when that is not set).
"""

import base64
import http.client
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("vendors", "support")]
import hub  # noqa: E402
from client import Server  # noqa: E402,F401  (for the tests)

SLUICE = hub.SLUICE or str(HERE.parents[1] / "build/release/sluice")
WRITE_KEY = "write-key-of-the-load"
BRAZE_KEY = "braze-key-never-to-be-seen"
HOOK_SECRET = "whsec_" + base64.b64encode(b"hook-secret-never-to-be-seen-32b").decode()
SECRETS = {"WRITE_KEY": WRITE_KEY, "BRAZE_KEY": BRAZE_KEY, "HOOK_SECRET": HOOK_SECRET}


def wait_until(condition, seconds, what):
    """Polls until condition() is true, and returns what it gave."""
    return hub.wait_for(condition, seconds, what)


class Hub(hub.Hub):
    """The hub on a temporary folder. Each start() listens on another free port; `address` tells which."""

    def __init__(self, config, *options):
        super().__init__(tempfile.mkdtemp(prefix="sluice-crash-"), config, SECRETS, "data/admin.sock")
        self.options = options
        self.address = None
        self.runs = 0

    @property
    def log_file(self):
        return self.folder / f"hub.{self.runs}.log"

    def log(self, lines=30):
        text = self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def begin(self):
        """Starts the process and does not wait for it."""
        self.address = None
        self.runs += 1
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen([SLUICE, "run", str(self.config), *self.options], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.environment, cwd=self.folder)

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the hub ended by itself with {self.process.returncode}:\n{self.log()}")
        found = re.search(r"listening on ([0-9.]+):([0-9]+)", self.log(1000))
        if not found:
            return False
        if self.get("/readyz")[0] != 200:
            return False
        self.address = (found[1], int(found[2]))
        return True

    def start(self, seconds=90):
        self.begin()
        wait_until(self.ready, seconds, lambda: f"the hub is ready\n{self.log()}")

    def kill(self):
        self.address = None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=30):
        """SIGTERM; -> the exit code."""
        self.address = None
        self.process.terminate()
        return self.process.wait(seconds)

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def lanes(self):
        """-> {destination: its lane}"""
        return {lane["destination"]: lane for lane in json.loads(self.get("/v1/outbox")[1])["lanes"]}

    def backlog(self):
        """Records that wait; inputs that may become some count, too."""
        return self.unstepped() + sum(lane["backlog"] for lane in self.lanes().values())

    def run(self, *arguments, check=True):
        """A command of sluice; -> what it printed."""
        done = subprocess.run([SLUICE, *arguments, "--config", str(self.config)], capture_output=True, text=True, timeout=60,
                              env=self.environment, cwd=self.folder)
        if check and done.returncode != 0:
            raise AssertionError(f"sluice {' '.join(arguments)} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout if check else (done.returncode, done.stdout + done.stderr)

    def dead(self, *filters):
        return json.loads(self.run("dead", "list", "--limit", "100000", "--json", *filters))

    def lines(self, name):
        """The lines of a file destination that are JSON."""
        found = []
        path = self.folder / name
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue  # torn by a kill; what it held stands again in a later line
        return found


class Sender:
    """One keep-alive connection to the hub's door, wherever the hub listens at the moment."""

    def __init__(self, hub):
        self.hub = hub
        self.link = None
        self.authorization = "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode()

    def post(self, events):
        """-> the answer where it is 200; None where nobody knows whether the events were taken."""
        address = self.hub.address
        if address is None:
            return None
        if self.link and (self.link.host, self.link.port) != address:
            self.close()
        try:
            if self.link is None:
                self.link = http.client.HTTPConnection(*address, timeout=20)
            self.link.request("POST", "/v1/batch", json.dumps({"batch": events}),
                              {"Authorization": self.authorization, "Content-Type": "application/json"})
            answer = self.link.getresponse()
            text = answer.read()
            return json.loads(text) if answer.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            return None

    def send(self, events, seconds=60):
        """Again and again until they are acknowledged."""
        def taken():
            answer = self.post(events)
            if answer and answer.get("rejected"):
                raise AssertionError(f"the hub refuses events: {answer}")
            return answer
        wait_until(taken, seconds, "the hub acknowledges a batch")

    def close(self):
        if self.link:
            self.link.close()
        self.link = None


class Clock:
    """Times of events: milliseconds, each later than the one before, since what a person says last counts by its time."""

    def __init__(self):
        self.last = 0

    def text(self):
        self.last = max(self.last + 1, int(time.time() * 1000))
        seconds, milliseconds = divmod(self.last, 1000)
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03d}Z"


class Person:
    """Two devices that nobody knows, then one person: `device` 0 and 1 before, 2 after the merge."""

    def __init__(self, number):
        self.number, self.user = number, f"u{number}"
        self.pings = 0           # how many of its events were made
        self.known = False
        self.granted = False     # what it last said about the newsletter
        self.refused_at = -1     # the number of pings made when it last refused


class Load(threading.Thread):
    """One client: events of its own people, in order, each batch sent until it is acknowledged.

    A ping's properties: p the person, d the device, n the how manieth of this person's, c whether consent was given.
    """

    PINGS = 40          # of one person, who then makes room for another
    DEVICE_PINGS = 4    # of each device before the person is known

    def __init__(self, hub, number, seed, people, rate):
        super().__init__(daemon=True)
        self.sender = Sender(hub)
        self.number, self.rate = number, rate
        self.random = random.Random(seed)
        self.clock = Clock()
        self.active = []
        self.wanted = people
        self.people = []
        self.acknowledged = {}   # message id -> (person, device, n, consent) of pings
        self.signups = set()     # user ids
        self.messages = 0
        self.repeated = 0        # events sent again though acknowledged
        self.stopping = threading.Event()
        self.error = None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.batch()
            for person in self.active:   # nobody stays half known
                events = []
                if not person.known:
                    self.become_known(person, events)
                    self.sender.send(events)
        except BaseException as error:  # pylint: disable=broad-except  # the test raises it again
            self.error = error
        finally:
            self.sender.close()

    def batch(self):
        began = time.monotonic()
        events, made = [], {}
        for _ in range(self.random.randint(1, 60)):
            self.step(events, made)
        self.sender.send(events)
        self.acknowledged.update(made)
        if self.random.random() < 0.05:  # an SDK that missed the answer
            self.sender.send(events)
            self.repeated += len(events)
        pause = len(events) / self.rate - (time.monotonic() - began)
        if pause > 0:
            self.stopping.wait(pause)

    def event(self, kind, person, **members):
        self.messages += 1
        return {"type": kind, "messageId": f"m{self.number}-{self.messages}", "timestamp": self.clock.text(), **members}

    def step(self, events, made):
        while len(self.active) < self.wanted:
            person = Person(f"{self.number}x{len(self.people)}")
            self.active.append(person)
            self.people.append(person)
        person = self.random.choice(self.active)
        if not person.known and person.pings >= 2 * self.DEVICE_PINGS:
            self.become_known(person, events)
        elif person.known and self.random.random() < 0.08:
            self.say_consent(person, events)
        else:
            self.ping(person, events, made)
        if person.pings >= self.PINGS:
            self.active.remove(person)

    def ping(self, person, events, made):
        device = 2 if person.known else person.pings % 2
        who = {"userId": person.user} if person.known else {"anonymousId": f"a{person.number}-{device}"}
        properties = {"p": person.user, "d": device, "n": person.pings, "c": person.granted}
        event = self.event("track", person, event="Ping", properties=properties, **who)
        person.pings += 1
        events.append(event)
        made[event["messageId"]] = (person.user, device, properties["n"], person.granted)

    def become_known(self, person, events):
        traits = {"email": f"{person.user}@example.com", "name": f"Name {person.user}"}
        for device in (0, 1):  # the second joins the two devices' people
            events.append(self.event("identify", person, userId=person.user, anonymousId=f"a{person.number}-{device}", traits=traits))
        person.known = True
        events.append(self.event("track", person, event="Signed Up", userId=person.user))
        self.signups.add(person.user)

    def say_consent(self, person, events):
        person.granted = not person.granted
        if not person.granted:
            person.refused_at = person.pings
        events.append(self.event("identify", person, userId=person.user,
                                 context={"consent": {"categoryPreferences": {"Newsletter": person.granted}}}))


def descents(numbers):
    return sum(1 for before, after in zip(numbers, numbers[1:]) if after <= before)

"""The processes of the demo: the vendors' stand-ins and the hub. Whatever happens, all of them end with it."""

import http.client
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

VENDORS = pathlib.Path(__file__).resolve().parent.parent / "vendors"


class Failed(Exception):
    """A process did not do what the demo needs; the text is for people."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Processes:
    def __init__(self, folder):
        self.folder = folder
        self.started = []  # (name, process), in order

    def start(self, name, command, **options):
        """stderr goes to NAME.log. A session of its own: ctrl-C reaches the demo alone, which then ends all in order."""
        with open(self.folder / f"{name}.log", "wb") as log:
            options.setdefault("stdout", log)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True, **options)
        self.started.append((name, process))
        return process

    def stand_in(self, name, script, *arguments, python=sys.executable):
        """-> the ports that it prints."""
        process = self.start(name, [python, str(VENDORS / script), "--print-port", *arguments], stdout=subprocess.PIPE)
        line = process.stdout.readline().split()
        if not line:
            raise Failed(f"the stand-in {name} did not start:\n{self.log(name)}")
        return [int(port) for port in line]

    def log(self, name, lines=15):
        text = (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def check(self):
        """Says which process has ended, if one has."""
        for name, process in self.started:
            if process.poll() is not None:
                raise Failed(f"{name} ended by itself with {process.returncode}:\n{self.log(name)}")

    def stop(self, name, seconds):
        """Asks it to end; -> its exit code, or None if it had to be killed."""
        for found, process in self.started:
            if found == name and process.poll() is None:
                process.terminate()
                try:
                    return process.wait(seconds)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    return None
            if found == name:
                return process.returncode
        return None

    def stop_all(self):
        for name, _ in reversed(self.started):
            self.stop(name, 10)
        for _, process in self.started:
            if process.stdout:
                process.stdout.close()
        self.started.clear()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the hub's admin socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Admin:
    """What the hub tells about itself: GET /metrics on its admin socket."""

    def __init__(self, path):
        self.path = path

    def ready(self):
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path):
        link = UnixConnection(self.path)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()

    def wait_until_ready(self, processes, seconds=30):
        end = time.monotonic() + seconds
        while not self.ready():
            processes.check()
            if time.monotonic() > end:
                raise Failed(f"the hub was not ready within {seconds} s:\n{processes.log('hub')}")
            time.sleep(0.1)

    def metrics(self):
        status, text = self.get("/metrics")
        if status != 200:
            raise Failed(f"GET /metrics answered {status}")
        return Metrics(text)


class Metrics:
    """Prometheus' text format: name{label="value",...} number."""

    def __init__(self, text):
        self.samples = {}  # name -> [(labels, value)]
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = self.sample(line)
                self.samples.setdefault(name, []).append((labels, value))

    @staticmethod
    def sample(line):
        head, _, rest = line.partition("{")
        if not rest:
            name, value = line.split()[:2]
            return name, {}, float(value)
        labels, _, tail = rest.rpartition("}")
        pairs = (pair.split("=", 1) for pair in labels.split('",') if pair)
        return head, {key.strip(): value.strip().strip('"') for key, value in pairs}, float(tail.split()[0])

    def total(self, name, **labels):
        """The sum over the samples that have these labels; None if there is no such sample."""
        found = [value for has, value in self.samples.get(name, ()) if labels.items() <= has.items()]
        return sum(found) if found else None

    def by(self, name, label):
        found = {}
        for has, value in self.samples.get(name, ()):
            found[has.get(label)] = found.get(has.get(label), 0) + value
        return found

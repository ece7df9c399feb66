"""For tests: a real hub in a folder of its own, with tracking sources and a file as destination."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

SLUICE = os.environ.get("SLUICE", "build/release/sluice")

CONFIG = """
version: 1
hub: {{ data: ./data, listen: "127.0.0.1:{port}", admin: "unix:./admin.sock" }}
sources:
  server: {{ plugin: tracking, with: {{ write_key: "${{SERVER_KEY}}" }} }}
  page:   {{ plugin: tracking, trust: public, with: {{ write_key: "${{PAGE_KEY}}" }} }}
computed:
  orders:  events("Order Completed").count()
  revenue: events("Order Completed").sum(e, e.properties.total)
  pages:   events("$page").count()
routes:
  all: {{ events: ["*"], to: lake }}
destinations:
  lake: {{ plugin: file, purpose: internal, with: {{ path: ./lake.jsonl }} }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what, seconds=20):
    """Polls until condition() is true; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


class Hub:
    """with Hub() as hub: hub.url, hub.profile("user_id:1"), hub.lake()"""

    def __init__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="sluice-clients-")
        self.folder = pathlib.Path(self.temporary.name)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "SERVER_KEY": "server-key", "PAGE_KEY": "page-key"}
        self.config = self.folder / "connectors.yaml"
        self.config.write_text(CONFIG.format(port=self.port))
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.temporary.cleanup()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([SLUICE, "run", str(self.config)], stdout=log, stderr=log, env=self.environment)
        until(self.ready, "the hub listens")

    def ready(self):
        assert self.process.poll() is None, "the hub ended:\n" + self.log()
        try:
            with urllib.request.urlopen(self.url + "/readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self, how=signal.SIGTERM):
        """The exit code; with SIGTERM the hub delivers first what it holds."""
        self.process.send_signal(how)
        return self.process.wait(timeout=30)

    def log(self):
        return (self.folder / "log").read_text()

    def command(self, *arguments):
        done = subprocess.run([SLUICE, *arguments, "--config", str(self.config)], capture_output=True, text=True,
                              env=self.environment, timeout=30, check=False)
        return done.returncode, done.stdout, done.stderr

    def profile(self, person):
        """None where there is nobody."""
        code, text, _ = self.command("profile", person, "--json")
        return json.loads(text) if code == 0 else None

    def lake(self):
        """The records of the file, as they stand there; a line being written is left out."""
        path = self.folder / "lake.jsonl"
        if not path.exists():
            return []
        lines = path.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

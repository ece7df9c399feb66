"""For tests: one folder with a configuration, the hub run in it, and its admin door."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.parse

SLUICE = os.environ.get("SLUICE", "")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)  # close() finds it here even if nobody listens
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


# How many times as long things may take: a sanitizer makes a hub that much slower (CMakePresets.json).
PATIENCE = float(os.environ.get("SLUICE_PATIENCE", "1"))


def wait_for(what, seconds=20, said=None):
    """The first true answer of `what`, asked again and again; a hub that cannot be reached may start yet. `said`: a
    text, or a function that gives one once it has been in vain."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while True:
        trouble = ""
        try:
            found = what()
            if found:
                return found
        except (OSError, http.client.HTTPException) as error:
            trouble = f" ({error})"
        if time.monotonic() > end:
            said = said() if callable(said) else said
            raise AssertionError(f"not so after {seconds} s: {said or what.__name__}{trouble}")
        time.sleep(0.02)


class Hub:
    """`admin` is the admin door of the configuration, a socket in `folder`."""

    def __init__(self, folder, config, environment=None, admin="admin.sock"):
        self.folder = pathlib.Path(folder)
        self.environment = os.environ | (environment or {})
        self.admin = self.folder / admin
        self.config = self.folder / "connectors.yaml"
        self.config.write_text(config, encoding="utf-8")
        self.process = None

    def command(self, *arguments):
        return self.sluice(*arguments, "--config", str(self.config))

    def sluice(self, *arguments):
        done = subprocess.run([SLUICE, *arguments], capture_output=True, text=True, cwd=self.folder, env=self.environment)
        if done.returncode != 0:
            raise AssertionError(f"sluice {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def run_until_idle(self, *options):
        done = subprocess.run([SLUICE, "run", str(self.config), "--until-idle", *options], capture_output=True, text=True,
                              cwd=self.folder, env=self.environment)
        if done.returncode != 0:
            raise AssertionError(f"sluice run: {done.stderr[-2000:]}")

    def start(self, *options, ready=None):
        """Returns when the hub is ready: by `ready`, or by what its admin.sock says."""
        with open(self.folder / "hub.log", "ab") as log:
            self.log_from = log.tell()
            self.process = subprocess.Popen([SLUICE, "run", str(self.config), *options], stdout=log, stderr=log, cwd=self.folder,
                                            env=self.environment)

        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError("the hub ended: " + (self.folder / "hub.log").read_text()[-2000:])
            return ready() if ready else self.get("/readyz")[0] == 200
        wait_for(is_ready)

    def port(self, door="listening"):
        """Of `listen`, as the newest start says it in the log."""
        said = (self.folder / "hub.log").read_bytes()[self.log_from:].decode()
        found = re.findall(door + r" on [^\s\"]*:(\d+)", said)
        if not found:
            raise OSError(f"the log does not say yet where: {door}")
        return int(found[-1])

    def admin_port(self):
        return self.port("admin")

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        code = self.process.wait(30)
        self.process = None
        if how == signal.SIGTERM and code != 0:
            raise AssertionError(f"the hub ended with {code}: " + (self.folder / "hub.log").read_text()[-2000:])

    def unstepped(self):
        """Inputs that are acknowledged and have not become records yet: a lane may be empty before them."""
        said = dict(line.rsplit(" ", 1) for line in self.get("/metrics")[1].splitlines() if not line.startswith("#"))
        return int(said["sluice_journal_seq"]) - int(said["sluice_step_seq"])

    def connectors(self):
        """The processes in which its connectors run."""
        out = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                name, _, rest = stat.read_text().rpartition(")")
            except OSError:
                continue
            if name.partition("(")[2] == "sluice-connecto" and int(rest.split()[1]) == self.process.pid:
                out.append(int(stat.parent.name))
        return out

    def get(self, path, connection=None):
        own = connection or UnixConnection(self.admin)
        try:
            own.request("GET", path)
            answer = own.getresponse()
            return answer.status, answer.read().decode()
        finally:
            if connection is None:
                own.close()

    def profiles(self, people):
        """-> {person: profile}, from the running hub over one connection. `people` are TYPE:VALUE."""
        connection = UnixConnection(self.admin)
        out = {}
        for person in people:
            status, body = self.get("/v1/profiles/" + urllib.parse.quote(person, safe=""), connection)
            out[person] = json.loads(body) if status == 200 else None
        connection.close()
        return out

    def profile(self, person):
        return self.profiles([person])[person]

    def audience(self, name=""):
        """-> the document of `sluice audience [NAME] --json`, from the running hub if there is one."""
        if self.process is None:
            return json.loads(self.command("audience", *([name] if name else []), "--json"))
        return json.loads(self.get("/v1/audiences" + (name and "/" + name))[1])

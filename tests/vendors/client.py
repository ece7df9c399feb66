"""For tests: starts a stand-in as its own process and talks to it."""

import http.client
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"


class Server:
    """with Server("braze.py", "--api-key", "k") as braze: braze.post("/users/track", {...})"""

    def __init__(self, script, *arguments):
        self.command = [PYTHON, "-B", str(HERE / script), "--print-port", *arguments]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        self.ports = [int(number) for number in self.process.stdout.readline().split()]
        self.port = self.ports[-1]  # of HTTP: mail.py prints the SMTP port first
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def request(self, method, path, body=None, headers=()):
        """-> (status, headers in lower case, body as text)"""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        self.connection.request(method, path, body, dict(headers))
        answer = self.connection.getresponse()
        text = answer.read().decode()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text

    def stats(self):
        return json.loads(self.request("GET", "/_stand-in/stats")[2])

    def records(self):
        return [json.loads(line) for line in self.request("GET", "/_stand-in/records")[2].splitlines()]

    def order(self, **orders):
        status, _, text = self.request("POST", "/_stand-in/fail", orders)
        assert status == 200, text

    def reset(self):
        self.request("POST", "/_stand-in/reset")

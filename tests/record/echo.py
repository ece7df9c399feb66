#!/usr/bin/env python3
"""An API that answers with what it was asked, credentials and all.  echo.py [--port 0 --print-port]"""

import base64
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vendors"))
import standin  # noqa: E402
from standin import Answer  # noqa: E402


class Echo(standin.StandIn):
    def answer(self, request, orders):
        user, _, password = base64.b64decode(request.headers["authorization"].partition(" ")[2]).decode().partition(":")
        return Answer(200, {"method": request.method, "target": request.query_text, "body": request.body.decode(),
                            "user": user, "password": password, "header": request.headers["authorization"]},
                      {"Set-Cookie": "session=" + password, "X-Page": "1"})

    def records(self):
        return []


if __name__ == "__main__":
    standin.run(Echo(), standin.arguments(__doc__.splitlines()[0]).parse_args())

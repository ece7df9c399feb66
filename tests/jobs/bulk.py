#!/usr/bin/env python3
"""An API that takes records as jobs and works at them for a while.

  bulk.py [--port 0 --print-port]

POST /jobs          {"records": [id, ...]}: 202 {"job": ID}; each call makes a job, whatever it holds
GET  /jobs/ID       {"state": "running"}, or "done" at the third time
Control: see standin.py. The order {"running": true}: no job gets done.
Stats: jobs, polls, unpolled (jobs that nobody has asked for yet), records, distinct, repeats (records submitted before).
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vendors"))
import standin  # noqa: E402
from standin import Answer  # noqa: E402


class Bulk(standin.StandIn):
    extra_orders = ("running",)

    def reset(self):
        super().reset()
        self.polls, self.seen, self.unpolled = {}, set(), set()
        self.stats.update({"jobs": 0, "polls": 0, "unpolled": 0, "records": 0, "distinct": 0})

    def answer(self, request, orders):
        if request.path == "/jobs" and request.method == "POST":
            for record in json.loads(request.body)["records"]:
                self.stats["repeats" if record in self.seen else "distinct"] += 1
                self.stats["records"] += 1
                self.seen.add(record)
            job = f"job-{len(self.polls)}"
            self.polls[job] = 0
            self.unpolled.add(job)
            self.stats["jobs"] += 1
            self.stats["unpolled"] = len(self.unpolled)
            return Answer(202, {"job": job})
        job = request.path.removeprefix("/jobs/")
        if request.method != "GET" or job not in self.polls:
            return Answer(404, {"message": "no such job"})
        self.stats["polls"] += 1
        self.unpolled.discard(job)
        self.stats["unpolled"] = len(self.unpolled)
        if not orders.get("running"):
            self.polls[job] += 1
        return Answer(200, {"state": "done" if self.polls[job] >= 3 else "running"})

    def records(self):
        return sorted(self.seen)


if __name__ == "__main__":
    standin.run(Bulk(), standin.arguments(__doc__.splitlines()[0]).parse_args())

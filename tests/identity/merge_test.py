"""People who turn out to be one, in thousands, with events that come late: whatever the order in which a person's devices,
addresses and accounts are joined, totals, windows and audiences are those of all their events."""

import csv
import datetime
import pathlib
import random
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402

CONFIG = """
version: 1
hub: { data: ./data, admin: "unix:./admin.sock" }
sources:
  log:
    plugin: csv
    with: { path: ./log.csv, dates: "yyyy-MM-dd HH:mm:ss" }
    streams:
      rows:
        as: event
        name: Bought
        time: row.time
        ids: { user_id: row.user, email: row.email, anonymous_id: row.device }
        properties: { page: row.page, value: double(row.value) }
identity:
  - { id: user_id, at_most: 1 }
  - { id: email, at_most: 2, normalize: email }
  - { id: anonymous_id, at_most: 4 }
computed:
  all:       events("Bought").count()
  spent:     events("Bought").sum(e, e.properties.value)
  least:     events("Bought").min(e, e.properties.value)
  first:     events("Bought").first().properties.page
  last:      events("Bought").last().properties.page
  pages:     events("Bought").unique(e, e.properties.page)
  count_6h:  events("Bought").within("6h").count()
  spent_1d:  events("Bought").within("1d").sum(e, e.properties.value)
  most_3d:   events("Bought").within("3d").max(e, e.properties.value)
  first_3d:  events("Bought").within("3d").first().properties.page
  last_6h:   events("Bought").within("6h").last().properties.page
  dear_1d:   events("Bought").where(e, e.properties.value > 50.0).within("1d").count()
audiences:
  busy:      events("Bought").within("1d").count() >= 4
  quiet:     "!events('Bought').within('6h').exists()"
  rich:      traits.spent > 900.0
  rich_busy: audiences.rich && audiences.busy
"""
HOUR = 3600
START = int(datetime.datetime(2024, 3, 1, tzinfo=datetime.timezone.utc).timestamp())


def text(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def make(seed, people, rows):
    """Rows (time, user, email, device, page, value), mostly in order of time: some come up to three hours late."""
    draw = random.Random(seed)
    crowd = [([f"u{n}"], [f"a{n}@example.com", f"b{n}@example.com"][:draw.randint(1, 2)],
              [f"d{n}.{i}" for i in range(draw.randint(1, 4))]) for n in range(people)]
    out = []
    for n in range(rows):
        at = START + n * 5 * 24 * HOUR // rows - (draw.randrange(3 * HOUR) if draw.random() < 0.2 else 0)
        kinds = draw.choices((1, 2, 4, 5, 6, 7), (10, 4, 60, 10, 10, 6))[0]
        names = [draw.choice(some) if kinds >> bit & 1 else "" for bit, some in enumerate(draw.choice(crowd))]
        out.append((at, *names, f"p{draw.randrange(12)}", draw.randrange(10_000) / 100))
    return out


def components(rows):
    """-> {identifier: list of its person's rows with their place in the file}"""
    parent = {}

    def root(x):
        parent.setdefault(x, x)
        while parent[x] != x:
            parent[x] = x = parent[parent[x]]
        return x

    for _, user, email, device, *_ in rows:
        names = [f"{t}:{v}" for t, v in (("user_id", user), ("email", email), ("anonymous_id", device)) if v]
        for name in names:
            parent[root(name)] = root(names[0])
    people = {}
    for n, row in enumerate(rows):
        name = next(f"{t}:{v}" for t, v in zip(("user_id", "email", "anonymous_id"), row[1:4]) if v)
        people.setdefault(root(name), []).append((row[0], n, row[4], row[5]))
    return {name: (root(name), sorted(people[root(name)])) for name in list(parent)}


def computed(events, now):
    def within(hours):
        return [e for e in events if now - hours * HOUR < e[0] <= now]

    def money(some):
        return round(sum(round(e[3] * 100) for e in some)) / 100

    def page(some, index):
        return some[index][2] if some else None
    return {"all": len(events), "spent": money(events), "least": min(e[3] for e in events), "first": page(events, 0),
            "last": page(events, -1), "pages": sorted({e[2] for e in events}), "count_6h": len(within(6)),
            "spent_1d": money(within(24)), "most_3d": max((e[3] for e in within(72)), default=None),
            "first_3d": page(within(72), 0), "last_6h": page(within(6), -1), "dear_1d": len([e for e in within(24) if e[3] > 50])}


def audiences(events, now):
    busy = len([e for e in events if now - 24 * HOUR < e[0]]) >= 4
    rich = round(sum(round(e[3] * 100) for e in events)) > 90_000
    quiet = not any(now - 6 * HOUR < e[0] for e in events)
    held = {"busy": busy, "quiet": quiet, "rich": rich, "rich_busy": rich and busy}
    return {name for name, holds in held.items() if holds}


class MergeTest(unittest.TestCase):
    def check(self, running, rows):
        now = max(row[0] for row in rows)
        people = components(rows)
        found = running.profiles(people)
        sizes = dict.fromkeys(("busy", "quiet", "rich", "rich_busy"), 0)
        ids = {}
        for name, (person, events) in people.items():
            profile = found[name]
            self.assertIsNotNone(profile, name)
            if person not in ids:
                ids[person] = profile["id"]
                traits = dict(profile["computed"], pages=sorted(profile["computed"]["pages"]))
                self.assertEqual(traits, computed(events, now), name)
                inside = {a["audience"] for a in profile["audiences"]}
                self.assertEqual(inside, audiences(events, now), name)
                for audience in inside:
                    sizes[audience] += 1
            self.assertEqual(profile["id"], ids[person], name)
        self.assertEqual(len(set(ids.values())), len(ids), "nobody is two people's")
        self.assertEqual({a["audience"]: a["size"] for a in running.audience()["audiences"]}, sizes)

    def test_people_that_become_one_have_what_all_their_events_add_up_to(self):
        rows = make(seed=11, people=400, rows=9_000)
        with tempfile.TemporaryDirectory(prefix="sluice-merge-") as folder:
            running = hub.Hub(folder, CONFIG)
            self.addCleanup(running.stop)
            fed = 0
            for cut in (3_000, 6_000, 9_000):
                with open(running.folder / "log.csv", "a", encoding="utf-8", newline="") as file:
                    out = csv.writer(file)
                    if fed == 0:
                        out.writerow(("time", "user", "email", "device", "page", "value"))
                    out.writerows((text(row[0]), *row[1:]) for row in rows[fed:cut])
                fed = cut
                running.run_until_idle("--clock", "events")
                self.assertIn("the same", running.command("store", "verify"))
                running.start("--clock", "events")
                self.check(running, rows[:cut])
                running.stop()


if __name__ == "__main__":
    unittest.main()

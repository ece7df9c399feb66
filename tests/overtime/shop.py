"""A made log of a shop: events that come late and twice, people who are recognised after the fact, journeys and clock changes;
and its audiences over time in SQL."""

import datetime
import random

import sql

ZONES = ["Europe/Paris", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland", "Australia/Lord_Howe"]
BEGIN = int(datetime.datetime(2026, 10, 1, tzinfo=datetime.timezone.utc).timestamp())
LENGTH = 45 * sql.DAY  # over the clock changes of 25 October (Paris) and 1 November (New York)
LATENESS = 20 * sql.DAY
OCTOBER = [int(datetime.datetime(2026, 10, day, tzinfo=datetime.timezone.utc).timestamp()) for day in (10, 28)]


def make(people, seed):
    """-> events in the order of arrival: dicts for the tracking API, with `at` beside. Seconds differ between all events."""
    dice = random.Random(seed)
    drafts = []
    for person in range(people):
        known_from = BEGIN + dice.randrange(LENGTH)
        joined = dice.random() < 0.7  # browser and account turn out to be one person
        at = BEGIN
        for _ in range(dice.randrange(4, 45)):
            at = at + dice.randrange(4 * 3600) if dice.random() < 0.8 else BEGIN + dice.randrange(LENGTH)  # visits, now and then
            late = dice.choice([0, 0, 0, dice.randrange(3600), dice.randrange(3 * sql.DAY), dice.randrange(30 * sql.DAY)])
            name = dice.choice(["View", "View", "View", "Add", "Order"])
            event = {"type": "track", "event": name, "properties": {"n": dice.randrange(6), "total": dice.randrange(1, 100)}}
            account = dice.random() < 0.5 if at > known_from else dice.random() < 0.2
            event["userId" if account else "anonymousId"] = f"{'u' if account else 'a'}-{person}"
            if dice.random() < 0.15:
                event["context"] = {"timezone": dice.choice(ZONES)}
            drafts.append((at + late, at, event))
        if joined:
            drafts.append((known_from, known_from, {"type": "identify", "userId": f"u-{person}", "anonymousId": f"a-{person}"}))
    # Somebody is always there: without that an event would lie a day ahead of its neighbours.
    drafts += [(at, at, {"type": "track", "event": "Beat", "userId": "beat"}) for at in range(BEGIN, BEGIN + LENGTH, sql.DAY // 8)]
    drafts.sort(key=lambda draft: draft[0])
    events, used = [], set()
    for number, (_, at, event) in enumerate(drafts):
        while at in used:
            at += 1
        used.add(at)
        moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        events.append({**event, "timestamp": moment, "messageId": f"m{number}", "at": at})
        if dice.random() < 0.05:
            events.append(dict(dice.choice(events)))  # a retry of something that had arrived
    return events


class People:
    """Who is who after each event: by the first input of each profile."""

    def __init__(self, events):
        self.of, self.merges = [], []  # profile of each input (None: a duplicate); (position, winner, loser)
        self.stamps, owner, seen, stamp = [], {}, set(), 0
        for n, event in enumerate(events, 1):
            stamp = max(stamp, event["at"])
            self.stamps.append(stamp)
            if event["messageId"] in seen:
                self.of.append(None)
                continue
            seen.add(event["messageId"])
            ids = [event[key] for key in ("userId", "anonymousId") if key in event]
            found = sorted({owner[i] for i in ids if i in owner})
            profile = found[0] if found else n
            if len(found) == 2:
                self.merges.append((stamp * sql.SCALE + n, profile, found[1]))
                owner = {i: profile if p == found[1] else p for i, p in owner.items()}
            owner.update((i, profile) for i in ids)
            self.of.append(profile)

    def survivor(self, profile):
        """Who this one is in the end."""
        for _, winner, loser in self.merges:
            if profile == loser:
                profile = winner
        return profile


def load(events, people):
    """`sees`: which event counts for whom from and to which position. `moments`: where something may change for whom."""
    db = sql.connect()
    db.execute("CREATE TABLE sees(person INTEGER, n INTEGER, event TEXT, at INTEGER, num INTEGER, total INTEGER, zone TEXT,"
               " start INTEGER, finish INTEGER, arrived INTEGER)")
    rows = []
    for n, (event, profile, stamp) in enumerate(zip(events, people.of, people.stamps), 1):
        if profile is None:
            continue
        properties, zone = event.get("properties", {}), event.get("context", {}).get("timezone")
        counts = event["at"] >= stamp - LATENESS
        rows.append([profile, n, event.get("event", "") if counts else "", event["at"], properties.get("n"), properties.get("total"),
                     zone, stamp * sql.SCALE + n, 10**18, stamp * sql.SCALE + n])
    for position, winner, loser in people.merges:
        for row in [r for r in rows if r[0] == loser]:
            rows.append([winner, *row[1:7], position, 10**18, row[9]])
            row[8] = position
    db.executemany("INSERT INTO sees VALUES(?,?,?,?,?,?,?,?,?,?)", rows)
    db.execute("CREATE INDEX by_person ON sees(person, event, at)")
    lengths = [36 * 3600, *(days * sql.DAY for days in (1, 2, 4, 5, 6, 8))]
    closings = " UNION ".join(f"SELECT person, (at + {length}) * {sql.SCALE} AS pos, start, finish FROM sees" for length in lengths)
    zones = " UNION ".join(f"SELECT '{zone}' AS zone" for zone in ZONES)
    days = " UNION ".join(f"SELECT {n} AS days" for n in (1, 3, 5))
    db.execute(f"""
        CREATE TABLE moments AS SELECT DISTINCT person, pos FROM (
          SELECT person, start AS pos, start, finish FROM sees UNION {closings}
          UNION SELECT person, day_start(at, z.zone, d.days) * {sql.SCALE}, start, finish FROM sees, ({zones}) z, ({days}) d)
        WHERE pos >= start AND pos < finish""")
    # Where the person is: by the newest event that has said so and has arrived; then the days of that zone.
    db.execute("""
        CREATE TABLE places AS SELECT person, pos, coalesce((
            SELECT zone FROM sees s WHERE s.person = m.person AND zone IS NOT NULL AND s.start <= m.pos AND m.pos < s.finish
            ORDER BY at DESC LIMIT 1), 'Europe/Paris') AS zone FROM moments m""")
    db.execute(f"""
        CREATE TABLE asked AS SELECT person, pos, pos / {sql.SCALE} AS now, day_start(pos / {sql.SCALE}, zone, 0) AS day1,
               day_start(pos / {sql.SCALE}, zone, -2) AS day3, day_start(pos / {sql.SCALE}, zone, -4) AS day5 FROM places""")
    return db


def of(event, window, table="s"):
    s = table
    return (f"{s}.person = m.person AND {s}.event = '{event}' AND {s}.start <= m.pos AND m.pos < {s}.finish AND {s}.at <= m.now"
            f" AND {s}.at {window}")


def last(seconds_long):
    return f"> m.now - {seconds_long}"


def some(event, window, more="1"):
    return f"EXISTS (SELECT 1 FROM sees s WHERE {of(event, window)} AND {more})"


def value(what, event, window):
    return f"(SELECT {what} FROM sees s WHERE {of(event, window)})"


def pairs(first, then, window, gap):
    return f"""EXISTS (SELECT 1 FROM sees a, sees b WHERE {of(first, window, 'a')} AND {of(then, window, 'b')}
                       AND a.at < b.at AND b.at - a.at <= {gap})"""


TODAY = some("View", ">= m.day1")
CART = f"({some('Add', last(36 * 3600))} AND NOT {some('Order', last(36 * 3600))})"
AUDIENCES = {
    "today": TODAY,
    "week": value("coalesce(sum(total), 0) >= 120", "Order", ">= m.day3"),
    "cart": CART,
    "back": pairs("View", "Order", last(2 * sql.DAY), 10**9),
    "funnel": f"""(SELECT count(DISTINCT c.n) FROM sees a, sees b, sees c WHERE {of('View', '>= m.day5', 'a')} AND a.num >= 3
                   AND {of('Add', '>= m.day5', 'b')} AND {of('Order', '>= m.day5', 'c')}
                   AND a.at < b.at AND b.at < c.at AND b.at - a.at <= {12 * 3600}) >= 2""",
    "twice": pairs("Order", "Order", last(4 * sql.DAY), sql.DAY),
    "busy": value("count(*) >= 4", "View", last(sql.DAY)),
    "october": value("count(*) >= 2", "Order", f">= {OCTOBER[0]} AND s.at < {OCTOBER[1]}"),
    "dear": value("coalesce(max(total) >= 90, 0)", "Order", last(5 * sql.DAY)),
    "mean": value("coalesce(sum(total) > 50 * count(*), 0)", "Order", last(6 * sql.DAY)),
    "variety": value("count(DISTINCT num) >= 3", "View", last(2 * sql.DAY)),
    "latest": f"coalesce((SELECT total < 30 FROM sees s WHERE {of('Order', last(8 * sql.DAY))} ORDER BY at DESC LIMIT 1), 0)",
    "both": f"({TODAY} AND NOT {CART})",
}


def changes(db, people, until):
    """-> [(audience, person, second, inside)]: of two people who become one the rest of the first goes on as both were."""
    out = []
    for name, condition in AUDIENCES.items():
        db.execute("DROP TABLE IF EXISTS found")
        db.execute(f"CREATE TABLE found AS SELECT m.person, m.pos, {condition} AS inside FROM asked m WHERE m.now <= {until}")
        db.execute("CREATE INDEX by_found ON found(person, pos)")
        before = dict()
        for position, winner, loser in people.merges:
            held = [db.execute("SELECT inside FROM found WHERE person = ? AND pos < ? ORDER BY pos DESC LIMIT 1", [p, position]).fetchone()
                    for p in (winner, loser)]
            before[(winner, position)] = any(h and h[0] for h in held)
        rows = db.execute("SELECT person, pos, inside, coalesce(lag(inside) OVER (PARTITION BY person ORDER BY pos), 0) FROM found")
        for person, pos, inside, was in rows.fetchall():
            if bool(inside) != bool(before.get((person, pos), was)):
                out.append((name, person, pos // sql.SCALE, bool(inside)))
    return out

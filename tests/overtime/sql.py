"""Who is in which audience when, by SQL over the events alone.

Positions are whole numbers, seconds * SCALE + number of the input: what only time does at a second stands before the inputs of
that second. An event is visible from its arrival on and in a window from its own time on: [from, to) in positions.
"""

import datetime
import functools
import sqlite3
import zoneinfo

SCALE = 1_000_000
DAY = 86_400


@functools.lru_cache(maxsize=None)
def quarter_day_start(quarter, zone, days):
    at = quarter * 900
    rules = zoneinfo.ZoneInfo(zone)
    day = datetime.datetime.fromtimestamp(at, rules).date() + datetime.timedelta(days)
    return int(datetime.datetime.combine(day, datetime.time(), rules).timestamp())


def day_start(at, zone, days):
    """Midnight of the day so many days after that of `at`. Midnights lie at quarters of an hour in UTC, and none is left out here."""
    return quarter_day_start(at // 900, zone, days)


def connect():
    db = sqlite3.connect(":memory:")
    db.create_function("day_start", 3, day_start, deterministic=True)
    return db


def changes(db, values):
    """-> {(person, second, position, inside)}: where a value of the query (person, pos, inside) differs from the one before."""
    return db.execute(f"""
        WITH found(person, pos, inside) AS ({values}),
             ranked AS (SELECT person, pos, inside, coalesce(lag(inside) OVER (PARTITION BY person ORDER BY pos), 0) AS was FROM found)
        SELECT person, pos / {SCALE}, pos, inside FROM ranked WHERE inside <> was ORDER BY pos, person""").fetchall()


def sweep(intervals, threshold):
    """Inside while the amounts of the intervals (person, start, finish, amount) that cover a position add up to the threshold."""
    return f"""
        WITH spans(person, start, finish, amount) AS ({intervals}),
             steps(person, pos, amount) AS (SELECT person, start, amount FROM spans WHERE finish > start
                                  UNION ALL SELECT person, finish, -amount FROM spans WHERE finish > start),
             sums(person, pos, amount) AS (SELECT person, pos, sum(amount) FROM steps GROUP BY person, pos)
        SELECT person, pos, sum(amount) OVER (PARTITION BY person ORDER BY pos) >= {threshold} FROM sums"""

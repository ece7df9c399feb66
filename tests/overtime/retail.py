"""The purchase log's audiences over time, in SQL: each is a sum over the intervals in which its events count."""

import csv
import datetime
import zoneinfo

import sql

LONDON = zoneinfo.ZoneInfo("Europe/London")
LINE, CANCELLED = "event = 'Order Line'", "event = 'Order Cancelled'"
FOREVER = 10**18


def seconds(text, zone=datetime.timezone.utc):
    return int(datetime.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def load(lines):
    """-> the database and the last position."""
    db = sql.connect()
    db.execute("CREATE TABLE rows(n INTEGER PRIMARY KEY, person TEXT, event TEXT, at INTEGER, stamp INTEGER, quantity INTEGER, amount INTEGER)")
    kept, moments, stamp = [], {}, 0
    for n, row in enumerate(csv.DictReader(lines), 1):
        if row["CustomerID"] == "NA":
            continue
        text = row["InvoiceDate"]
        at = moments.get(text) or moments.setdefault(text, seconds(text))
        stamp = max(stamp, at)
        thousandths, quantity = int(float(row["UnitPrice"]) * 1000.0 + 0.5), int(row["Quantity"])
        event = "Order Cancelled" if row["InvoiceNo"].startswith("C") else "Order Line"
        kept.append((n, row["CustomerID"], event, at, stamp, quantity, quantity * thousandths))
    db.executemany("INSERT INTO rows VALUES(?,?,?,?,?,?,?)", kept)
    return db, stamp


def counted(where, finish, amount="1"):
    return f"SELECT person, stamp * {sql.SCALE} + n, {finish}, {amount} FROM rows WHERE {where}"


def within(seconds_long):
    return f"(at + {seconds_long}) * {sql.SCALE}"


def local_days(days, at="at"):
    return f"day_start({at}, 'Europe/London', {days}) * {sql.SCALE}"


def following(first, then, finish, gap=None):
    """Events that `then` takes with one that `first` takes before them: the log is in order, so the latest before is the best."""
    near = f" AND at - start <= {gap}" if gap else ""
    return f"""
        SELECT person, stamp * {sql.SCALE} + n, {finish}, 1 FROM (
          SELECT *, max(CASE WHEN {first} THEN at END)
                    OVER (PARTITION BY person ORDER BY at, n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS start FROM rows)
        WHERE {then} AND start IS NOT NULL{near}"""


BIG = LINE + " AND quantity >= 100"
AUDIENCES = {
    "today": (counted(LINE, local_days(1)), 1),
    "busy_week": (counted(LINE, local_days(7)), 20),
    "good_month": (counted(LINE, within(30 * sql.DAY), "amount"), 1_000_000),
    "returned": (following(LINE, CANCELLED, f"(start + {30 * sql.DAY}) * {sql.SCALE}"), 1),
    "came_again": (following(CANCELLED, LINE, f"(start + {60 * sql.DAY}) * {sql.SCALE}", 7 * sql.DAY), 10),
    "big_again": (following(BIG, BIG, local_days(45, "start")), 1),
    "spring": (counted(f"{LINE} AND at >= {seconds('2011-03-01')} AND at < {seconds('2011-06-01')}", FOREVER), 25),
    "since_summer": (counted(f"{LINE} AND at >= {seconds('2011-06-01', LONDON)}", FOREVER), 25),
}


def changes(db, until):
    """-> [(audience, person, second, inside)] up to the end of the log."""
    out = []
    for name, (intervals, threshold) in AUDIENCES.items():
        out += [(name, person, at, bool(inside)) for person, at, _, inside in sql.changes(db, sql.sweep(intervals, threshold))
                if at <= until]
    return out

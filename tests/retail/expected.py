"""What the purchase log says, worked out from its rows alone: computed traits and audiences in SQL, and when each person
entered an audience by walking through the person's rows.

Windows are (now - D, now]. Rows are taken one by one in the file's order, which is also the order of time; a window that
closes at the moment of a row closes before it.
"""

import bisect
import csv
import datetime
import heapq
import sqlite3

DAY = 86_400


def seconds(text):
    return int(datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc).timestamp())


def stamp(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


SUMMER = seconds("2011-06-01")
LINE, CANCELLED = "Order Line", "Order Cancelled"


class Log:
    """The rows in SQLite: money as whole thousandths, so that SQL's sums are exact."""

    def __init__(self, lines):
        self.db = sqlite3.connect(":memory:")
        self.db.execute("CREATE TABLE rows(n INTEGER PRIMARY KEY, person TEXT, event TEXT, at INTEGER, invoice TEXT, stock TEXT,"
                        " country TEXT, quantity INTEGER, price INTEGER, amount INTEGER)")
        self.times = []  # after each row: the newest of a row that is mapped; others do not move the hub's time
        moments = {}
        kept = []
        for n, row in enumerate(csv.DictReader(lines), 1):
            text = row["InvoiceDate"]
            if text not in moments:
                moments[text] = seconds(text)
            unknown = row["CustomerID"] == "NA"
            self.times.append(self.times[-1] if unknown and self.times else moments[text])
            if unknown:
                continue
            price, quantity = round(float(row["UnitPrice"]) * 1000), int(row["Quantity"])
            event = CANCELLED if row["InvoiceNo"].startswith("C") else LINE
            kept.append((n, row["CustomerID"], event, moments[text], row["InvoiceNo"], row["StockCode"], row["Country"], quantity,
                         price, quantity * price))
        self.db.executemany("INSERT INTO rows VALUES(?,?,?,?,?,?,?,?,?,?)", kept)
        self.db.execute("CREATE INDEX by_event_at ON rows(event, at)")

    def now(self, rows):
        """The hub's time after so many rows."""
        return self.times[rows - 1]

    def people(self, rows):
        return [person for (person,) in self.db.execute("SELECT DISTINCT person FROM rows WHERE n <= ?", [rows])]

    def traits(self, rows):
        """-> {name: {person: value}}; a person who is not there has the value of nothing at all."""
        return {name: read(self, rows) for name, read in TRAITS.items()}

    def ask(self, select, event, rows, days=None, where="1", tail="GROUP BY person"):
        window = "" if days is None else f" AND at > {self.now(rows) - days * DAY}"
        return self.db.execute(f"SELECT person, {select} FROM rows WHERE event = ? AND n <= ?{window} AND {where} {tail}", [event, rows])


def one(select, event=LINE, days=None, where="1"):
    return lambda log, rows: {row[0]: row[1] for row in log.ask(select, event, rows, days, where)}


def listed(column, days=None):
    """Different values in order of first sight."""
    def read(log, rows):
        out = {}
        for person, value, _ in log.ask(f"{column}, min(n)", LINE, rows, days, tail=f"GROUP BY person, {column} ORDER BY min(n)"):
            out.setdefault(person, []).append(value)
        return out
    return read


def top(column, most, days=None):
    def read(log, rows):
        out = {}
        tail = f"GROUP BY person, {column} ORDER BY count(*) DESC, min(n)"
        for person, value, *_ in log.ask(f"{column}, count(*), min(n)", LINE, rows, days, tail=tail):
            values = out.setdefault(person, [])
            if len(values) < most:
                values.append(value)
        return out
    return read


TRAITS = {  # SQLite gives the other columns of the row that min(n) or max(n) found
    "lines": one("count(*)"),
    "spent": one("sum(amount) / 1000.0"),
    "cheapest": one("min(price) / 1000.0"),
    "dearest": one("max(price) / 1000.0"),
    "mean_price": one("sum(price) / 1000.0 / count(*)"),
    "first_stock": one("stock, min(n)"),
    "last_invoice": one("invoice, max(n)"),
    "last_country": one("country, max(n)"),
    "last_return": one("stock, max(n)", CANCELLED),
    "stocks": listed("stock"),
    "top_stocks": top("stock", 3),
    "bulk": one("count(*)", where="quantity >= 100"),
    "summer_spent": one("sum(amount) / 1000.0", where=f"at >= {SUMMER}"),
    "summer_bulk": one("count(*)", where=f"quantity >= 24 AND at >= {SUMMER}"),
    "lines_1d": one("count(*)", days=1),
    "invoices_7d": listed("invoice", 7),
    "first_7d": one("stock, min(n)", days=7),
    "last_7d": one("stock, max(n)", days=7),
    "mean_price_7d": one("sum(price) / 1000.0 / count(*)", days=7),
    "spent_30d": one("sum(amount) / 1000.0", days=30),
    "least_30d": one("min(quantity)", days=30),
    "most_30d": one("max(quantity)", days=30),
    "bulk_30d": one("count(*)", days=30, where="quantity >= 100"),
    "lines_90d": one("count(*)", days=90),
    "spent_90d": one("sum(amount) / 1000.0", days=90),
    "returned_90d": one("sum(amount) / 1000.0", CANCELLED, 90),
    "top_stocks_90d": top("stock", 2, 90),
}
OF_NOTHING = {name: 0 for name in ("lines", "spent", "bulk", "summer_spent", "summer_bulk", "lines_1d", "spent_30d", "bulk_30d",
                                   "lines_90d", "spent_90d", "returned_90d")}
OF_NOTHING |= {name: [] for name in ("stocks", "top_stocks", "invoices_7d", "top_stocks_90d")}


def audiences(log, rows, traits):
    """-> {audience: people}, from SQL alone."""
    def people(name, holds):
        return {person for person, value in traits[name].items() if holds(value)}

    def both(*names):
        return {person: tuple(traits[n].get(person, OF_NOTHING.get(n)) for n in names) for n in names for person in traits[n]}

    lines_7d = one("count(*)", days=7)(log, rows)
    returns_30d = one("count(*)", CANCELLED, 30)(log, rows)
    out = {
        "today": set(traits["lines_1d"]),
        "busy_week": {p for p, n in lines_7d.items() if n >= 20},
        "good_month": people("spent_30d", lambda v: v > 1000),
        "regular": people("lines_90d", lambda v: v >= 100),
        "vip": people("spent", lambda v: v > 5000),
        "asleep": set(traits["lines"]) - set(traits["lines_90d"]),
        "wholesale": people("bulk_30d", lambda v: v >= 3),
        "returner": {p for p, n in returns_30d.items() if n >= 2},
        "net_quarter": {p for p, (spent, back) in both("spent_90d", "returned_90d").items() if spent + back > 2000},
        "german": people("last_country", lambda v: v == "Germany"),
        "cheap_week": people("mean_price_7d", lambda v: v < 2),
        "never_returns": people("lines", lambda v: v > 50) - set(traits["last_return"]),
        "summer": people("summer_spent", lambda v: v > 500),
        "mixed_week": {p for p, (first, last) in both("first_7d", "last_7d").items() if first != last},
        "hearts": people("top_stocks_90d", lambda v: "85123A" in v),
    }
    out["vip_asleep"] = out["vip"] & out["asleep"]
    out["regular_idle"] = out["regular"] - out["busy_week"]
    return out


class Kind:
    """One person's rows of one kind up to the one at hand, for windows that are asked at rising moments."""

    def __init__(self):
        self.times, self.stocks, self.amounts, self.prices, self.bulks = [], [], [0], [0], [0]
        self.heads = {}

    def add(self, at, stock, amount, price, quantity):
        self.times.append(at)
        self.stocks.append(stock)
        self.amounts.append(self.amounts[-1] + amount)
        self.prices.append(self.prices[-1] + price)
        self.bulks.append(self.bulks[-1] + (quantity >= 100))

    def head(self, now, days):
        """The index of the first row in the window."""
        at = bisect.bisect_right(self.times, now - days * DAY, self.heads.get(days, 0))
        self.heads[days] = at
        return at


class Walk:
    """One person: which audiences hold after each row and each moment at which a window lets a row go."""

    def __init__(self):
        self.lines, self.returns, self.country, self.summer = Kind(), Kind(), None, 0
        self.entered = {}

    def holds(self, now):
        lines, returns = self.lines, self.returns
        n = len(lines.times)
        head = {days: lines.head(now, days) for days in (1, 7, 30, 90)}
        spent = {days: lines.amounts[n] - lines.amounts[head[days]] for days in (30, 90)}
        back = returns.amounts[-1] - returns.amounts[returns.head(now, 90)]
        week = n - head[7]
        yield "today", n > head[1]
        yield "busy_week", week >= 20
        yield "good_month", spent[30] > 1_000_000
        yield "regular", n - head[90] >= 100
        yield "vip", lines.amounts[n] > 5_000_000
        yield "asleep", n > 0 and n == head[90]
        yield "vip_asleep", lines.amounts[n] > 5_000_000 and n > 0 and n == head[90]
        yield "regular_idle", n - head[90] >= 100 and week < 20
        yield "wholesale", lines.bulks[n] - lines.bulks[head[30]] >= 3
        yield "returner", len(returns.times) - returns.head(now, 30) >= 2
        yield "net_quarter", spent[90] + back > 2_000_000
        yield "german", self.country == "Germany"
        yield "cheap_week", week > 0 and (lines.prices[n] - lines.prices[head[7]]) / 1000.0 / week < 2.0
        yield "never_returns", n > 50 and not returns.times
        yield "summer", self.summer > 500_000
        yield "mixed_week", week > 0 and lines.stocks[head[7]] != lines.stocks[-1]

    def look(self, now):
        for name, holds in self.holds(now):
            if not holds:
                self.entered.pop(name, None)
            elif name not in self.entered:
                self.entered[name] = now


def entries(log, row_counts):
    """-> for each count of rows {audience: {person: entered_at}}: all audiences but `hearts`."""
    out = [{} for _ in row_counts]
    by_person = {}
    select = "SELECT n, person, event, at, stock, country, quantity, price, amount FROM rows WHERE n <= ? ORDER BY n"
    for row in log.db.execute(select, [max(row_counts)]):
        by_person.setdefault(row[1], []).append(row)

    for person, rows in by_person.items():
        walk, closing, next_row = Walk(), [], 0
        for count, found in zip(row_counts, out):
            now = log.now(count)
            while True:
                row_at = rows[next_row][3] if next_row < len(rows) and rows[next_row][0] <= count else now + 1
                if closing and closing[0] <= min(row_at, now):
                    moment = heapq.heappop(closing)
                    while closing and closing[0] == moment:
                        heapq.heappop(closing)
                    walk.look(moment)
                    continue
                if row_at > now:
                    break
                _, _, event, at, stock, country, quantity, price, amount = rows[next_row]
                next_row += 1
                (walk.lines if event == LINE else walk.returns).add(at, stock, amount, price, quantity)
                if event == LINE:
                    walk.country = country
                    walk.summer += amount if at >= SUMMER else 0
                if next_row == 1 or rows[next_row - 2][3] != at or rows[next_row - 2][2] != event:
                    for days in (1, 7, 30, 90):
                        heapq.heappush(closing, at + days * DAY)
                walk.look(at)
            for name, at in walk.entered.items():
                found.setdefault(name, {})[person] = at
    return out

#!/usr/bin/env python3
"""A year of a shop that does not exist: who its people are and what they do, the same for the same seed.

  shop.py [--seed 7] [--people 12000] [--events 250000] [--events-to FILE] [--crm-to FILE]

Alone it writes the year to two files: the events as Segment's spec shapes them (JSON lines, in order of time) and the CRM's
export. The demo imports it and plays the year instead.

What is in the year: seasons (sales in January and July, a quiet August, a rush before Christmas), weekdays and hours; people
with one to three devices who come anonymously, sign up, log in elsewhere, fill carts, order, send things back, and let the
newsletter come or not. Names are drawn from lists, e-mails stand under example.com, and phone numbers in the range that is
kept for fiction in France (06 39 98 ...).
"""

import argparse
import csv
import datetime
import json
import math
import random

YEAR = 2025
START = datetime.datetime(YEAR, 1, 1, tzinfo=datetime.timezone.utc).timestamp()
DAYS = 365
DAY = 86400.0
EVENTS_PER_VISIT = 4.3  # measured over seeds; only how many visits are drawn depends on it

FIRST = ("Ada Alba Amir Anna Basile Bruno Camille Chiara Clara Côme Dalia Diane Elena Elif Emil Erik Farah Félix Flora Gaspard "
         "Hana Hugo Ines Iris Ivan Jade Jonas Jules Karim Lena Léon Lina Louise Lucas Maël Malik Marta Maya Milo Mina Nadia Nils "
         "Nina Noé Olga Omar Oscar Paola Rania Rémi Romy Sacha Salma Sami Selma Simon Sofia Théo Vera Yann Yara Zoé").split()
LAST = ("Abadie Andersen Arnaud Aubry Barbier Benali Bernard Besson Blanc Bonnet Carlier Chevalier Colin Costa Da-Silva David "
        "Delmas Diallo Dubois Dumas Durand Fabre Faure Ferrari Fischer Fontaine Garnier Gauthier Girard Haddad Henry Huber "
        "Jacquet Jansen Keller Lambert Laurent Leclerc Lefort Lopez Mansour Marchand Martin Meunier Meyer Moreau Moretti Nguyen "
        "Novak Olivier Perrin Petit Picard Renard Rey Riviere Robin Rossi Roux Schmitt Simon Traore Vidal Weber").split()
CITIES = (("Paris", 22), ("Lyon", 11), ("Marseille", 10), ("Toulouse", 8), ("Nantes", 7), ("Bordeaux", 7), ("Lille", 6),
          ("Strasbourg", 5), ("Rennes", 5), ("Grenoble", 4), ("Dijon", 3), ("Brest", 2))
PLAIN = str.maketrans("éèëôîï", "eeeoii")

GOODS = (  # category, its season's peak (day of the year, or None), names and prices
    ("garden", 130, (("Watering can", 24.9), ("Clay pot", 14.5), ("Seed set", 9.9), ("Pruning shears", 32.0), ("Bench", 189.0))),
    ("kitchen", None, (("Chef's knife", 59.0), ("Cast iron pan", 74.0), ("Tea pot", 29.9), ("Linen towel", 12.5), ("Bread tin", 19.0))),
    ("light", 320, (("Desk lamp", 64.0), ("String lights", 22.5), ("Paper lantern", 17.0), ("Floor lamp", 149.0))),
    ("textile", 345, (("Wool blanket", 89.0), ("Cushion", 27.5), ("Bath towel", 24.0), ("Bed linen", 119.0))),
    ("gifts", 350, (("Candle", 16.0), ("Notebook", 11.5), ("Puzzle", 26.0), ("Tea box", 18.5), ("Music box", 34.0))),
)

AGENTS = {
    "desktop": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "mobile": "Mozilla/5.0 (Linux; Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0",
    "tablet": "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
}

CRM_COLUMNS = ("customer_no", "updated_at", "email", "mobile", "first_name", "last_name", "city", "tier", "newsletter")


def iso(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def bump(day, peak, width):
    """1 at the peak, falling off over `width` days, around the turn of the year too."""
    distance = abs(day - peak)
    distance = min(distance, DAYS - distance)
    return math.exp(-(distance / width) ** 2)


def season(day):
    """How busy the shop is on this day of the year, about 1 on average."""
    weekday = (day + 2) % 7  # 1 January 2025 is a Wednesday
    busy = 0.8 + 0.5 * bump(day, 12, 12) + 0.4 * bump(day, 185, 14) - 0.3 * bump(day, 225, 18)
    busy += 1.6 * bump(day, 344, 16) + 0.9 * (325 <= day <= 334)
    return busy * (1.25 if weekday >= 5 else 0.9)


class Person:
    __slots__ = ("number", "first", "last", "email", "phone", "city", "user_id", "devices", "logged_in", "newsletter",
                 "orders", "spent", "signed_up", "email_devices", "devices_seen", "carts_left", "crm_rows", "returns")

    def __init__(self, number):
        self.number = number
        self.signed_up = False
        self.newsletter = None
        self.orders, self.spent = 0, 0.0
        self.logged_in, self.devices_seen, self.email_devices = set(), set(), set()
        self.carts_left = self.crm_rows = self.returns = 0


class Shop:
    """The year, made at once: `events` is [(time, person, device, make)] in order of time, `crm` is [(time, row)]."""

    def __init__(self, seed=7, people=12000, events=250000):
        self.random = random.Random(seed)
        self.seed = seed
        self.events, self.crm = [], []
        self.people = [self.person(number) for number in range(people)]
        day_weights = [season(day) for day in range(DAYS)]
        self.days = list(range(DAYS))
        self.day_sums = []
        total = 0.0
        for weight in day_weights:
            total += weight
            self.day_sums.append(total)
        visits_each = events / people / EVENTS_PER_VISIT
        for person in self.people:
            self.live(person, visits_each)
        self.events.sort(key=lambda event: event[0])
        self.crm.sort(key=lambda row: row[0])

    # People ---------------------------------------------------------------------------------------------------------

    def person(self, number):
        draw = self.random
        person = Person(number)
        person.first, person.last = draw.choice(FIRST), draw.choice(LAST)
        name = f"{person.first}.{person.last}".lower().translate(PLAIN)
        person.email = f"{name}.{number}@example.com"
        person.phone = f"06 39 98 {number // 100 % 100:02d} {number % 100:02d}" if number < 10000 and draw.random() < 0.6 else ""
        person.city = draw.choices([c for c, _ in CITIES], [w for _, w in CITIES])[0]
        person.user_id = f"C{100000 + number}"
        kinds = draw.choices((("mobile",), ("desktop",), ("mobile", "desktop"), ("mobile", "desktop", "tablet")),
                             (40, 20, 32, 8))[0]
        person.devices = [(f"{self.seed:02x}-{number:05d}-{kind}", kind) for kind in kinds]
        return person

    def live(self, person, visits_each):
        """Draws when this person comes, and lets each visit happen."""
        draw = self.random
        count = max(1, round(visits_each * draw.lognormvariate(-0.32, 0.8)))
        if person.number % 5 == 0:  # a customer from before this year
            person.signed_up = True
            person.newsletter = draw.random() < 0.6
            self.crm_row(person, START + person.number * 0.5)
        days = draw.choices(self.days, cum_weights=self.day_sums, k=count)
        loyalty = draw.betavariate(1.6, 2.2)  # how likely this person is to go all the way
        for time in sorted(START + day * DAY + self.hour() * 3600.0 for day in days):
            self.visit(person, time, loyalty)

    def hour(self):
        """An hour of the day, UTC: most come at midday and in the evening."""
        return min(21.5, max(0.2, self.random.gauss(11.5, 1.8) if self.random.random() < 0.4 else self.random.gauss(18.6, 1.9)))

    # What happens -----------------------------------------------------------------------------------------------------

    def add(self, time, person, device, make):
        self.events.append((time, person, device, make, person.user_id if device[0] in person.logged_in else None))

    def visit(self, person, time, loyalty):
        draw = self.random
        device = draw.choices(person.devices, (5, 3, 2)[:len(person.devices)])[0]
        person.devices_seen.add(device[0])
        self.add(time, person, device, ("page", "Home", "/"))
        for _ in range(draw.choice((0, 0, 1))):
            time += draw.uniform(10, 90)
            self.add(time, person, device, ("page", "Journal", "/journal"))
        if person.signed_up and device[0] not in person.logged_in and draw.random() < 0.5:
            time += draw.uniform(5, 40)
            self.log_in(person, device, time)
        elif not person.signed_up and not person.email_devices and draw.random() < 0.05:
            time += draw.uniform(20, 60)
            self.leave_email(person, device, time)
        basket = []
        for _ in range(draw.choices((0, 1, 2, 3, 4), (18, 30, 28, 16, 8))[0]):
            time += draw.uniform(15, 150)
            good = self.good(time)
            self.add(time, person, device, ("view", good))
            if draw.random() < 0.22 + 0.35 * loyalty:
                time += draw.uniform(5, 60)
                quantity = draw.choices((1, 2, 4), (80, 16, 4))[0]
                basket.append((good, quantity))
                self.add(time, person, device, ("cart", good, quantity))
        if basket:
            self.decide(person, device, time, basket, loyalty)
        if person.newsletter and device[0] in person.logged_in | person.email_devices and draw.random() < 0.03:
            self.withdraw(person, device, time + draw.uniform(200, 400))

    def decide(self, person, device, time, basket, loyalty):
        draw = self.random
        if draw.random() > 0.25 + 0.5 * loyalty:
            person.carts_left += 1
            return
        time += draw.uniform(30, 200)
        if device[0] not in person.logged_in:
            self.log_in(person, device, time) if person.signed_up else self.sign_up(person, device, time)
        time += draw.uniform(30, 200)
        self.add(time, person, device, ("checkout", tuple(basket)))
        time += draw.uniform(40, 300)
        person.orders += 1
        order = f"{person.user_id}-{person.orders:02d}"
        total = round(sum(good[2] * quantity for good, quantity in basket), 2)
        person.spent += total
        self.add(time, person, device, ("order", order, tuple(basket), total))
        if person.orders in (3, 8):
            self.crm_row(person, time)
        back = time + draw.uniform(3, 18) * DAY
        if draw.random() < 0.07 and back < START + DAYS * DAY:
            good, quantity = draw.choice(basket)
            person.returns += 1
            self.add(back, person, device, ("return", order, good, quantity))

    def log_in(self, person, device, time):
        person.logged_in.add(device[0])
        self.add(time, person, device, ("identify",))

    def sign_up(self, person, device, time):
        person.signed_up = True
        wants = self.random.random() < 0.55
        person.newsletter = bool(person.newsletter) or wants
        person.logged_in.add(device[0])
        self.add(time, person, device, ("signup", person.newsletter))
        self.crm_row(person, time)

    def leave_email(self, person, device, time):
        person.email_devices.add(device[0])
        person.newsletter = True
        self.add(time, person, device, ("newsletter", True))

    def withdraw(self, person, device, time):
        person.newsletter = False
        self.add(time, person, device, ("newsletter", False))

    def good(self, time):
        """A thing to look at: what is in season more often."""
        day = (time - START) / DAY
        weights = [1.0 + (1.5 * bump(day, peak, 45) if peak else 0.3) for _, peak, _ in GOODS]
        group = self.random.choices(range(len(GOODS)), weights)[0]
        category, _, goods = GOODS[group]
        index = self.random.randrange(len(goods))
        name, price = goods[index]
        return (f"{category[:2].upper()}{index + 1:02d}", name, price, category)

    def crm_row(self, person, time):
        """The CRM learns of a change, and exports it the night after."""
        night = time if time < START + DAY else START + math.ceil((time - START) / DAY) * DAY
        if night >= START + DAYS * DAY:
            return
        person.crm_rows += 1
        tier = "gold" if person.orders >= 8 else "silver" if person.orders >= 3 else "basic"
        self.crm.append((night, (person.user_id, iso(time), person.email, person.phone, person.first, person.last, person.city,
                                 tier, "yes" if person.newsletter else "no")))

    # What the year should have left behind: the demo checks the hub against it -----------------------------------------

    def distinct_people(self):
        """One for each person who ever told who they are, with all devices that told so; the other devices stay strangers."""
        count = 0
        for person in self.people:
            told = person.logged_in | person.email_devices
            count += bool(told or person.crm_rows) + len(person.devices_seen - told)
        return count


# Segment's shapes -------------------------------------------------------------------------------------------------------

def line(good, quantity):
    return {"product_id": good[0], "name": good[1], "category": good[3], "price": good[2], "quantity": quantity}


def track(name, properties):
    return {"type": "track", "event": name, "properties": properties}


def traits_of(person):
    return {"email": person.email, "first_name": person.first, "last_name": person.last}


def consent(newsletter):
    return {"categoryPreferences": {"Newsletter": newsletter}}


def body(person, make):
    """(the message without what all messages have, what it adds to the context)"""
    kind = make[0]
    if kind == "page":
        return {"type": "page", "name": make[1], "properties": {"path": make[2], "title": make[1]}}, {}
    if kind == "view":
        return track("Product Viewed", line(make[1], 1)), {}
    if kind == "cart":
        return track("Product Added", line(make[1], make[2])), {}
    if kind == "checkout":
        return track("Checkout Started", {"products": [line(*item) for item in make[1]], "currency": "EUR"}), {}
    if kind == "order":
        return track("Order Completed", {"order_id": make[1], "total": make[3], "revenue": make[3], "currency": "EUR",
                                         "products": [line(*item) for item in make[2]]}), {}
    if kind == "return":
        return track("Order Returned", {"order_id": make[1], "total": round(make[2][2] * make[3], 2), "currency": "EUR",
                                        "products": [line(make[2], make[3])]}), {}
    if kind == "identify":
        return {"type": "identify", "traits": traits_of(person)}, {}
    if kind == "signup":
        return {"type": "identify", "traits": traits_of(person) | {"city": person.city}}, {"consent": consent(make[1])}
    if make[1]:
        return {"type": "identify", "traits": {"email": person.email}}, {"consent": consent(True)}
    return track("Segment Consent Preference Updated", {}), {"consent": consent(False)}


def message(seed, number, event):
    """Event `number` of the year as JSON text."""
    time, person, device, make, user_id = event
    shaped, context = body(person, make)
    shaped["messageId"] = f"shop-{seed}-{number:07d}"
    shaped["timestamp"] = iso(time)
    shaped["anonymousId"] = device[0]
    if user_id:
        shaped["userId"] = user_id
    shaped["context"] = {"library": {"name": "analytics.js", "version": "next-1.81.0"}, "locale": "fr-FR",
                         "timezone": "Europe/Paris", "userAgent": AGENTS[device[1]], "device": {"type": device[1]},
                         "page": {"path": "/", "url": "https://shop.example/"}, **context}
    return json.dumps(shaped, ensure_ascii=False, separators=(",", ":"))


def main():
    parser = argparse.ArgumentParser(description="A year of a shop, as files.")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--people", type=int, default=12000)
    parser.add_argument("--events", type=int, default=250000, help="about so many")
    parser.add_argument("--events-to", default="events.jsonl")
    parser.add_argument("--crm-to", default="crm.csv")
    options = parser.parse_args()
    shop = Shop(options.seed, options.people, options.events)
    with open(options.events_to, "w", encoding="utf-8") as out:
        for number, event in enumerate(shop.events):
            out.write(message(options.seed, number, event) + "\n")
    with open(options.crm_to, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, delimiter=";")
        writer.writerow(CRM_COLUMNS)
        writer.writerows(row for _, row in shop.crm)
    print(f"{len(shop.events)} events, {len(shop.crm)} rows of the CRM, {shop.distinct_people()} people and strangers")


if __name__ == "__main__":
    main()

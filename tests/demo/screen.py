"""The demo's picture: a calm page of 80 by 24 that is drawn over itself, or a line now and then where there is no terminal."""

import datetime
import shutil
import sys
import textwrap

WIDTH = 78
BARS = " ▁▂▃▄▅▆▇█"
SPARK = 26

BOLD, DIM, GREEN, YELLOW, RED, BLUE, END = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[36m", "\x1b[0m"
COLOURS = {"in step": GREEN, "catching up": YELLOW, "failing": RED, "waiting to try again": YELLOW, "idle": DIM}


def number(value):
    return "-" if value is None else f"{int(value):,}"


def date(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{moment:%A} {moment.day} {moment:%B %Y}"


def day(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{moment.day} {moment:%B}"


def spark(values, width=SPARK):
    """The last `width` values as little bars, the highest of them full."""
    values = values[-width:]
    top = max(values, default=0)
    if not top:
        return " " * width
    return "".join(BARS[0 if v <= 0 else 1 + min(7, int(v / top * 7.99))] for v in values).rjust(width)


def bar(share, width):
    full = int(share * width)
    return "█" * full + "░" * (width - full)


def mask(address):
    """Enough of an address to see that it is one."""
    name, _, host = address.partition("@")
    return f"{name[:1]}…@{host}"


class View:
    """What is drawn. Filled by the demo, read by the screen."""

    def __init__(self, title):
        self.title = title
        self.elapsed_s = self.share = self.now = 0.0
        self.events = self.events_rate = self.people = self.known = None
        self.audiences = []     # (name, size, history)
        self.destinations = []  # (name, delivered, waiting, rate, state)
        self.mails, self.last_mail = 0, None
        self.note = ""


def page(view):
    """The lines of the page, with colours, at most 23 of them and none wider than WIDTH as it is seen."""
    clock = f"{int(view.elapsed_s) // 60}:{int(view.elapsed_s) % 60:02d}"
    lines = [f"{BOLD}{view.title}{END}{clock:>{WIDTH - len(view.title)}}", DIM + "─" * WIDTH + END]
    day = date(view.now)
    lines.append(f"{BOLD}{day:<28}{END}{BLUE}{bar(view.share, WIDTH - 34)}{END}{view.share * 100:4.0f} %")
    lines.append(f"in       {BOLD}{number(view.events):>10}{END} events {number(view.events_rate):>8} /s"
                 f"     people {BOLD}{number(view.people):>8}{END}")
    lines.append("")
    lines.append(f"{DIM}{'audience':<22}{'people':>8}   {'through the year':<{SPARK}}{END}")
    for name, size, history in view.audiences[:8]:
        lines.append(f"{name:<22}{number(size):>8}   {BLUE}{spark(history)}{END}")
    lines.append("")
    lines.append(f"{DIM}{'destination':<14}{'delivered':>12}{'/s':>9}{'waiting':>11}   state{END}")
    for name, delivered, waiting, rate, state in view.destinations[:5]:
        lines.append(f"{name:<14}{number(delivered):>12}{number(rate):>9}{number(waiting):>11}   "
                     f"{COLOURS.get(state, '')}{state}{END}")
    lines.append("")
    mail = f"last: “{view.last_mail[0]}” to {mask(view.last_mail[1])}" if view.last_mail else "none yet"
    lines.append(f"mails {number(view.mails):>7}  {mail}"[:WIDTH])
    lines.append(f"{YELLOW}{view.note[:WIDTH]}{END}")
    return lines


def plain(view):
    """The same in a few lines."""
    destinations = [f"{name} {number(delivered)}" + (f" ({number(waiting)} waiting)" if waiting else "") +
                    (f" {state}" if state not in ("in step", "idle") else "")
                    for name, delivered, waiting, _rate, state in view.destinations]
    audiences = [f"{name} {number(size)}" for name, size, _history in view.audiences]
    text = f"{date(view.now)}: {number(view.events)} events, {number(view.people)} people, {number(view.mails)} mails\n"
    for title, parts in (("audiences", audiences), ("delivered", destinations)):
        whole = ", ".join(part.replace(" ", "\xa0") for part in parts)  # lines break between parts alone
        for n, line in enumerate(textwrap.wrap(whole, WIDTH - 13, break_on_hyphens=False)):
            text += f"  {title if n == 0 else '':<11}{line}\n".replace("\xa0", " ")
    return text


class Screen:
    """Draws on a terminal that can show it, else prints lines at each tenth of the year and each new note."""

    def __init__(self, out=sys.stdout, force_plain=False):
        size = shutil.get_terminal_size((0, 0))
        self.out = out
        self.live = not force_plain and out.isatty() and size.columns >= 80 and size.lines >= 24
        self.begun = False
        self.tenth, self.note = -1, ""

    def draw(self, view):
        if self.live:
            start = "\x1b[H" if self.begun else "\x1b[?25l\x1b[2J\x1b[H"
            self.out.write(start + "".join(line + "\x1b[K\n" for line in page(view)) + "\x1b[J")
            self.begun = True
        else:
            if view.note != self.note and view.note:
                self.out.write(view.note + "\n")
            if int(view.share * 10) != self.tenth:
                self.out.write(plain(view))
            self.tenth, self.note = int(view.share * 10), view.note
        self.out.flush()

    def end(self):
        """Gives the cursor back, below the page."""
        if self.begun:
            self.out.write("\x1b[?25h\n")
            self.out.flush()

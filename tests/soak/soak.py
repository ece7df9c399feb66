"""Long runs, in parts: each goes on where the last one ended, and prints the totals. State lies in build/soak.

  soak.py seeds [N]      so many more simulation seeds (1000)
  soak.py kills [N]      so many more kill -9 of a real hub under load (50)
  soak.py hour [MINUTES] a real hub under load (60): its memory may differ by 5 % between minute 5 and the end
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build/release"
STATE = ROOT / "build/soak"
SEEDS_PER_PART = 250
KILLS_PER_PART = 25
RSS_GROWTH_MAX = 0.05

sys.path.insert(0, str(HERE.parent / "crash"))


def load(name, fresh):
    file = STATE / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else fresh


def save(name, state):
    STATE.mkdir(parents=True, exist_ok=True)
    part = STATE / f"{name}.json.part"
    part.write_text(json.dumps(state, indent=1) + "\n")
    part.rename(STATE / f"{name}.json")


def soak_seeds(count):
    state = load("seeds", {"next": 1, "clean": 0, "failed": []})
    end = state["next"] + count
    while state["next"] < end:
        part = min(SEEDS_PER_PART, end - state["next"])
        ran = subprocess.run([BUILD / "tests/sim/sluice_sim", "--from", str(state["next"]), "--seeds", str(part)],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        broken = re.search(r"seed (\d+) breaks", ran.stdout)
        if ran.returncode == 0:
            state["clean"] += part
            state["next"] += part
        elif broken:
            state["clean"] += int(broken[1]) - state["next"]
            state["failed"].append(int(broken[1]))
            state["next"] = int(broken[1]) + 1
            print(ran.stdout, flush=True)
        else:
            sys.exit(f"the simulator ended with {ran.returncode} between seeds {state['next']} and {state['next'] + part - 1}")
        save("seeds", state)
    print(f"seeds 1 to {state['next'] - 1}: {state['clean']} without a violation, failed: {state['failed'] or 'none'}")
    return not state["failed"]


def soak_kills(count):
    state = load("kills", {"kills": 0, "runs": 0, "failed": []})
    end = state["kills"] + count
    environment = dict(os.environ, SLUICE=str(BUILD / "sluice"), SLUICE_PLUGINS=str(BUILD / "plugins"))
    while state["kills"] < end:
        part, seed = min(KILLS_PER_PART, end - state["kills"]), state["runs"] + 1
        again = ["kill_test.py", "--kills", str(part), "--seed", str(seed), "--slow"]
        ran = subprocess.run([sys.executable, "-B", *again], cwd=HERE.parent / "crash", env=environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        state["runs"] += 1
        state["kills"] += part
        if ran.returncode != 0:
            state["failed"].append(" ".join(again))
            print(ran.stdout, flush=True)
        save("kills", state)
    print(f"{state['kills']} kills in {state['runs']} runs, failed: {state['failed'] or 'none'}")
    return not state["failed"]


CONFIG = """
version: 1
hub:
  data: ./data
  listen: 127.0.0.1:0
  admin: unix:./data/admin.sock
  dedup: { days: 1, memory: 1MiB }
sources:
  site: { plugin: tracking, trust: server, with: { write_key: "${WRITE_KEY}" } }
computed:
  pings: events("Ping").within("1m").count()
audiences:
  busy: traits.pings >= 10
routes:
  people: { profiles: has(traits.email), to: lake, fields: { pings: traits.pings } }
  pings: { events: [Ping], to: lake }
  busy: { audience: busy, to: lake }
destinations:
  lake: { plugin: file, purpose: internal, with: { path: /dev/null } }
"""


def rss_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def soak_hour(minutes):
    if minutes < 6:
        sys.exit("hour: at least 6 minutes: memory is compared with that of minute 5")
    os.environ.update(SLUICE=str(BUILD / "sluice"), SLUICE_PLUGINS=str(BUILD / "plugins"))
    import rig  # reads what was just set
    hub = rig.Hub(CONFIG)
    samples, clients = [], []
    try:
        hub.start()
        rig.Load.PINGS = sys.maxsize  # the same people all the time
        clients = [rig.Load(hub, i, i, 200, 500) for i in range(2)]
        for client in clients:
            client.start()
        for minute in range(1, minutes + 1):
            time.sleep(60)
            samples.append(rss_kib(hub.process.pid))
            sent = sum(len(client.acknowledged) for client in clients)
            print(f"minute {minute}: {samples[-1]} KiB, {sent} events acknowledged", flush=True)
            save("hour", {"rss_kib": samples, "events": sent})
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(60)
            if client.error:
                raise client.error
        ended = hub.stop()
    finally:
        for client in clients:
            client.stopping.set()
        hub.close()
    settled = samples[4]
    growth = samples[-1] / settled - 1
    print(f"{minutes} minutes: {settled} KiB at minute 5, {samples[-1]} KiB at the end: {growth:+.1%}; "
          f"the hub ended with {ended}")
    return ended == 0 and abs(growth) <= RSS_GROWTH_MAX


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["seeds", "kills", "hour"])
    parser.add_argument("length", type=int, nargs="?")
    options = parser.parse_args()
    soak, length = {"seeds": (soak_seeds, 1000), "kills": (soak_kills, 50), "hour": (soak_hour, 60)}[options.what]
    sys.exit(0 if soak(length if options.length is None else options.length) else 1)


if __name__ == "__main__":
    main()

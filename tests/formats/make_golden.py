"""Makes a golden data folder with the build that $SLUICE and $SLUICE_PLUGINS name, and packs it:

  SLUICE=OLD/sluice SLUICE_PLUGINS=OLD/plugins make_golden.py NAME      -> NAME.tar.xz and NAME.json

One hub runs on it twice: it is stopped (a checkpoint), started again, fed a little and killed (a tail behind the checkpoint).
Then three records wait in lanes' files, some were delivered and one is a dead letter. Add one of each release that changes a
format, and keep the older ones: what a version wrote, every later one reads.
"""

import json
import pathlib
import subprocess
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "crash"))
import rig  # noqa: E402
import scene  # noqa: E402


def main(name):
    with rig.Server("webhook.py", "--secret", rig.HOOK_SECRET) as hook, rig.Server("webhook.py", "--secret", rig.HOOK_SECRET) as letters:
        hub = rig.Hub(scene.CONFIG.format(hook=hook.port, letters=letters.port))
        sender = rig.Sender(hub)
        hub.start()
        letters.order(status=400, count=1)
        sender.send([scene.identify("dan", 9), scene.ping("dan", 1)])
        rig.wait_until(lambda: hub.dead()["letters"], 20, "one is refused")
        letters.order(down=True)
        sender.send(scene.FIRST)
        rig.wait_until(lambda: hook.stats()["distinct"] == 10 and hub.lanes()["letters"]["backlog"] >= 9, 20, "one lane waits")
        hub.stop()
        hub.start()
        hook.order(down=True)
        sender.send(scene.AFTER_CHECKPOINT)
        rig.wait_until(lambda: hub.lanes()["hook"]["backlog"] == 2, 20, "both wait")
        waiting = {lane: state["backlog"] for lane, state in hub.lanes().items()}
        hub.kill()
        verified = json.loads(hub.run("store", "verify", "--json"))
        journal = json.loads(hub.run("journal", "verify", "--json"))
        facts = {"made_by": subprocess.run([rig.SLUICE, "--version"], capture_output=True, text=True).stdout.strip(),
                 "journal": journal["journal"], "generation": journal["generation"], "inputs": journal["inputs"],
                 "checkpoint_seq": verified["checkpoint_seq"], "hash": verified["recorded"], "waiting": waiting,
                 "dead_letters": len(hub.dead()["letters"])}
        (HERE / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        with tarfile.open(HERE / f"{name}.tar.xz", "w:xz") as out:
            for path in sorted((hub.folder / "data").rglob("*")):
                if path.name in ("lock", "admin.sock"):
                    continue
                entry = out.gettarinfo(path, str(path.relative_to(hub.folder)))
                entry.uid = entry.gid = 0
                entry.uname = entry.gname = ""
                with open(path, "rb") if path.is_file() else open("/dev/null", "rb") as content:
                    out.addfile(entry, content if path.is_file() else None)
        hub.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

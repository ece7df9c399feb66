"""100,000 random conditions: our CEL and that of JavaScript (@bufbuild/cel) agree on each. SEED and COUNT choose others."""

import json
import os
import subprocess
import sys
import unittest

import scripts

SEED = os.environ.get("SEED", "20261128")
COUNT = os.environ.get("COUNT", "100000")
SHOWN = 10  # differences


class RandomConditions(unittest.TestCase):
    def test_both_make_the_same_of_each(self):
        ours = subprocess.Popen([os.environ["CEL_CONDITIONS"], SEED, COUNT], stdout=subprocess.PIPE)
        theirs = subprocess.run(
            ["node", str(scripts.HERE / "cel.mjs")], stdin=ours.stdout, capture_output=True, text=True, check=True
        )
        ours.stdout.close()
        self.assertEqual(ours.wait(), 0)
        *differences, last = theirs.stdout.splitlines()
        self.assertEqual(json.loads(last)["read"], int(COUNT))
        self.assertFalse(differences, f"seed {SEED}:\n" + "\n".join(differences[:SHOWN]))


if __name__ == "__main__":
    if why := scripts.missing("@bufbuild/cel"):
        print(f"skipped: {why}")
        sys.exit(0)
    print(f"seed {SEED}")
    unittest.main()

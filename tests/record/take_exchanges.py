#!/usr/bin/env python3
"""Takes plugins/NAME/exchange.json anew: each connector against its vendor's stand-in, by `sluice plugin record`.

    SLUICE=build/release/sluice tests/record/take_exchanges.py [NAME…]

Run it when a connector is meant to ask otherwise than before, and read the difference before it is committed. The test
`exchanges` replays the files."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE.parent / "vendors")]
from client import Server  # noqa: E402

SLUICE = pathlib.Path(os.environ.get("SLUICE", ROOT / "build/release/sluice")).resolve()
PLACE = "127.0.0.1:8080"  # what stands in the files in place of a stand-in's port
NOON = 1772359200000000  # 2026-03-01T10:00:00Z
ADA = {"user_id": ["u1"], "email": ["ada@shop.example"], "phone": ["+33612345678"]}
BOB = {"user_id": ["u2"], "email": ["bob@shop.example"]}
CREDENTIALS = {"API_KEY": "made-up-key", "TOKEN": "made-up-token", "SECRET": "s3cret"}


def record(number, op, identifiers=None, payload=None, **more):
    one = {"op": op, "id": f"j.1.{number}.0", "key": f"p{number}", "time_us": NOON, "payload": payload or {}}
    return one | ({"identifiers": identifiers} if identifiers else {}) | more


def braze(vendor):
    return {"endpoint": f"http://127.0.0.1:{vendor.port}", "api_key": "${API_KEY}", "consent": {"newsletter": "email_subscribe"}}, [
        ("a profile, what a person did, an audience entered and a consent go out in one request",
         {}, [record(1, "upsert", ADA, {"first_name": "Ada", "city": "Lyon"}),
              record(2, "event", BOB, {"total": 12.5, "currency": "EUR"}, name="Order Paid"),
              record(3, "enter", ADA | {"user_id": ["u3"]}, name="vip"),
              record(4, "consent", BOB | {"user_id": ["u4"]}, {"purpose": "newsletter", "granted": False})]),
        ("a server in trouble gets all of them again", {"status": 500}, [record(5, "upsert", ADA, {"city": "Nice"})]),
        ("too fast: the whole lane waits", {"status": 429, "retry_after": 2}, [record(6, "upsert", BOB, {"city": "Metz"})]),
        ("a person is erased", {}, [record(7, "erase", ADA)]),
    ]


def meta_audiences(vendor):
    status, _, text = vendor.request("POST", "/v25.0/act_1/customaudiences",
                                     {"name": "VIP", "subtype": "CUSTOM", "customer_file_source": "USER_PROVIDED_ONLY"},
                                     {"Authorization": f"Bearer {CREDENTIALS['TOKEN']}", "Content-Type": "application/json"})
    assert status == 200, text
    audience = json.loads(text)["id"]
    hashed = {name: [hashlib.sha256(value.encode()).hexdigest() for value in values] for name, values in ADA.items()}
    member = {"name": "VIP", "audience_id": audience}
    return {"ad_account": "1", "token": "${TOKEN}", "endpoint": f"http://127.0.0.1:{vendor.port}"}, [
        ("two people enter an audience in one request", {},
         [record(1, "enter", hashed, {"first_name": "Ada", "country": "FR"}, **member),
          record(2, "enter", {"email": [hashed["email"][0][::-1]]}, **member)]),
        ("a person leaves it", {}, [record(3, "leave", hashed, **member)]),
        ("nobody can be found by an identifier that is not there: it is left out", {}, [record(4, "enter", **member)]),
        ("a server in trouble gets them again", {"status": 500}, [record(5, "enter", hashed, **member)]),
    ]


def twilio(vendor):
    endpoint = f"http://127.0.0.1:{vendor.port}"
    return {"account": "AC" + "0" * 31 + "1", "token": "${TOKEN}", "from": "+33639980001", "endpoint": endpoint,
            "messaging_endpoint": endpoint}, [
        ("a message goes out and is queued", {}, [record(1, "message", None, {"text": "Your parcel is on its way"}, address="+33612345678")]),
        ("a number that is none is refused", {}, [record(2, "message", None, {"text": "Hello"}, address="+331")]),
        ("too fast: the whole lane waits", {"status": 429}, [record(3, "message", None, {"text": "Hello"}, address="+33612345679")]),
    ]


def salesforce(vendor):
    campaign, contacts = "701000000000901AAA", [f"00300000000090{n}AAA" for n in range(4)]
    member = {"name": "VIP", "audience_id": campaign}

    def rows(kind, *given):
        assert vendor.request("POST", "/_stand-in/rows", {"object": kind, "rows": given})[0] == 200

    def joined(since, *numbers):
        rows("CampaignMember", *({"CampaignId": campaign, "ContactId": contacts[n], "Id": f"00v000000000{since + n}AAA"} for n in numbers))

    def a_campaign():
        rows("Campaign", {"Id": campaign, "Name": "VIP"})
        rows("Contact", *({"Id": key, "LastName": "L", "Numero_Client__c": f"n{n}"} for n, key in enumerate(contacts)))
        joined(900, 0, 1)

    def a_lead():
        rows("Lead", {"Id": "00Q000000000909AAA", "LastName": "L", "Company": "C"})
        rows("CampaignMember", {"CampaignId": campaign, "LeadId": "00Q000000000909AAA", "Id": "00v000000000909AAA"})
        joined(920, 1, 3)
    refresh = {"part": 1, "snapshot": "j.1.20.0"}
    return {"url": f"http://127.0.0.1:{vendor.port}", "client_id": "hub", "client_secret": "${SECRET}", "object": "Contact",
            "external_id": "Numero_Client__c", "event_object": "Task", "campaign_marker": "Sluice_Sync__c"}, [
        ("a contact is written by its external id", {}, [record(1, "upsert", BOB, {"LastName": "Byron"})]),
        ("one that lacks what the org asks for is refused, the other is taken", {},
         [record(2, "upsert", ADA, {"LastName": "Lovelace"}), record(3, "upsert", BOB, {"LastName": None})]),
        ("a person without the identifier that the org knows people by is skipped", {},
         [record(4, "upsert", {"email": ["bob@shop.example"]}, {"LastName": "Byron"})]),
        ("who enters by a new number is a member by an old one, and another is made one", a_campaign,
         [record(5, "enter", {"user_id": ["n8", "n0"]}, **member), record(6, "enter", {"user_id": ["n2", "n9"]}, **member)]),
        ("who leaves is taken off by each of their numbers", {}, [record(7, "leave", {"user_id": ["n0", "n7", "n1"]}, **member)]),
        ("a refresh marks who is a member by whichever number, and adds who is none", a_lead,
         [record(20, "snapshot_begin", **member), record(21, "enter", {"user_id": ["n6", "n1"]}, **member),
          record(22, "enter", {"user_id": ["n0"]}, **member)], refresh),
        ("at its end whoever has no mark of it is taken off, and who is of the other object is left alone", {},
         [record(23, "snapshot_end", **member)], refresh | {"part": 2}),
    ]


VENDORS = {
    "braze": (braze, ["braze.py", "--api-key", CREDENTIALS["API_KEY"]]),
    "meta_audiences": (meta_audiences, ["meta.py", "--token", CREDENTIALS["TOKEN"], "--ad-account", "1"]),
    "twilio": (twilio, ["twilio.py", "--token", CREDENTIALS["TOKEN"]]),
    "salesforce": (salesforce, ["salesforce.py", "--client-secret", CREDENTIALS["SECRET"]]),
}


def take(name, folder):
    made, command = VENDORS[name]
    taken = None
    with Server(*command) as vendor:
        settings, cases = made(vendor)
        (folder / "with.json").write_text(json.dumps(settings), encoding="utf-8")
        for number, (about, orders, records, *refresh) in enumerate(cases):
            out = folder / f"{name}-{number}.json"
            (folder / "records.json").write_text(json.dumps(records), encoding="utf-8")
            if callable(orders):
                orders()  # what is there over there
            elif orders:
                vendor.order(**orders)
            part = [f"--{option}={value}" for one in refresh for option, value in one.items()]
            subprocess.run([SLUICE, "plugin", "record", ROOT / f"build/release/plugins/{name}.so", "--with", folder / "with.json", "--record",
                            folder / "records.json", "--out", out, "--about", about, "--yes", *part], env=os.environ | CREDENTIALS, check=True)
            vendor.order(clear=True)
            one = json.loads(out.read_text().replace(f"127.0.0.1:{vendor.port}", PLACE))
            if taken is None:
                taken = one
            else:
                taken["exchanges"] += one["exchanges"]
    (ROOT / f"plugins/{name}/exchange.json").write_text(json.dumps(taken, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    with tempfile.TemporaryDirectory(prefix="sluice-exchanges-") as folder:
        for name in sys.argv[1:] or VENDORS:
            take(name, pathlib.Path(folder))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Salesforce: the token endpoint and the part of the REST API (v61.0) that the connector speaks.

  salesforce.py [--client-id hub --client-secret s3cret] [--port 0 --print-port]

Everything but the token endpoint wants `Authorization: Bearer`, else 401 INVALID_SESSION_ID. Every answer carries
Sforce-Limit-Info. As Salesforce does it refuses: unknown objects and fields, SOQL that it cannot read, dates that are no dates
of SOQL, a nextRecordsUrl that is not its own, more than 200 records in a collection, mixed types, one external id twice in a
batch (DUPLICATE_VALUE), a required field that is missing, read-only fields, wrong e-mail addresses, texts that are too long, pick
values of restricted lists, ids of no record, members that are members already.

Objects: Account, Contact, Lead, Task, Campaign, CampaignMember and Order_Event__c, see OBJECTS.
Control: see standin.py; beside it
  POST /_stand-in/rows    {"object": "Contact", "rows": [{...}]}   made or changed over there, by Id or anew -> their ids
  POST /_stand-in/delete  {"object": "Contact", "ids": [...]}      into the recycle bin
  GET  /_stand-in/rows?object=Contact                              all of them, deleted ones too
  POST /_stand-in/expire  ends all sessions
Orders of its own: {"usage": [used, most]} is what Sforce-Limit-Info says, at most: 403 REQUEST_LIMIT_EXCEEDED; {"timeouts": n}:
the next n queries end in QUERY_TIMEOUT; {"window_s": n}: every query over a longer time than that does; {"locked": n}: the next
n records of a collection end in UNABLE_TO_LOCK_ROW; {"job": "Failed"}: jobs end so; {"forget_locators": true}; {"page": n} rows
a page; {"hang_s": n}.

Stats: requests, records, by_status, repeats, tokens, queries, query_rows, jobs, described, upserts, made, changed, deleted,
refused (records), by_path (calls by what they are).
"""

import csv
import datetime
import io
import json
import re
import secrets
import urllib.parse

import standin
from standin import Answer

BASE = "/services/data/v61.0"
STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")


def field(name, kind="string", required=False, **more):
    return {"name": name, "label": name.removesuffix("__c").replace("_", " "), "type": kind, "required": required, **more}


def common():
    return [field("Id", "id", readonly=True), field("IsDeleted", "boolean", readonly=True),
            *(field(name, "datetime", readonly=True) for name in STAMPS)]


OBJECTS = {
    "Account": [*common(), field("Name", required=True), field("NumberOfEmployees", "int")],
    "Contact": [*common(), field("FirstName", length=40), field("LastName", required=True, length=80), field("Email", "email"),
                field("MobilePhone", "phone"), field("MailingCity", length=40), field("MailingAddress", "address", readonly=True),
                field("AccountId", "reference", relationship="Account"), field("Numero_Client__c", external=True, length=30),
                field("Optin_Email__c", "boolean"), field("Is_VIP__c", "boolean"), field("HasOptedOutOfEmail", "boolean"),
                field("Points__c", "double"), field("Level__c", "picklist", values=["Bronze", "Silver", "Gold"])],
    "Lead": [*common(), field("LastName", required=True, length=80), field("Company", required=True), field("Email", "email"),
             field("Numero_Client__c", external=True)],
    "Task": [*common(), field("Subject", length=255), field("WhoId", "reference", relationship="Who"), field("ActivityDate", "date"),
             field("Status", "picklist", values=["Not Started", "Completed"]), field("Description", "textarea")],
    "Campaign": [*common(), field("Name", required=True, length=80), field("IsActive", "boolean")],
    "CampaignMember": [*common(), field("CampaignId", "reference", required=True, relationship="Campaign"),
                       field("ContactId", "reference", relationship="Contact"), field("LeadId", "reference", relationship="Lead"),
                       field("Status", "picklist", values=["Sent", "Responded"]), field("Sluice_Sync__c", length=80)],
    "Order_Event__c": [*common(), field("Name"), field("Key__c", external=True), field("Total__c", "double"),
                       field("Contact__c", "reference", relationship="Contact__r"), field("At__c", "datetime")],
}
PREFIX = {"Account": "001", "Contact": "003", "Lead": "00Q", "Task": "00T", "Campaign": "701", "CampaignMember": "00v",
          "Order_Event__c": "a00"}
LOOKS_UP = {"Who": "Contact", "Contact__r": "Contact"}
DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)\Z")
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+\Z")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def stamp_text(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def parse_time(text):
    if not DATETIME.match(text):
        raise Refusal(400, "MALFORMED_QUERY", f"\nERROR at Row:1\nvalue of filter criterion must be of type dateTime: {text}")
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00").replace("+0000", "+00:00"))
    return at.astimezone(datetime.timezone.utc)


def same(one, own, value):
    """Of a field: an external id of ours is unique and not case-sensitive, as a box of its definition says."""
    if one.get("external") and isinstance(own, str) and isinstance(value, str):
        return own.lower() == value.lower()
    return own == value


class Refusal(Exception):
    def __init__(self, status, code, message, fields=()):
        super().__init__(message)
        self.status, self.code, self.message, self.fields = status, code, message, list(fields)

    def answer(self):
        return Answer(self.status, json.dumps([{"message": self.message, "errorCode": self.code}]),
                      {"Content-Type": "application/json"})


class Query:
    """SELECT names FROM object [WHERE name op value [AND ...]] [ORDER BY names] [LIMIT n], as SOQL has it; or SELECT COUNT()."""

    TOKEN = re.compile(r"\s*('(?:[^'\\]|\\.)*'|>=|<=|!=|[=<>(),]|[^\s'=<>!(),]+)")

    def __init__(self, text):
        self.tokens, at = [], 0
        while text[at:].strip():
            found = self.TOKEN.match(text, at)
            if not found:
                raise Refusal(400, "MALFORMED_QUERY", f"unexpected token: '{text[at:at + 10]}'")
            self.tokens.append(found.group(1))
            at = found.end()
        self.at = 0
        self.expect("SELECT")
        self.names = self.listed()
        self.counts = [name.upper() for name in self.names] == ["COUNT"] and self.peek() == "("
        if self.counts:
            self.expect("(")
            self.expect(")")
            self.names = []
        self.expect("FROM")
        self.object = self.take()
        self.where, self.order, self.limit = [], [], None
        while self.at < len(self.tokens):
            word = self.take().upper()
            if word == "WHERE" and not self.where:
                self.where.append(self.condition())
                while self.peek().upper() == "AND":
                    self.take()
                    self.where.append(self.condition())
            elif word == "ORDER":
                self.expect("BY")
                self.order = self.listed()
            elif word == "LIMIT":
                self.limit = int(self.take())
            else:
                raise Refusal(400, "MALFORMED_QUERY", f"unexpected token: '{word}'")

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self):
        if self.at == len(self.tokens):
            raise Refusal(400, "MALFORMED_QUERY", "unexpected token: '<EOF>'")
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, word):
        if self.take().upper() != word:
            raise Refusal(400, "MALFORMED_QUERY", f"unexpected token: '{self.tokens[self.at - 1]}'")

    def listed(self):
        names = [self.take()]
        while self.peek() == ",":
            self.take()
            names.append(self.take())
        return names

    def value(self):
        text = self.take()
        return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith("'") else {"true": True, "false": False}.get(text, text)

    def condition(self):
        name, op = self.take(), self.take().upper()
        if op != "IN":
            return name, op, self.value()
        self.expect("(")
        values = [self.value()]
        while self.take() == ",":
            values.append(self.value())
        return name, op, values


class Salesforce(standin.StandIn):
    extra_orders = ("usage", "timeouts", "window_s", "locked", "job", "forget_locators", "page")

    def __init__(self, client_id="hub", client_secret="s3cret"):
        self.client = (client_id, client_secret)
        super().__init__()

    def reset(self):
        super().reset()
        self.rows = {name: {} for name in OBJECTS}
        self.tokens, self.locators, self.jobs, self.number, self.kept = set(), {}, {}, 0, []
        self.stats.update(dict.fromkeys(("records", "tokens", "queries", "query_rows", "jobs", "described", "upserts", "made",
                                         "changed", "deleted", "refused"), 0))
        self.stats["by_path"] = {}

    def records(self):
        return self.kept

    def new_id(self, prefix):
        self.number += 1
        return f"{prefix}{self.number:012d}AAA"

    # ---- records

    def fields(self, name, status=400):
        if name not in OBJECTS:
            raise Refusal(status, "INVALID_TYPE" if status == 400 else "NOT_FOUND",
                          f"sObject type '{name}' is not supported." if status == 400 else "The requested resource does not exist")
        return {one["name"]: one for one in OBJECTS[name]}

    def store(self, name, row, at=None):
        known = self.fields(name)
        at = stamp_text(at or now())
        row = {key: value for key, value in row.items() if key in known}
        if "Id" in row and row["Id"] in self.rows[name]:
            self.rows[name][row["Id"]].update(row, SystemModstamp=row.get("SystemModstamp", at), LastModifiedDate=at)
            return row["Id"]
        row.setdefault("Id", self.new_id(PREFIX[name]))
        made = {key: None for key in known} | {"IsDeleted": False, "CreatedDate": at, "LastModifiedDate": at, "SystemModstamp": at}
        made |= {key: False for key, one in known.items() if one["type"] == "boolean"}
        self.rows[name][row["Id"]] = made | row
        return row["Id"]

    def remove(self, name, key):
        row = self.rows[name].get(key)
        if row is None or row["IsDeleted"]:
            raise Refusal(404, "ENTITY_IS_DELETED" if row else "INVALID_CROSS_REFERENCE_KEY",
                          "entity is deleted" if row else "invalid cross reference id")
        row["IsDeleted"], row["SystemModstamp"] = True, stamp_text(now())
        self.stats["deleted"] += 1

    def living(self, name):
        return [row for row in self.rows[name].values() if not row["IsDeleted"]]

    def check_value(self, one, value):
        if value is None or one["type"] in ("reference", "address"):
            return
        kind, name = one["type"], one["name"]
        if kind == "boolean" and not isinstance(value, bool):
            raise Refusal(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of boolean from {json.dumps(value)}", [name])
        if kind in ("double", "int") and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise Refusal(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of {kind} from {json.dumps(value)}", [name])
        if kind == "datetime" and not (isinstance(value, str) and DATETIME.match(value)):
            raise Refusal(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of datetime from {json.dumps(value)}", [name])
        if kind == "date" and not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)):
            raise Refusal(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of date from {json.dumps(value)}", [name])
        if kind in ("string", "email", "phone", "textarea", "picklist") and not isinstance(value, str):
            raise Refusal(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of string from {json.dumps(value)}", [name])
        if kind == "email" and value and not EMAIL.match(value):
            raise Refusal(400, "INVALID_EMAIL_ADDRESS", f"{name}: invalid email address: {value}", [name])
        if kind == "picklist" and value not in one["values"]:
            raise Refusal(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f"{name}: bad value for restricted picklist field: {value}", [name])
        if len(str(value)) > one.get("length", 32_000):
            raise Refusal(400, "STRING_TOO_LONG", f"{name}: data value too large: {value} (max length={one['length']})", [name])

    def looked_up(self, known, name, value):
        """A relationship by external id: "Who": {"attributes": {"type": "Contact"}, "Numero_Client__c": "u-1"}."""
        one = next((one for one in known.values() if one.get("relationship") == name), None)
        if one is None or not isinstance(value, dict):
            raise Refusal(400, "INVALID_FIELD", f"No such column '{name}' on sobject", [name])
        if name == "Who" and "type" not in value.get("attributes", {}):
            raise Refusal(400, "INVALID_FIELD", "a polymorphic relationship needs attributes.type", [name])
        target = value.get("attributes", {}).get("type", LOOKS_UP.get(name, name))
        keys = [key for key in value if key != "attributes"]
        if len(keys) != 1 or not self.fields(target).get(keys[0], {}).get("external"):
            raise Refusal(400, "INVALID_FIELD", f"{name}: an external id field is needed", [name])
        external = self.fields(target)[keys[0]]
        found = [row["Id"] for row in self.living(target) if same(external, row[keys[0]], value[keys[0]])]
        if not found:
            raise Refusal(400, "INVALID_FIELD", f"Foreign key external ID: {value[keys[0]]} not found for field {keys[0]} in entity {target}")
        return one["name"], found[0]

    def checked(self, name, record, new):
        known, row = self.fields(name), {}
        for key, value in record.items():
            if key == "attributes":
                continue
            if key not in known:
                key, value = self.looked_up(known, key, value)
            elif known[key].get("readonly") and key != "Id":
                raise Refusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", f"Unable to create/update fields: {key}", [key])
            self.check_value(known[key], value)
            row[key] = value
        missing = [key for key, one in known.items() if one["required"] and (row.get(key) in (None, "") if new or key in row else False)]
        if missing:
            raise Refusal(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
        if name == "CampaignMember" and new:
            if not row.get("ContactId") and not row.get("LeadId"):
                raise Refusal(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [ContactId, LeadId]")
            if row["CampaignId"] not in self.rows["Campaign"]:
                raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ["CampaignId"])
            if any(one["CampaignId"] == row["CampaignId"] and row.get(who) and one[who] == row[who]
                   for one in self.living("CampaignMember") for who in ("ContactId", "LeadId")):
                raise Refusal(400, "DUPLICATE_VALUE", "Already a campaign member.")
        return row

    def result(self, orders, work):
        """One record of a collection."""
        try:
            if orders.get("locked", 0) > 0:
                self.orders.active["locked"] -= 1
                raise Refusal(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records")
            return work()
        except Refusal as refusal:
            self.stats["refused"] += 1
            return {"success": False, "errors": [{"statusCode": refusal.code, "message": refusal.message, "fields": refusal.fields}]}

    def write(self, name, record, key=None):
        if record.get("attributes", {}).get("type") != name:
            raise Refusal(400, "INVALID_TYPE", f"the record is no {name}")
        self.stats["records"] += 1
        self.kept.append(record)
        found = []
        if key:
            if record.get(key) in (None, ""):
                raise Refusal(400, "MISSING_ARGUMENT", f"{key} not specified")
            found = [row for row in self.living(name) if same(self.fields(name)[key], row[key], record[key])]
            if len(found) > 1:
                raise Refusal(300, "DUPLICATE_EXTERNAL_ID", "more than one record found for external id field")
        row = self.checked(name, record, not found)
        self.stats["changed" if found else "made"] += 1
        if found:
            row["Id"] = found[0]["Id"]
        return {"id": self.store(name, row), "success": True, "created": not found, "errors": []}

    def update(self, record):
        """By its Id, which stands among the fields."""
        name, key = record.get("attributes", {}).get("type", ""), record.get("Id", record.get("id", ""))
        self.fields(name)
        self.stats["records"] += 1
        self.kept.append(record)
        row = self.rows[name].get(key)
        if row is None or row["IsDeleted"]:
            raise Refusal(404, "ENTITY_IS_DELETED" if row else "INVALID_CROSS_REFERENCE_KEY",
                          "entity is deleted" if row else "invalid cross reference id")
        checked = self.checked(name, {field: value for field, value in record.items() if field not in ("Id", "id")}, False)
        if name == "CampaignMember" and {"CampaignId", "ContactId", "LeadId"} & set(checked):
            raise Refusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: CampaignId", ["CampaignId"])
        self.stats["changed"] += 1
        self.store(name, checked | {"Id": key})
        return {"id": key, "success": True, "errors": []}

    def collection(self, request, orders, parts):
        if request.method == "DELETE":
            ids = [one for one in request.query.get("ids", "").split(",") if one]
            if not ids or len(ids) > 200:
                raise Refusal(400, "INVALID_INPUT", f"{len(ids)} ids: from 1 to 200")

            def delete(key):
                self.remove(next((name for name, prefix in PREFIX.items() if key.startswith(prefix)), "Account"), key)
                return {"id": key, "success": True, "errors": []}
            return Answer(200, [self.result(orders, lambda key=key: delete(key)) for key in ids])
        body = json.loads(request.body)
        records = body.get("records")
        if not isinstance(records, list) or not records or len(records) > 200:
            raise Refusal(400, "INVALID_INPUT", "records: from 1 to 200")
        if body.get("allOrNone", False):
            raise Refusal(400, "INVALID_INPUT", "the stand-in takes allOrNone false alone")
        if not parts and request.method == "PATCH":
            return Answer(200, [self.result(orders, lambda one=one: self.update(one)) for one in records])
        if not parts:
            if request.method != "POST":
                raise Refusal(405, "METHOD_NOT_ALLOWED", "HTTP Method not allowed")
            name = records[0].get("attributes", {}).get("type", "")
            self.fields(name)
            return Answer(200, [self.result(orders, lambda one=one: self.write(name, one)) for one in records])
        name, key = parts
        if request.method != "PATCH" or not self.fields(name, 404).get(key, {}).get("external"):
            raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
        self.stats["upserts"] += 1
        given = [one.get(key) for one in records]

        def upsert(one):
            if given.count(one.get(key)) > 1:
                raise Refusal(400, "DUPLICATE_VALUE", f"Duplicate external id specified: {one.get(key)}", [key])
            return self.write(name, one, key)
        return Answer(200, [self.result(orders, lambda one=one: upsert(one)) for one in records])

    def single(self, request, orders, parts):
        if len(parts) == 1 and request.method == "POST":
            made = self.write(parts[0], json.loads(request.body) | {"attributes": {"type": parts[0]}})
            return Answer(201, made)
        if len(parts) == 3 and request.method == "DELETE":
            name, key, value = parts
            if not self.fields(name, 404).get(key, {}).get("external"):
                raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
            found = [row for row in self.living(name) if row[key] == urllib.parse.unquote(value)]
            if not found:
                raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
            self.remove(name, found[0]["Id"])
            return Answer(204)
        raise Refusal(405, "METHOD_NOT_ALLOWED", "HTTP Method not allowed")

    # ---- reading

    def value_of(self, name, row, path):
        known = self.fields(name)
        first, _, rest = path.partition(".")
        if not rest:
            if first not in known:
                raise Refusal(400, "INVALID_FIELD", f"\nSELECT {path}\n       ^\nERROR at Row:1:Column:8\nNo such column '{path}' on entity '{name}'.")
            return row[first] if row else None
        one = next((one for one in known.values() if one.get("relationship") == first), None)
        if one is None:
            raise Refusal(400, "INVALID_FIELD", f"Didn't understand relationship '{first}' in field path.")
        target = LOOKS_UP.get(first, first)
        other = self.rows[target].get(row[one["name"]]) if row else None
        value = self.value_of(target, other, rest)
        return {"attributes": {"type": target}, rest: value} if other else None

    def found(self, query, deleted):
        known = self.fields(query.object)
        for path in (*query.names, *query.order, *(name for name, _, _ in query.where)):
            self.value_of(query.object, None, path)

        def holds(row, name, op, value):
            own = self.value_of(query.object, row, name)
            if isinstance(own, dict):
                own = own[name.partition(".")[2]]
            if known.get(name, {}).get("type") == "datetime":
                own, value = parse_time(own), parse_time(value)
            if op == "IN":
                first, _, rest = name.rpartition(".")
                one = self.fields(LOOKS_UP.get(first, first) if first else query.object)[rest]
                return any(same(one, own, each) for each in value)
            if own is None:
                return op == "=" and value == "null"
            return {"=": own == value, "!=": own != value, ">=": own >= value, "<=": own <= value, ">": own > value,
                    "<": own < value}[op]

        for name, op, value in query.where:
            if known.get(name, {}).get("type") == "datetime":
                parse_time(value)
        rows = [row for row in self.rows[query.object].values() if (deleted or not row["IsDeleted"]) and
                all(holds(row, *condition) for condition in query.where)]
        rows.sort(key=lambda row: [row[name] for name in query.order])
        return rows[:query.limit] if query.limit else rows

    def record(self, query, row):
        out = {"attributes": {"type": query.object, "url": f"{BASE}/sobjects/{query.object}/{row['Id']}"}}
        for path in query.names:
            value = self.value_of(query.object, row, path)
            first = path.partition(".")[0]
            if isinstance(value, dict) and isinstance(out.get(first), dict):
                out[first].update(value)
            else:
                out[first] = value
        return out

    def window_of(self, query):
        bounds = {op: parse_time(value) for _, op, value in query.where if op in (">=", "<")}
        least = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
        return (bounds.get("<", now()) - max(least, bounds.get(">=", least))).total_seconds()

    def query(self, request, orders, deleted):
        self.stats["queries"] += 1
        head = len(request.path) + len(request.query_text) + sum(len(name) + len(value) + 4 for name, value in request.headers.items())
        if head > 16 * 1024:
            return Answer(414, b"")
        query = Query(request.query.get("q", ""))
        rows = self.found(query, deleted)
        if orders.get("timeouts", 0) > 0 or self.window_of(query) > orders.get("window_s", float("inf")):
            self.orders.active["timeouts"] = orders.get("timeouts", 1) - 1
            raise Refusal(400, "QUERY_TIMEOUT", "Your query request was running for too long.")
        size = min(2_000, max(200, int(re.sub(r".*batchSize=(\d+).*", r"\1", request.headers.get("sforce-query-options", "batchSize=2000")))))
        size = orders.get("page", size)
        if query.counts:
            return Answer(200, {"totalSize": len(rows), "done": True, "records": []})
        return self.page([self.record(query, row) for row in rows], 0, size)

    def page(self, records, at, size):
        out = {"totalSize": len(records), "done": at + size >= len(records)}
        if not out["done"]:
            locator = f"01g{secrets.token_hex(6)}-{at + size}"
            self.locators[locator] = (records, at + size, size)
            out["nextRecordsUrl"] = f"{BASE}/query/{locator}"
        out["records"] = records[at:at + size]
        self.stats["query_rows"] += len(out["records"])
        return Answer(200, out)

    def more(self, orders, locator):
        if orders.get("forget_locators") or locator not in self.locators:
            raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self.page(*self.locators[locator])

    def describe(self, name):
        self.stats["described"] += 1
        self.fields(name, 404)
        fields = []
        for one in OBJECTS[name]:
            fields.append({"name": one["name"], "label": one["label"], "type": one["type"], "externalId": one.get("external", False),
                           "relationshipName": one.get("relationship"), "nillable": not one["required"],
                           "picklistValues": [{"active": True, "value": value, "label": value} for value in one.get("values", [])]})
        return Answer(200, {"name": name, "label": name.removesuffix("__c"), "queryable": True, "updateable": True, "fields": fields})

    def job(self, request, orders, parts):
        if not parts and request.method == "POST":
            body = json.loads(request.body)
            if body.get("operation") not in ("query", "queryAll") or "query" not in body:
                raise Refusal(400, "INVALIDJOB", "operation or query is missing")
            query = Query(body["query"])
            if any(OBJECTS[query.object][i]["type"] == "address" and one["name"] in query.names
                   for i, one in enumerate(OBJECTS[query.object])):
                raise Refusal(400, "FEATURENOTENABLED", "compound fields are not supported")
            rows = self.found(query, body["operation"] == "queryAll")
            self.stats["jobs"] += 1
            key = self.new_id("750")
            self.jobs[key] = {"query": query, "rows": [self.record(query, row) for row in rows], "looks": 0}
            return Answer(200, {"id": key, "operation": body["operation"], "object": query.object, "state": "UploadComplete"})
        job = self.jobs.get(parts[0])
        if job is None:
            raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
        job["looks"] += 1
        if len(parts) == 1:
            state = orders.get("job", "JobComplete") if job["looks"] > 1 else "InProgress"
            return Answer(200, {"id": parts[0], "state": state, "errorMessage": "as ordered" if state == "Failed" else None,
                                "numberRecordsProcessed": len(job["rows"])})
        at, size = int(request.query.get("locator", 0) or 0), orders.get("page", int(request.query.get("maxRecords", 10_000)))
        rows = job["rows"][at:at + size]
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(job["query"].names)
        for row in rows:
            cells = []
            for path in job["query"].names:
                value = row
                for name in path.split("."):
                    value = value.get(name) if value else None
                if isinstance(value, str) and value.endswith("+0000"):
                    value = value.replace("+0000", "Z")
                cells.append("" if value is None else str(value).lower() if isinstance(value, bool) else str(value))
            writer.writerow(cells)
        self.stats["query_rows"] += len(rows)
        locator = str(at + size) if at + size < len(job["rows"]) else "null"
        return Answer(200, text.getvalue(), {"Content-Type": "text/csv", "Sforce-Locator": locator,
                                             "Sforce-NumberOfRecords": str(len(rows))})

    # ---- the doors

    def token(self, request):
        form = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True))
        if form.get("grant_type") != "client_credentials":
            return Answer(400, {"error": "unsupported_grant_type", "error_description": "grant type not supported"})
        if (form.get("client_id"), form.get("client_secret")) != self.client:
            return Answer(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
        token = "00D" + secrets.token_urlsafe(24)
        self.tokens.add(token)
        self.stats["tokens"] += 1
        return Answer(200, {"access_token": token, "instance_url": "https://stand-in.my.salesforce.com", "token_type": "Bearer",
                            "id": "https://login.salesforce.com/id/00D/005", "issued_at": "0"})

    def route(self, request, orders):
        parts = request.path.removeprefix(BASE).strip("/").split("/")
        if not request.path.startswith(BASE + "/"):
            raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
        what = parts[0]
        counted = "/".join(parts[:2]) if what in ("jobs", "composite") else what
        self.stats["by_path"][counted] = self.stats["by_path"].get(counted, 0) + 1
        if what == "limits" and request.method == "GET":
            return Answer(200, {"DailyApiRequests": {"Max": 100_000, "Remaining": 99_000}})
        if what in ("query", "queryAll") and request.method == "GET":
            return self.more(orders, parts[1]) if len(parts) == 2 else self.query(request, orders, what == "queryAll")
        if what == "jobs" and parts[1:2] == ["query"]:
            return self.job(request, orders, parts[2:])
        if what == "composite" and parts[1:2] == ["sobjects"]:
            return self.collection(request, orders, parts[2:])
        if what == "sobjects" and len(parts) == 1:
            return Answer(200, {"sobjects": [{"name": name, "label": name, "queryable": True, "updateable": True} for name in OBJECTS]})
        if what == "sobjects" and parts[2:] == ["describe"]:
            return self.describe(parts[1])
        if what == "sobjects":
            return self.single(request, orders, parts[1:])
        raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")

    def answer(self, request, orders):
        if request.path == "/services/oauth2/token":
            return self.token(request)
        used, most = orders.get("usage", (self.stats["requests"], 100_000))
        try:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme != "Bearer" or token not in self.tokens:
                raise Refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
            if used >= most:
                raise Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            answer = self.route(request, orders)
        except Refusal as refusal:
            answer = refusal.answer()
        except (ValueError, TypeError, AttributeError) as error:
            answer = Refusal(400, "JSON_PARSER_ERROR", f"The HTTP entity body cannot be read: {type(error).__name__}").answer()
        answer.headers |= {"Sforce-Limit-Info": f"api-usage={used}/{most}", "Date": now().strftime("%a, %d %b %Y %H:%M:%S GMT")}
        return answer

    def control(self, request):
        what = request.path.removeprefix("/_stand-in/")
        if what == "expire":
            self.tokens.clear()
            return Answer(200, {})
        if what == "rows" and request.method == "POST":
            body = json.loads(request.body)
            return Answer(200, [self.store(body["object"], row) for row in body["rows"]])
        if what == "rows":
            return Answer(200, list(self.rows[request.query["object"]].values()))
        if what == "delete":
            body = json.loads(request.body)
            for key in body["ids"]:
                self.remove(body["object"], key)
            return Answer(200, {})
        return super().control(request)


def main():
    parser = standin.arguments(__doc__.splitlines()[0])
    parser.add_argument("--client-id", default="hub")
    parser.add_argument("--client-secret", default="s3cret")
    options = parser.parse_args()
    standin.run(Salesforce(options.client_id, options.client_secret), options)


if __name__ == "__main__":
    main()

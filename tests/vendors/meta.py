"""A stand-in for Meta's custom audiences (Graph API), with the rules that Meta documents.

  python3 meta.py --token TOKEN --ad-account 123 [--app-secret SECRET] [--port N] [--minute 60] [--session-s 5400]

It keeps who is in which audience, and refuses what Meta refuses: a wrong token or proof, an audience that is gone, rows that
do not follow the schema, more than 10,000 of them, writes during a replace session, a second session, a session without its
first batch, one that is older than --session-s. Orders of its own: {"code": 190, "subcode": 463} answers with that error,
with {"in_200": true} in an answer of status 200; {"usage": 80, "regain": 5} announces that much of the budget as used, and
the minutes until it is there again; with "usage" 100 everything is refused with code 80003.

  GET  /_stand-in/audiences  one JSON object a line: {"id", "name", "members": [{column: cell}], "session": open session or null}
  POST /_stand-in/drop       {"id": ...}: somebody deletes the audience over there

A record is {"n", "at", "method", "path", "audience", "schema", "data", "session"}. Counters of its own: `invalid` (entries that are no
hash, or name nobody), `races` (a person added and removed, or the other way round, within --minute seconds: Meta works them off in any
order), `created` (audiences).
"""

import hashlib
import hmac
import json
import re
import time

import standin
from standin import Answer

ROWS_MAX = 10_000
HASHED = {"EMAIL", "PHONE", "LN", "FN", "FI", "GEN", "DOBY", "DOBM", "DOBD", "CT", "ST", "ZIP", "COUNTRY"}
IDENTITY = ("EXTERN_ID", "EMAIL", "PHONE", "MADID")
COLUMNS = HASHED | {"EXTERN_ID", "MADID"}
SOURCES = {"USER_PROVIDED_ONLY", "PARTNER_PROVIDED_ONLY", "BOTH_USER_AND_PARTNER_PROVIDED"}
HASH = re.compile(r"[0-9a-f]{64}")
VERSION = re.compile(r"/v\d+\.\d+(/.*)")
SESSION_ID_MAX = 2**64 - 1


class Refused(Exception):
    def __init__(self, code, message, subcode=None, status=400):
        super().__init__(message)
        self.code, self.subcode, self.status = code, subcode, status

    def answer(self):
        error = {"message": str(self), "type": "OAuthException", "code": self.code, "fbtrace_id": "AbCdEf"}
        if self.subcode:
            error["error_subcode"] = self.subcode
        return Answer(self.status, {"error": error})


def no_object(identity):
    return Refused(100, f"Unsupported request. Object with ID '{identity}' does not exist, cannot be loaded due to missing "
                   "permissions, or does not support this operation", 33)


class Audience:
    def __init__(self, identity, name):
        self.id, self.name = identity, name
        self.index = {}        # (column, cell) of what identifies: the member, {column: cell} of cells that are not empty
        self.known_by = {}     # id(member): all of its keys, also those that a later row has put others in the place of
        self.session = None    # the open one
        self.touched = {}      # (column, cell): (time, "POST" or "DELETE")

    @property
    def members(self):
        return list({id(member): member for member in self.index.values()}.values())

    def keys(self, row):
        return [(column, row[column]) for column in (*IDENTITY, "LN") if column in row]

    def add(self, row):
        member = next((self.index[key] for key in self.keys(row) if key in self.index), {})
        member.update(row)
        for key in self.keys(member):
            if self.index.get(key, member) is not member:
                self.known_by[id(self.index[key])].discard(key)
            self.index[key] = member
            self.known_by.setdefault(id(member), set()).add(key)

    def remove(self, row):
        for member in [self.index[key] for key in self.keys(row) if key in self.index and key[0] != "LN"]:
            for key in self.known_by.pop(id(member), ()):
                self.index.pop(key, None)


class Meta(standin.StandIn):
    extra_orders = ("code", "subcode", "in_200", "usage", "regain")

    def __init__(self, token, account, app_secret=None, minute_s=60, session_s=5400, page=25):
        self.authorization = f"Bearer {token}"
        self.account = f"/act_{account}"
        self.proof = hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest() if app_secret else None
        self.minute_s, self.session_s, self.page = minute_s, session_s, page
        super().__init__()

    def reset(self):
        super().reset()
        self.stats.update({"invalid": 0, "races": 0, "created": 0})
        self.audiences, self.kept, self.ended_sessions = {}, [], set()
        self.next_id = 23_850_000_000_000_000

    def control(self, request):
        if request.path == "/_stand-in/audiences":
            lines = [json.dumps({"id": a.id, "name": a.name, "members": a.members, "session": a.session and a.session["id"]})
                     for a in self.audiences.values()]
            return Answer(200, "".join(line + "\n" for line in lines), {"Content-Type": "application/jsonl"})
        if request.path == "/_stand-in/drop":
            return Answer(200 if self.audiences.pop(json.loads(request.body)["id"], None) else 404, {})
        return super().control(request)

    def records(self):
        return iter(self.kept)

    def answer(self, request, orders):
        try:
            if "code" in orders:
                raise Refused(orders["code"], "as ordered", orders.get("subcode"), 200 if orders.get("in_200") else 400)
            if orders.get("usage", 0) >= 100:
                raise Refused(80003, "There have been too many calls to this ad-account", 2446079)
            answer = self.dispatch(request)
        except Refused as refused:
            answer = refused.answer()
        if "usage" in orders:
            one = {"type": "custom_audience", "call_count": orders["usage"], "total_cputime": 1, "total_time": 1,
                   "estimated_time_to_regain_access": orders.get("regain", 0)}
            answer.headers["X-Business-Use-Case-Usage"] = json.dumps({"1": [one]})
        return answer

    def dispatch(self, request):
        if request.headers.get("authorization") != self.authorization:
            raise Refused(190, "Invalid OAuth access token - Cannot parse access token")
        if self.proof and request.query.get("appsecret_proof") != self.proof:
            raise Refused(100, "API calls from the server require an appsecret_proof argument")
        version = VERSION.fullmatch(request.path)
        if not version:
            raise Refused(2500, "Unknown path components: " + request.path)
        path = version.group(1)
        body = self.body_of(request)
        if path == self.account and request.method == "GET":
            return Answer(200, {"id": self.account[1:]})
        if path == self.account + "/customaudiences":
            return self.create(body) if request.method == "POST" else self.page_of(request.query)
        if path == self.account + "/usersofanyaudience" and request.method == "DELETE":
            return self.everywhere(request, path, body)
        identity, _, edge = path[1:].partition("/")
        audience = self.audiences.get(identity)
        if audience is None:
            raise no_object(identity)
        if edge == "" and request.method == "GET":
            return Answer(200, {"id": audience.id, "name": audience.name})
        if edge == "users" and request.method in ("POST", "DELETE"):
            return self.users(request, path, audience, body)
        if edge == "usersreplace" and request.method == "POST":
            return self.replace(request, path, audience, body)
        raise no_object(path[1:])

    def body_of(self, request):
        if request.method == "GET":
            return {}
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise Refused(100, "(#100) The parameter payload is required")
        try:
            body = json.loads(request.body)
        except ValueError:
            raise Refused(100, "(#100) Invalid JSON for postcard") from None
        if not isinstance(body, dict):
            raise Refused(100, "(#100) Invalid parameter")
        return body

    # Audiences ------------------------------------------------------------------------------------------------------

    def create(self, body):
        name = body.get("name")
        if not isinstance(name, str) or not name:
            raise Refused(100, "(#100) The parameter name is required")
        if body.get("subtype") != "CUSTOM" or body.get("customer_file_source") not in SOURCES:
            raise Refused(100, "(#100) Param customer_file_source must be one of {" + ", ".join(sorted(SOURCES)) + "}")
        self.next_id += 1
        self.audiences[str(self.next_id)] = Audience(str(self.next_id), name)
        self.stats["created"] += 1
        return Answer(200, {"id": str(self.next_id)})

    def page_of(self, query):
        listed = sorted(self.audiences)
        after = query.get("after", "")
        rest = [identity for identity in listed if identity > after]
        size = min(int(query.get("limit", self.page)), self.page)
        data = [{"id": i, "name": self.audiences[i].name, "subtype": "CUSTOM"} for i in rest[:size]]
        paging = {"cursors": {"after": data[-1]["id"]}} if data else {}
        if len(rest) > size:
            paging["next"] = "https://graph.facebook.com/next"
        return Answer(200, {"data": data, "paging": paging})

    # Members --------------------------------------------------------------------------------------------------------

    def rows(self, body):
        """-> (schema, rows as {column: cell}, how many entries cannot be read)"""
        payload = body.get("payload")
        if not isinstance(payload, dict):
            raise Refused(100, "(#100) The parameter payload is required")
        schema, data = payload.get("schema"), payload.get("data")
        if not isinstance(schema, list) or not schema or not set(schema) <= COLUMNS or len(set(schema)) != len(schema):
            raise Refused(100, "(#100) Invalid schema")
        if not isinstance(data, list) or not data:
            raise Refused(100, "(#100) The data must be a list of rows that is not empty")
        if len(data) > ROWS_MAX:
            raise Refused(100, f"(#100) At most {ROWS_MAX} rows are allowed")
        rows, invalid = [], 0
        for cells in data:
            if not isinstance(cells, list) or len(cells) != len(schema) or not all(isinstance(cell, str) for cell in cells):
                raise Refused(100, "(#100) A row must have as many cells as the schema has keys")
            row = {column: cell for column, cell in zip(schema, cells) if cell}
            broken = any(not HASH.fullmatch(cell) for column, cell in row.items() if column in HASHED)
            if broken or not any(column in row for column in (*IDENTITY, "LN")):
                invalid += 1
            else:
                rows.append(row)
        self.stats["invalid"] += invalid
        return schema, rows, invalid

    def note_races(self, audience, method, rows):
        now = time.monotonic()
        for row in rows:
            for column in IDENTITY:
                if column in row:
                    at, other = audience.touched.get((column, row[column]), (0, method))
                    self.stats["races"] += other != method and now - at < self.minute_s
                    audience.touched[column, row[column]] = (now, method)

    def keep(self, request, path, audience, body, session=None):
        payload = body["payload"]
        self.kept.append({"n": self.stats["requests"], "at": time.time(), "method": request.method, "path": path,
                          "audience": audience and audience.name, "schema": payload["schema"], "data": payload["data"],
                          "session": session})

    def received(self, audience, body, invalid, session_id):
        return Answer(200, {"audience_id": audience.id if audience else None, "session_id": str(session_id),
                            "num_received": len(body["payload"]["data"]), "num_invalid_entries": invalid,
                            "invalid_entry_samples": {}})

    def users(self, request, path, audience, body):
        self.expire(audience)
        if audience.session:
            raise Refused(2650, "Failed to update the custom audience: a replace operation is already in progress")
        _, rows, invalid = self.rows(body)
        self.note_races(audience, request.method, rows)
        for row in rows:
            audience.add(row) if request.method == "POST" else audience.remove(row)
        self.keep(request, path, audience, body)
        return self.received(audience, body, invalid, self.stats["requests"])

    def everywhere(self, request, path, body):
        _, rows, invalid = self.rows(body)
        for audience in self.audiences.values():
            for row in rows:
                audience.remove(row)
        self.keep(request, path, None, body)
        return self.received(None, body, invalid, 0)

    # Replace sessions -----------------------------------------------------------------------------------------------

    def expire(self, audience):
        """What came of an open session by now is the audience, Meta says nothing of the old members."""
        session = audience.session
        if session and time.monotonic() - session["since"] >= self.session_s:
            self.end(audience)

    def end(self, audience):
        members = audience.session["members"]
        audience.index, audience.known_by = members.index, members.known_by
        self.ended_sessions.add(audience.session["id"])
        audience.session = None

    def replace(self, request, path, audience, body):
        session = body.get("session")
        if not isinstance(session, dict):
            raise Refused(100, "(#100) The parameter session is required")
        identity, seq = session.get("session_id"), session.get("batch_seq")
        if type(identity) is not int or not 0 < identity <= SESSION_ID_MAX or type(seq) is not int or seq < 1:
            raise Refused(100, "(#100) session_id must be a 64-bit integer and batch_seq an integer from 1")
        self.expire(audience)
        if identity in self.ended_sessions:
            raise Refused(100, "(#100) No further batches are accepted for this session", 1870147)
        if audience.session and audience.session["id"] != identity:
            raise Refused(2650, "A replace operation is already in progress for this audience")
        if not audience.session and seq != 1:
            raise Refused(100, "(#100) The first batch of a session must have batch_seq 1")
        _, rows, invalid = self.rows(body)
        if not audience.session:
            audience.session = {"id": identity, "since": time.monotonic(), "members": Audience("", "")}
        for row in rows:
            audience.session["members"].add(row)
        self.keep(request, path, audience, body, {"id": identity, "seq": seq, "last": bool(session.get("last_batch_flag"))})
        answer = self.received(audience, body, invalid, identity)
        if session.get("last_batch_flag"):
            self.end(audience)
        return answer


def main():
    parser = standin.arguments(__doc__.split("\n", 1)[0])
    parser.add_argument("--token", required=True)
    parser.add_argument("--ad-account", required=True)
    parser.add_argument("--app-secret")
    parser.add_argument("--minute", type=float, default=60, help="seconds within which an add and a remove are worked off in any order")
    parser.add_argument("--session-s", type=float, default=5400, help="seconds that a replace session may take")
    parser.add_argument("--page", type=int, default=25, help="audiences in a page of their list")
    options = parser.parse_args()
    standin.run(Meta(options.token, options.ad_account, options.app_secret, options.minute, options.session_s, options.page), options)


if __name__ == "__main__":
    main()

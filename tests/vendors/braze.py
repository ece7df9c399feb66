#!/usr/bin/env python3
"""A stand-in for Braze's REST API that refuses what Braze refuses, keeps what it accepts, and can be told to fail.

  braze.py --api-key KEY [--port 0 --print-port] [--rate 3000] [--window 3]

Serves POST /users/track, /users/identify, /users/alias/new, /users/merge, /users/delete, /v2/subscription/status/set and
/campaigns/trigger/send. Control: see standin.py; beside it GET /_stand-in/profiles (JSON lines), and the orders
{"maintenance": true} (202 "queued") and {"reject_every": n} (every n-th object gets an entry in `errors`).

A record is {"n", "at", "path", "array", "index", "object", "outcome"}: n counts requests, `at` is the wall clock in seconds,
outcome is "accepted", "rejected" or "skipped" (an alias that may only update a profile that does not exist).
"""

import json
import math
import time
import uuid

import rules
import standin
from standin import Answer

OBJECTS_MAX = 75
BODY_BYTES_MAX = 4 * 1024 * 1024
USERS_MAX = 50
TRACK_ARRAYS = ("attributes", "events", "purchases")
NO_VALID_DATA = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
PRIORITIES = {"identified", "unidentified", "most_recently_updated", "least_recently_updated"}


def bad(message, status=400):
    return Answer(status, {"message": message})


class Window:
    """A fixed window of requests, as Braze counts them."""

    def __init__(self, limit, seconds):
        self.limit, self.seconds = limit, seconds
        self.start, self.used = 0, 0

    def take(self):
        now = time.time()
        start = now - now % self.seconds
        if start != self.start:
            self.start, self.used = start, 0
        self.used += 1
        return self.used <= self.limit

    def headers(self):
        return {"X-RateLimit-Limit": self.limit, "X-RateLimit-Remaining": max(0, self.limit - self.used),
                "X-RateLimit-Reset": math.ceil(self.start + self.seconds)}


class Braze(standin.StandIn):
    extra_orders = ("maintenance",)

    def __init__(self, api_key, rate=3000, window_s=3):
        self.authorization = f"Bearer {api_key}"
        self.window = Window(rate, window_s)
        self.calls = {"/users/track": self.track, "/users/identify": self.identify, "/users/alias/new": self.alias_new,
                      "/users/merge": self.merge, "/users/delete": self.delete,
                      "/v2/subscription/status/set": self.subscription, "/campaigns/trigger/send": self.trigger}
        super().__init__()

    def reset(self):
        super().reset()
        self.kept = []      # (n, at, path, body, {(array, index): outcome that is not "accepted"})
        self.profiles = {}  # key -> attributes
        self.merged = {}    # key -> the key that it is now
        self.objects = 0
        self.stats.update({"attributes": 0, "events": 0, "purchases": 0, "rejected": 0, "skipped": 0, "profiles": 0,
                           "messages": 0, "deleted": 0})

    def failure_headers(self, orders):
        if "retry_after" not in orders:
            return {}
        return {"X-RateLimit-Limit": self.window.limit, "X-RateLimit-Remaining": 0,
                "X-RateLimit-Reset": math.ceil(time.time() + orders["retry_after"])}

    def control(self, request):
        if request.method == "GET" and request.path == "/_stand-in/profiles":
            lines = (json.dumps({"id": list(key), "attributes": attributes}, ensure_ascii=False) + "\n"
                     for key, attributes in self.profiles.items())
            return Answer(200, "".join(lines), {"Content-Type": "application/jsonl"})
        return super().control(request)

    def records(self):
        for n, at, path, body, outcomes in self.kept:
            for array, items in json.loads(body).items():
                if path != "/users/track":
                    items = [items]
                if not isinstance(items, list):
                    continue
                for index, item in enumerate(items):
                    yield {"n": n, "at": at, "path": path, "array": array, "index": index, "object": item,
                           "outcome": outcomes.get((array, index), "accepted")}

    def answer(self, request, orders):
        if request.headers.get("authorization") != self.authorization:
            return bad("Invalid API key", 401)
        within = self.window.take()
        answer = self.dispatch(request, orders) if within else bad("Rate limit exceeded", 429)
        answer.headers.update(self.window.headers())
        return answer

    def dispatch(self, request, orders):
        call = self.calls.get(request.path)
        if call is None:
            return bad("Not found", 404)
        if request.method != "POST":
            return bad("Method not allowed", 405)
        if len(request.body) > BODY_BYTES_MAX:
            return bad("Request body is too large", 413)
        if not request.headers.get("content-type", "").startswith("application/json"):
            return bad("Content-Type must be application/json")
        try:
            body = json.loads(request.body)
        except ValueError:
            return bad("The body is not valid JSON")
        if not isinstance(body, dict):
            return bad("The body must be a JSON object")
        outcomes = {}
        answer = call(body, orders, outcomes, request)
        if answer.status < 300:
            self.kept.append((self.stats["requests"], time.time(), request.path, request.body, outcomes))
            if orders.get("maintenance"):
                return Answer(202, {"message": "queued"})
        return answer

    # /users/track ---------------------------------------------------------------------------------------------------

    def track(self, body, orders, outcomes, request):
        unknown = set(body) - {"attributes", "events", "purchases", "partner"}
        if unknown:
            return bad(f"Unknown field {sorted(unknown)}")
        arrays = {name: body[name] for name in TRACK_ARRAYS if name in body}
        if not arrays or not all(isinstance(items, list) for items in arrays.values()):
            return bad("'attributes', 'events' or 'purchases' must be given, as arrays of objects")
        total = sum(map(len, arrays.values()))
        if total > OBJECTS_MAX:
            return bad(f"At most {OBJECTS_MAX} objects are allowed in a request")
        may_be_large = len(request.body) > rules.PROPERTIES_BYTES_MAX
        errors, processed = [], {}
        for array, items in arrays.items():
            processed[array] = 0
            for index, item in enumerate(items):
                problem = self.track_item(array, item, may_be_large, orders, outcomes, index)
                if problem:
                    outcomes[(array, index)] = "rejected"
                    errors.append({"type": problem, "input_array": array, "index": index})
                else:
                    processed[array] += 1
        self.stats["rejected"] += len(errors)
        if len(errors) == total:
            return Answer(400, {"message": NO_VALID_DATA, "errors": errors})
        result = {"message": "success"}
        for array, count in processed.items():
            result[f"{array}_processed"] = count
            self.stats[array] += count
        if errors:
            result["errors"] = errors
        return Answer(201, result)

    def track_item(self, array, item, may_be_large, orders, outcomes, index):
        self.objects += 1
        if not isinstance(item, dict):
            return "must be an object"
        key, problem = rules.identity(item, attributes=array == "attributes")
        if problem is None:
            if array == "events":
                problem = rules.event_problem(item, may_be_large)
            elif array == "attributes":
                problem = rules.attributes_problem(item)
            else:
                problem = rules.purchase_problem(item, may_be_large)
        if problem is None and orders.get("reject_every") and self.objects % orders["reject_every"] == 0:
            problem = "refused as ordered"
        if problem:
            return problem
        self.apply(key, item, array, outcomes, index)
        return None

    def profile(self, key, create=True):
        while key in self.merged:
            key = self.merged[key]
        found = self.profiles.get(key)
        if found is None and create:
            found = self.profiles[key] = {}
            self.stats["profiles"] += 1
        return found

    def apply(self, key, item, array, outcomes, index):
        only_update = item.get("_update_existing_only", key[0] == "alias")
        profile = self.profile(key, create=not only_update)
        if profile is None:
            outcomes[(array, index)] = "skipped"
            self.stats["skipped"] += 1
            return
        if array != "attributes":
            return
        for name, value in item.items():
            if name in rules.SKIP or name[0] == "_":
                continue
            if value is None:
                profile.pop(name, None)
            else:
                profile[name] = self.written(profile.get(name), value)

    @staticmethod
    def written(before, value):
        """What stands in an attribute after `value` was written to it; an operation on another type starts afresh."""
        if not isinstance(value, dict) or len(value) != 1:
            return value
        (operation, operand), = value.items()
        items = before if isinstance(before, list) else []
        if operation == "inc":
            return (before if rules.is_number(before) else 0) + operand
        if operation == "add":
            return [*items, *operand]
        if operation == "remove":
            return [item for item in items if item not in operand]
        return value

    # Other calls about users ------------------------------------------------------------------------------------------

    def forget(self, key):
        if self.profile(key, create=False) is None:
            return False
        while key in self.merged:
            key = self.merged[key]
        del self.profiles[key]
        self.stats["profiles"] -= 1
        return True

    def join(self, loser, winner):
        if loser == winner or self.profile(loser, create=False) is None:
            return False
        lost = self.profile(loser)
        kept = self.profile(winner)
        for name, value in lost.items():
            kept.setdefault(name, value)
        while winner in self.merged:
            winner = self.merged[winner]
        self.forget(loser)
        self.merged[loser] = winner
        return True

    def identify(self, body, _orders, _outcomes, _request):
        known = {"aliases_to_identify", "emails_to_identify", "phone_numbers_to_identify", "merge_behavior"}
        lists = [name for name in body if name != "merge_behavior"]
        if set(body) - known or not lists or not all(isinstance(body[name], list) for name in lists):
            return bad("one of 'aliases_to_identify', 'emails_to_identify', 'phone_numbers_to_identify' is required")
        if body.get("merge_behavior", "merge") not in ("merge", "none"):
            return bad("'merge_behavior' must be 'merge' or 'none'")
        if sum(len(body[name]) for name in lists) > USERS_MAX:
            return bad(f"At most {USERS_MAX} users are allowed in a request")
        errors, counts = [], {"aliases": 0, "emails": 0, "phone_numbers": 0}
        for name in lists:
            field = {"aliases_to_identify": "user_alias", "emails_to_identify": "email"}.get(name, "phone")
            for index, item in enumerate(body[name]):
                key, problem = rules.identity({field: item.get(field, "")})
                if problem is None and not rules.is_text(item.get("external_id"), rules.EXTERNAL_ID_CHARS_MAX):
                    problem = "'external_id' is required"
                if problem is None and set(item) - {field, "external_id", "prioritization"}:
                    problem = "unknown field"
                if problem:
                    errors.append({"type": problem, "input_array": name, "index": index})
                    continue
                self.join(key, ("external_id", item["external_id"]))
                counts[name.split("_to_")[0]] += 1
        result = {f"{name}_processed": count for name, count in counts.items()} | {"message": "success"}
        return Answer(201, result | ({"errors": errors} if errors else {}))

    def alias_new(self, body, _orders, _outcomes, _request):
        aliases = body.get("user_aliases")
        if set(body) != {"user_aliases"} or not isinstance(aliases, list) or not 0 < len(aliases) <= USERS_MAX:
            return bad(f"'user_aliases' must be an array of 1 to {USERS_MAX} objects")
        errors = []
        for index, item in enumerate(aliases):
            alias = {name: value for name, value in item.items() if name != "external_id"}
            problem = rules.alias_problem(alias)
            if problem:
                errors.append({"type": problem, "input_array": "user_aliases", "index": index})
                continue
            key = ("alias", alias["alias_label"], alias["alias_name"])
            if "external_id" not in item:
                self.profile(key)
            elif self.profile(("external_id", item["external_id"]), create=False) is not None:
                self.merged.setdefault(key, ("external_id", item["external_id"]))
        result = {"aliases_processed": len(aliases) - len(errors), "message": "success"}
        return Answer(201, result | ({"errors": errors} if errors else {}))

    def merge(self, body, _orders, _outcomes, _request):
        updates = body.get("merge_updates")
        if set(body) != {"merge_updates"} or not isinstance(updates, list) or not 0 < len(updates) <= USERS_MAX:
            return bad(f"'merge_updates' must be an array of 1 to {USERS_MAX} objects")
        pairs = []
        for update in updates:
            if set(update) != {"identifier_to_merge", "identifier_to_keep"}:
                return bad("each update needs 'identifier_to_merge' and 'identifier_to_keep'")
            loser, problem = rules.identity(update["identifier_to_merge"])
            winner, other_problem = rules.identity(update["identifier_to_keep"])
            if problem or other_problem:
                return bad(problem or other_problem)
            pairs.append((loser, winner))
        for loser, winner in pairs:
            if self.profile(winner, create=False) is not None:
                self.join(loser, winner)
        return Answer(202, {"message": "success"})

    def delete(self, body, _orders, _outcomes, _request):
        fields = {"external_ids", "user_aliases", "braze_ids", "email_addresses", "phone_numbers"}
        if len(body) != 1 or not set(body) <= fields:
            return bad(f"exactly one of {sorted(fields)} is required")
        (field, items), = body.items()
        if not isinstance(items, list) or not 0 < len(items) <= USERS_MAX:
            return bad(f"'{field}' must be an array of 1 to {USERS_MAX}")
        keys = []
        for item in items:
            if field == "email_addresses":
                if not isinstance(item, dict) or not set(item.get("prioritization", ())) <= PRIORITIES \
                        or not item.get("prioritization"):
                    return bad("each of 'email_addresses' needs 'email' and 'prioritization'")
                item = {"email": item.get("email")}
            else:
                item = {{"external_ids": "external_id", "user_aliases": "user_alias", "braze_ids": "braze_id",
                         "phone_numbers": "phone"}[field]: item}
            key, problem = rules.identity(item)
            if problem:
                return bad(problem)
            keys.append(key)
        deleted = sum(self.forget(key) for key in keys)
        self.stats["deleted"] += deleted
        return Answer(200, {"deleted": deleted, "message": "success"})

    def subscription(self, body, _orders, _outcomes, _request):
        groups = body.get("subscription_groups")
        if set(body) != {"subscription_groups"} or not isinstance(groups, list) or not groups:
            return bad("'subscription_groups' must be an array of objects")
        writes = []
        for group in groups:
            if set(group) - {"subscription_group_id", "subscription_state", "external_ids", "emails", "phones"}:
                return bad("unknown field in a subscription group")
            if not rules.is_text(group.get("subscription_group_id")):
                return bad("'subscription_group_id' is required")
            if group.get("subscription_state") not in ("subscribed", "unsubscribed"):
                return bad("'subscription_state' must be 'subscribed' or 'unsubscribed'")
            if "emails" in group and "phones" in group:
                return bad("'emails' and 'phones' may not be given together")
            for field, name in (("external_ids", "external_id"), ("emails", "email"), ("phones", "phone")):
                for value in group.get(field, ()):
                    key, problem = rules.identity({name: value})
                    if problem or (name == "phone" and not rules.E164.match(value)):
                        return bad(problem or "'phones' must be in E.164 format")
                    writes.append((key, group["subscription_group_id"], group["subscription_state"]))
        if not 0 < len(writes) <= USERS_MAX:
            return bad(f"1 to {USERS_MAX} users are allowed in a request")
        for key, group_id, state in writes:
            profile = self.profile(key, create=False)
            if profile is not None:
                profile.setdefault("subscription_groups", {})[group_id] = state
        return Answer(201, {"message": "success"})

    # /campaigns/trigger/send ------------------------------------------------------------------------------------------

    def trigger(self, body, _orders, _outcomes, _request):
        known = {"campaign_id", "send_id", "trigger_properties", "broadcast", "audience", "recipients", "attachments"}
        if set(body) - known:
            return bad(f"Unknown field {sorted(set(body) - known)}")
        if not rules.is_text(body.get("campaign_id")):
            return bad("'campaign_id' is required")
        recipients = body.get("recipients", [])
        if body.get("broadcast") is True and recipients:
            return bad("'broadcast' and 'recipients' exclude one another")
        if not isinstance(recipients, list) or len(recipients) > USERS_MAX:
            return bad(f"'recipients' must be an array of at most {USERS_MAX}")
        if not recipients and not body.get("broadcast"):
            return bad("'recipients' or 'broadcast' is required")
        for recipient in recipients:
            ids = [name for name in ("external_user_id", "user_alias", "email") if name in recipient]
            extra = set(recipient) - {"external_user_id", "user_alias", "email", "trigger_properties",
                                      "send_to_existing_only", "attributes", "prioritization"}
            if len(ids) != 1 or extra:
                return bad("a recipient needs exactly one of 'external_user_id', 'user_alias' or 'email'")
            if recipient.get("send_to_existing_only", True) is False and "attributes" not in recipient:
                return bad("'attributes' is required where 'send_to_existing_only' is false")
        self.stats["messages"] += len(recipients) or 1
        return Answer(201, {"dispatch_id": uuid.uuid4().hex, "message": "success"})


def main():
    parser = standin.arguments(__doc__.split("\n", 1)[0])
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--rate", type=int, default=3000, help="requests in a window")
    parser.add_argument("--window", type=float, default=3, help="seconds of a window")
    options = parser.parse_args()
    standin.run(Braze(options.api_key, options.rate, options.window), options)


if __name__ == "__main__":
    main()

"""Braze's rules for one object of a request, as its REST documentation states them. Each check returns None or a text.

Read: docs "POST: Track users", "User attributes object", "Event object", "Purchase object" (August 2026).
"""

import datetime
import functools
import json
import re
import zoneinfo

EXTERNAL_ID_CHARS_MAX = 997
NAME_CHARS_MAX = 255
PROPERTIES_BYTES_MAX = 50 * 1024

ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)\Z")
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+\Z")
E164 = re.compile(r"\+[1-9]\d{6,14}\Z")

EVENT_KEYS = frozenset(("external_id", "user_alias", "braze_id", "email", "phone", "name", "time", "app_id", "properties",
                        "_update_existing_only"))
PURCHASE_KEYS = frozenset(("external_id", "user_alias", "braze_id", "email", "phone", "product_id", "currency", "price",
                           "quantity", "time", "app_id", "properties", "_update_existing_only"))
RESERVED_PROPERTIES = ("time", "event_name")


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_time(value):
    if not isinstance(value, str) or not ISO_8601.match(value):
        return False
    try:
        datetime.datetime.fromisoformat(value)
        return True
    except ValueError:
        return False


def is_text(value, chars_max=NAME_CHARS_MAX):
    return isinstance(value, str) and 0 < len(value.strip()) and len(value) <= chars_max


def alias_problem(alias):
    if not isinstance(alias, dict) or set(alias) != {"alias_name", "alias_label"}:
        return "'user_alias' must be an object of 'alias_name' and 'alias_label'"
    if not is_text(alias["alias_name"]) or not is_text(alias["alias_label"]):
        return "'alias_name' and 'alias_label' must be texts and not empty"
    return None


def identity(item, attributes=False):
    """-> (key of the profile, None) or (None, what is wrong)."""
    strong = [name for name in ("external_id", "user_alias", "braze_id") if name in item]
    if len(strong) > 1 or (strong and not attributes and ("email" in item or "phone" in item)):
        return None, "only one of 'external_id', 'user_alias', 'braze_id', 'email' or 'phone' may be given"
    if not strong:
        if is_text(item.get("email")):
            return ("email", item["email"].lower()), None
        if is_text(item.get("phone")):
            return ("phone", item["phone"]), None
        return None, "'external_id' or 'braze_id' or 'user_alias' or 'email' or 'phone' is required"
    name = strong[0]
    value = item[name]
    if name == "user_alias":
        problem = alias_problem(value)
        return (None, problem) if problem else (("alias", value["alias_label"], value["alias_name"]), None)
    if not is_text(value, EXTERNAL_ID_CHARS_MAX):
        return None, f"'{name}' must be a text, not empty and at most {EXTERNAL_ID_CHARS_MAX} characters"
    return (name, value), None


def properties_problem(properties, may_be_large):
    if not isinstance(properties, dict):
        return "'properties' must be an object"
    for key in properties:
        if not is_text(key):
            return "property names must be 1 to 255 characters"
        if key[0] == "$":
            return "property names must not begin with '$'"
        if key in RESERVED_PROPERTIES:
            return f"'{key}' is a reserved property name"
    if may_be_large and len(json.dumps(properties, ensure_ascii=False).encode()) > PROPERTIES_BYTES_MAX:
        return "'properties' must be at most 50 KB"
    return None


def common_problem(item):
    if not is_time(item.get("time")):
        return "'time' must be an ISO 8601 date and time"
    if "app_id" in item and not is_text(item["app_id"]):
        return "'app_id' must be a text"
    if not isinstance(item.get("_update_existing_only", False), bool):
        return "'_update_existing_only' must be true or false"
    return None


def event_problem(item, may_be_large):
    if not EVENT_KEYS.issuperset(item):
        return f"unknown event field {sorted(set(item) - EVENT_KEYS)}"
    if not is_text(item.get("name")):
        return "'name' must be 1 to 255 characters"
    if "properties" in item:
        problem = properties_problem(item["properties"], may_be_large)
        if problem:
            return problem
    return common_problem(item)


def purchase_problem(item, may_be_large):
    if not PURCHASE_KEYS.issuperset(item):
        return f"unknown purchase field {sorted(set(item) - PURCHASE_KEYS)}"
    if not is_text(item.get("product_id")):
        return "'product_id' must be 1 to 255 characters"
    if not re.fullmatch(r"[A-Z]{3}", str(item.get("currency", ""))):
        return "'currency' must be an ISO 4217 code"
    if not is_number(item.get("price")):
        return "'price' must be a number"
    quantity = item.get("quantity", 1)
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 1 <= quantity <= 100:
        return "'quantity' must be a whole number from 1 to 100"
    if "properties" in item:
        problem = properties_problem(item["properties"], may_be_large)
        if problem:
            return problem
    return common_problem(item)


@functools.cache
def time_zones():
    return zoneinfo.available_timezones()


def is_location(value):
    return (isinstance(value, dict) and set(value) == {"longitude", "latitude"} and all(map(is_number, value.values()))
            and abs(value["latitude"]) <= 90 and abs(value["longitude"]) <= 180)


def is_date(value):
    try:
        return isinstance(value, str) and len(value) == 10 and bool(datetime.date.fromisoformat(value))
    except ValueError:
        return False


def is_subscription_groups(value):
    return isinstance(value, list) and all(
        isinstance(group, dict) and set(group) == {"subscription_group_id", "subscription_state"}
        and is_text(group["subscription_group_id"]) and group["subscription_state"] in ("subscribed", "unsubscribed")
        for group in value)


def is_push_tokens(value):
    return isinstance(value, list) and all(
        isinstance(token, dict) and {"app_id", "token"} <= set(token) <= {"app_id", "token", "device_id"}
        and all(map(is_text, token.values())) for token in value)


def matches(pattern):
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


SUBSCRIPTION = ("opted_in", "subscribed", "unsubscribed")
STANDARD = {  # the value's check; null is allowed for all of them and removes the value
    "email": lambda v: isinstance(v, str) and EMAIL.match(v) is not None,
    "phone": lambda v: isinstance(v, str) and E164.match(v) is not None,
    "first_name": lambda v: isinstance(v, str), "last_name": lambda v: isinstance(v, str),
    "home_city": lambda v: isinstance(v, str), "image_url": lambda v: isinstance(v, str),
    "country": matches("[A-Z]{2}"), "language": matches("[a-z]{2}"), "dob": is_date,
    "gender": lambda v: v in ("M", "F", "O", "N", "P"), "time_zone": lambda v: v in time_zones(),
    "current_location": is_location, "date_of_first_session": is_time, "date_of_last_session": is_time,
    "marked_email_as_spam_at": is_time, "email_subscribe": lambda v: v in SUBSCRIPTION,
    "push_subscribe": lambda v: v in SUBSCRIPTION, "subscription_groups": is_subscription_groups,
    "push_tokens": is_push_tokens, "email_open_tracking_disabled": lambda v: isinstance(v, bool),
    "email_click_tracking_disabled": lambda v: isinstance(v, bool), "_update_existing_only": lambda v: isinstance(v, bool),
    "push_token_import": lambda v: isinstance(v, bool), "_merge_objects": lambda v: isinstance(v, bool),
}
SKIP = frozenset(("external_id", "user_alias", "braze_id"))


def is_custom_value(value):
    if value is None or isinstance(value, (str, bool, int, float)):
        return True
    if isinstance(value, list):
        return all(isinstance(v, str) for v in value) or all(isinstance(v, dict) for v in value)
    if "inc" in value:
        return set(value) == {"inc"} and is_number(value["inc"])
    for operation in ("add", "remove", "$add", "$update", "$remove"):
        if operation in value and not isinstance(value[operation], list):
            return False
    return True


def attributes_problem(item):
    for key, value in item.items():
        if key in SKIP:
            continue
        check = STANDARD.get(key)
        if check is not None:
            if value is not None and not check(value):
                return f"'{key}' is not in the format of this standard attribute"
        elif not is_text(key) or key[0] == "$":
            return "attribute names must be 1 to 255 characters and not begin with '$'"
        elif not is_custom_value(value):
            return "a custom attribute must be a text, number, boolean, list of texts, or object"
    if "push_token_import" in item and "push_tokens" not in item:
        return "'push_token_import' is only allowed with 'push_tokens'"
    return None

#!/usr/bin/env python3
"""Twilio Messaging: takes messages, tells what became of them, and has people who answer.

  twilio.py [--account AC...] [--token ...] [--api-key SK... --api-secret ...] [--number +33639980001] [--port 0 --print-port]

Served, as Twilio's OpenAPI documents and pages state it: POST and GET /2010-04-01/Accounts/{AC}/Messages.json, GET
/2010-04-01/Accounts/{AC}.json, GET and POST .../IncomingPhoneNumbers/{PN}.json and /v1/Services/{MG}. One number
(PN00000000000000000000000000000001) and one messaging service (MG00000000000000000000000000000001) are there. What Twilio
refuses is refused with its code.

A message with a StatusCallback is told about by POST, signed as Twilio signs, once its answer has left. Orders: {"statuses":
["delivered", "sent"]} which and in which order (default: sent, delivered), {"error": "30006"} with them.
Further control, beside standin.py:
  POST /_stand-in/inbound {"from": "+33...", "body": "STOP"}   a person writes to the number: told to its webhook, as Twilio does
  POST /_stand-in/opt_out {"from": "+33..."}   the number has opted out, and the hub has not been told
  POST /_stand-in/status {"sid": "SM...", "status": "delivered"}   the callback of a message, once more

Records: {"kind": "message", ...} and {"kind": "callback", "url", "status", ...} with the answer that came.
"""

import base64
import datetime
import email.utils
import hashlib
import hmac
import json
import queue
import re
import threading
import urllib.error
import urllib.parse
import urllib.request

import standin
from standin import Answer
from rules import E164

BODY_CHARS_MAX = 1600
MEDIA_MAX = 10
CALLBACK_TIMEOUT_S = 15
NUMBER_SID = "PN" + "0" * 31 + "1"
SERVICE_SID = "MG" + "0" * 31 + "1"
STOP = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
START = {"START", "UNSTOP", "YES"}
NOT_MOBILE = "+33140000000"
NO_SUCH_NUMBER = "+15005550001"


def signature(token, url, fields):
    """X-Twilio-Signature: the URL and each field in the order of their names, name and value."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha1)).decode()


def refuse(status, code, message):
    return Answer(status, {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}",
                           "status": status})


def is_url(text):
    parts = urllib.parse.urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


class Twilio(standin.StandIn):
    extra_orders = ("statuses", "error")

    def __init__(self, options):
        self.options = options
        self.calls = queue.Queue()
        self.lock = threading.Lock()
        super().__init__()
        threading.Thread(target=self.call_back, daemon=True).start()

    def reset(self):
        super().reset()
        with self.lock:
            self.kept = []
            self.messages = {}
            self.opted_out = set()
            self.number = {"sid": NUMBER_SID, "phone_number": self.options.number, "sms_url": "", "sms_method": "POST"}
            self.service = {"sid": SERVICE_SID, "inbound_request_url": "", "inbound_method": "POST",
                            "use_inbound_webhook_on_number": True}
        self.stats.update({"messages": 0, "callbacks": 0})

    def records(self):
        with self.lock:
            return list(self.kept)

    # ---- what Twilio calls

    def call_back(self):
        while True:
            url, fields = self.calls.get()
            body = urllib.parse.urlencode(fields).encode()
            request = urllib.request.Request(url, body, {"Content-Type": "application/x-www-form-urlencoded",
                                                         "X-Twilio-Signature": signature(self.options.token, url, fields)})
            try:
                with urllib.request.urlopen(request, timeout=CALLBACK_TIMEOUT_S) as answer:
                    status = answer.status
            except urllib.error.HTTPError as error:
                status = error.code
            except OSError:
                status = 0
            with self.lock:
                self.stats["callbacks"] += 1
                self.kept.append({"kind": "callback", "url": url, "status": status, "fields": dict(fields)})

    def tell_status(self, message, status, error=""):
        if not message["callback"]:
            return
        fields = [("MessageSid", message["sid"]), ("SmsSid", message["sid"]), ("MessageStatus", status), ("SmsStatus", status),
                  ("To", message["to"]), ("From", message["from"] or self.options.number),
                  ("AccountSid", self.options.account), ("ApiVersion", "2010-04-01")]
        if error:
            fields.append(("ErrorCode", error))
        self.calls.put((message["callback"], fields))

    def control(self, request):
        what = request.path.removeprefix("/_stand-in/")
        if request.method != "POST" or what not in ("inbound", "status", "opt_out"):
            return super().control(request)
        given = json.loads(request.body)
        if what == "opt_out":
            self.opted_out.add(given["from"])
            return Answer(200, {})
        if what == "status":
            self.tell_status(self.messages[given["sid"]], given["status"], given.get("error", ""))
            return Answer(200, {})
        word = given["body"].strip().upper()
        if word in STOP:
            self.opted_out.add(given["from"])
        elif word in START:
            self.opted_out.discard(given["from"])
        own = self.service["use_inbound_webhook_on_number"]
        url = self.number["sms_url"] if own else self.service["inbound_request_url"]
        if not url:
            return Answer(409, {"message": "no webhook is set"})
        sid = "SM" + hashlib.md5(f"{len(self.kept)} {given}".encode()).hexdigest()
        fields = [("MessageSid", sid), ("SmsSid", sid), ("AccountSid", self.options.account), ("From", given["from"]),
                  ("To", self.options.number), ("Body", given["body"]), ("NumSegments", "1"), ("NumMedia", "0")]
        if given.get("opt_out_type"):
            fields.append(("OptOutType", given["opt_out_type"]))
        self.calls.put((url, fields))
        return Answer(200, {"sid": sid})

    # ---- what Twilio serves

    def authorized(self, request):
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(text).decode()
        except ValueError:
            return False
        known = {f"{self.options.account}:{self.options.token}"}
        if self.options.api_key:
            known.add(f"{self.options.api_key}:{self.options.api_secret}")
        return scheme.lower() == "basic" and given in known

    def answer(self, request, orders):
        if not self.authorized(request):
            return refuse(401, 20003, "Authenticate")
        path = request.path
        if path == f"/v1/Services/{SERVICE_SID}":
            return self.change(request, self.service, {"InboundRequestUrl": "inbound_request_url", "InboundMethod": "inbound_method",
                                                       "UseInboundWebhookOnNumber": "use_inbound_webhook_on_number"}, 200)
        base = f"/2010-04-01/Accounts/{self.options.account}"
        if path == base + ".json" and request.method == "GET":
            return Answer(200, {"sid": self.options.account, "status": "active"})
        if path == base + f"/IncomingPhoneNumbers/{NUMBER_SID}.json":
            return self.change(request, self.number, {"SmsUrl": "sms_url", "SmsMethod": "sms_method"}, 200)
        if path == base + "/Messages.json" and request.method == "POST":
            return self.take(request, orders)
        if path == base + "/Messages.json" and request.method == "GET":
            return self.list(request)
        return refuse(404, 20404, f"The requested resource {path} was not found")

    def form(self, request):
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return None
        return urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True)

    def change(self, request, resource, names, status):
        if request.method == "POST":
            for name, value in self.form(request) or ():
                if name.endswith("Url") and value and not is_url(value):
                    return refuse(400, 21402, f"{name} is not a valid URL")
                if name in names:
                    resource[names[name]] = value if value not in ("true", "false") else value == "true"
        return Answer(status, resource)

    def problem(self, form):
        to, sender, service = form.get("To", ""), form.get("From", ""), form.get("MessagingServiceSid", "")
        body, content, media = form.get("Body", ""), form.get("ContentSid", ""), form.get("MediaUrl", "")
        checks = (
            (not to, 21604, "A 'To' phone number is required."),
            (not E164.match(to) or to == NO_SUCH_NUMBER, 21211, f"Invalid 'To' Phone Number: {to}"),
            (not sender and not service, 21603, "A 'From' phone number is required."),
            (service and service != SERVICE_SID, 21701, "The Messaging Service does not exist"),
            (sender and sender != self.options.number, 21606, f"The 'From' phone number {sender} is not a valid sender"),
            (not body and not content and not media, 21602, "Message body is required."),
            (len(body) > BODY_CHARS_MAX, 21617, "The concatenated message body exceeds the 1600 character limit"),
            (content and not re.fullmatch("HX[0-9a-f]{32}", content), 21656, "The Content Sid is invalid"),
            (form.get("StatusCallback") and not is_url(form["StatusCallback"]), 21609, "Invalid 'StatusCallback' URL"),
            (form.get("ValidityPeriod") and not 1 <= int(form["ValidityPeriod"]) <= 36000, 21621, "Invalid validity period"),
            (to == NOT_MOBILE, 21614, f"'To' number {to} is not a valid mobile number"),
            (to in self.opted_out, 21610, "Attempt to send to unsubscribed recipient"),
        )
        return next(((code, text) for bad, code, text in checks if bad), None)

    def take(self, request, orders):
        pairs = self.form(request)
        if pairs is None:
            return refuse(400, 21604, "A 'To' phone number is required.")  # nothing of another content type is read
        form = dict(pairs)
        problem = self.problem(form)
        if problem:
            return refuse(400, *problem)
        now = datetime.datetime.now(datetime.timezone.utc)
        sid = "SM" + hashlib.md5(f"{self.stats['requests']} {now}".encode()).hexdigest()
        message = {"sid": sid, "to": form["To"], "from": form.get("From"), "body": form.get("Body", ""), "status": "queued",
                   "messaging_service_sid": form.get("MessagingServiceSid"), "direction": "outbound-api", "error_code": None,
                   "error_message": None, "date_created": email.utils.format_datetime(now), "at": now,
                   "callback": form.get("StatusCallback", "")}
        self.messages[sid] = message
        self.stats["messages"] += 1
        same = [m for m in self.messages.values() if (m["to"], m["body"]) == (message["to"], message["body"])]
        self.stats["repeats"] += len(same) > 1
        with self.lock:
            self.kept.append({"kind": "message", **{name: value for name, value in form.items()}, "sid": sid})
        for status in orders.get("statuses", ["sent", "delivered"]):
            self.tell_status(message, status, orders.get("error", ""))
        return Answer(201, self.shown(message))

    @staticmethod
    def shown(message):
        return {name: value for name, value in message.items() if name not in ("at", "callback")}

    def list(self, request):
        found = [m for m in self.messages.values() if request.query.get("To") in (None, m["to"])]
        since = request.query.get("DateSent>")
        if since:
            found = [m for m in found if m["at"].date() >= datetime.date.fromisoformat(since)]
        size = min(int(request.query.get("PageSize", 50)), 1000)
        return Answer(200, {"messages": [self.shown(m) for m in reversed(found)][:size], "page_size": size,
                            "next_page_uri": None})


def main():
    parser = standin.arguments(__doc__.split("\n", 1)[0])
    parser.add_argument("--account", default="AC" + "0" * 31 + "1")
    parser.add_argument("--token", default="auth-token")
    parser.add_argument("--api-key", default="")
    parser.add_argument("--api-secret", default="")
    parser.add_argument("--number", default="+33639980001")
    options = parser.parse_args()
    standin.run(Twilio(options), options)


if __name__ == "__main__":
    main()

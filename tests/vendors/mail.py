#!/usr/bin/python3
"""A real SMTP server that keeps its mail: Debian's python3-aiosmtpd (so it needs /usr/bin/python3).

  mail.py [--port 0] [--control-port 0] [--print-port] [--file messages.jsonl] [--user U --password P]

--print-port prints two numbers in one line: the SMTP port and the control port (HTTP, see standin.py). Orders here:
{"status": 451, "at": "mail" | "rcpt" | "data"} (default rcpt), {"hang_s": 5, "at": ...}, {"cut": true, "at": ...} (data: the
message is kept and the connection is lost before the answer), {"reject_every": n} (550 for every n-th recipient), and
for_s / count / clear as everywhere.

A record is {"n", "at", "from", "to": [...], "subject", "headers": {...}, "text", "html", "source"}; headers and bodies are
decoded; source is the message as it came.
"""

import asyncio
import email
import email.policy
import json
import time
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

import standin


class Mail(standin.StandIn):
    extra_orders = ("at",)

    def __init__(self, file=None):
        self.file = open(file, "a", encoding="utf-8") if file else None
        super().__init__()

    def reset(self):
        super().reset()
        self.kept = []
        self.recipients = 0
        self.stats.update({"messages": 0, "distinct": 0, "connections": 0})
        self.message_ids = set()

    def records(self):
        return self.kept

    async def step(self, at, server):
        """What the orders say about this step of the dialogue: an answer to give instead, or None."""
        if self.orders.active.get("at", "rcpt") != at:
            return None
        orders = dict(self.orders.begin())
        if "hang_s" in orders:
            await asyncio.sleep(orders["hang_s"])
        if orders.get("down") or orders.get("cut"):
            server.transport.abort()
        if "status" in orders:
            return f"{orders['status']} {str(orders['status'])[0]}.0.0 as ordered"
        return None

    # aiosmtpd's hooks; their names and arguments are its own.

    async def handle_EHLO(self, _server, session, _envelope, hostname, responses):
        self.stats["connections"] += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, _session, envelope, address, options):
        if answer := await self.step("mail", server):
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, _session, envelope, address, options):
        if answer := await self.step("rcpt", server):
            return answer
        self.recipients += 1
        every = None if self.orders.over() else self.orders.active.get("reject_every")
        if every and self.recipients % every == 0:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server, _session, envelope):
        cut = self.orders.active.get("cut")
        if not cut and (answer := await self.step("data", server)):
            return answer
        self.keep(envelope)
        if cut:
            await self.step("data", server)
        return "250 OK"

    def keep(self, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)

        def body(kind):
            part = message.get_body((kind,))
            return part.get_content().replace("\r\n", "\n") if part else None

        record = {"n": len(self.kept) + 1, "at": time.time(), "from": envelope.mail_from, "to": envelope.rcpt_tos,
                  "subject": message["subject"], "headers": {k.lower(): str(v) for k, v in message.items()},
                  "text": body("plain"), "html": body("html"), "source": envelope.content.decode("utf-8", "replace")}
        self.kept.append(record)
        self.stats["messages"] += 1
        self.stats["repeats"] += record["headers"].get("message-id") in self.message_ids
        self.message_ids.add(record["headers"].get("message-id"))
        self.stats["distinct"] = len(self.message_ids)
        if self.file:
            self.file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self.file.flush()


def authenticator(user, password):
    def check(_server, _session, _envelope, _mechanism, data):
        return AuthResult(success=(data.login, data.password) == (user.encode(), password.encode()), handled=False)

    return check


async def serve(options):
    mail = Mail(options.file)
    auth = {"authenticator": authenticator(options.user, options.password), "auth_required": True,
            "auth_require_tls": False} if options.user else {}
    warnings.simplefilter("ignore")  # that a password without TLS is unwise: here it is meant
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mail, hostname="mail.test", loop=loop, **auth), options.host, options.port)
    _control, control_port = await standin.listen(mail, options.host, options.control_port)
    if options.print_port:
        print(server.sockets[0].getsockname()[1], control_port, flush=True)
    await standin.until_told_to_stop()


def main():
    parser = standin.arguments(__doc__.split("\n", 1)[0])
    parser.add_argument("--control-port", type=int, default=0, help="HTTP; 0: one that is free")
    parser.add_argument("--file", help="append each message as a JSON line")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()

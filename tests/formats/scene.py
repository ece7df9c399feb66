"""The scene of the golden files: its configuration, and what was sent."""

CONFIG = """
version: 1
hub:
  data: ./data
  listen: 127.0.0.1:0
  admin: unix:./data/admin.sock
sources:
  site: {{ plugin: tracking, trust: server, with: {{ write_key: "${{WRITE_KEY}}" }}, consent: {{ newsletter: Newsletter }} }}
consent:
  unknown: denied
  purposes:
    newsletter: {{ channel: email, basis: consent }}
    service: {{ channel: email, basis: contract }}
computed:
  pings: events("Ping").count()
  total: events("Ping").sum(e, e.properties.n)
audiences:
  busy: traits.pings >= 3
routes:
  pings_to_hook: {{ events: [Ping], to: hook }}
  pings_to_letters: {{ events: [Ping], to: letters }}
  busy_to_letters: {{ audience: busy, to: letters }}
destinations:
  hook: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{hook}/", secret: "${{HOOK_SECRET}}" }} }}
  letters: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{letters}/", secret: "${{HOOK_SECRET}}" }} }}
"""
PEOPLE = ("ada", "bob", "cyd")


def identify(user, n):
    return {"type": "identify", "messageId": f"i-{user}", "timestamp": f"2026-03-01T08:00:{n:02d}.000Z", "userId": user,
            "anonymousId": f"browser-{user}", "traits": {"email": f"{user}@example.com", "city": "Lyon"},
            "context": {"consent": {"categoryPreferences": {"Newsletter": True}}}}


def ping(user, n):
    return {"type": "track", "messageId": f"p-{user}-{n}", "timestamp": f"2026-03-01T09:{n:02d}:00.000Z", "userId": user,
            "event": "Ping", "properties": {"n": n}}


FIRST = [identify(user, n) for n, user in enumerate(PEOPLE)] + [ping(user, n) for n in (1, 2, 3) for user in PEOPLE]
AFTER_CHECKPOINT = [ping("ada", 4), ping("bob", 4)]

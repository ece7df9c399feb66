#!/usr/bin/env python3
"""A vendor behind OAuth 2.0: a token endpoint (RFC 6749, RFC 7523) and an API that takes its bearer tokens (RFC 6750).

  oauth.py [--client-id hub --client-secret s3cret] [--refresh-token first] [--life 3600] [--client-auth basic|body]
           [--public-key FILE] [--redirect-uri URI] [--no-refresh] [--port 0 --print-port]

POST /token     grants client_credentials, refresh_token and urn:ietf:params:oauth:grant-type:jwt-bearer (with --public-key: an
                RSA key in PEM, asked by the program openssl). Each access token is new. Each use of a refresh token gives a
                new one; the one before is taken until the new refresh token, or an access token that came with it, is used
                for the first time, and from then on its use withdraws all that came from it (RFC 9700, 4.14.2).
GET  /authorize (with --redirect-uri, which may be given several times: those that the app has registered; http://127.0.0.1/PATH
                stands for any port, RFC 8252 7.3) what a person's browser is sent to (RFC 6749, 4.1.1; RFC 7636, 4.3). Here the
                person always allows it: the answer is the redirect with a code. Client or redirect_uri wrong: 400, no redirect;
                all other faults go back as ?error=. The order {"authorize": {"error": "access_denied"}} makes a person refuse.
                POST /token then takes the grant authorization_code: once, by the client and with the redirect_uri that the code
                was asked with, and with the verifier of its challenge; a second use withdraws what the first one gave.
POST /records   a JSON array of records, kept; any other path likewise. 401 with WWW-Authenticate for what is no good token.
POST /_stand-in/expire      ends all access tokens, as an operator of the vendor may; the next request is told 401
POST /_stand-in/revoke      ends everything that was given, as a person does in the vendor's settings: invalid_grant from then on
GET  /_stand-in/tokens      every token, code and verifier that was given, for tests that look for them where they must not be
Control: see standin.py. Orders of its own: {"token": {...}} is given to the token endpoint alone: {"status": 503},
{"error": "invalid_client"}, {"down": true}, {"hang_s": 1}; {"refuse_tokens": true}: the API takes no token at all;
{"authorize": {...}}: see there; {"echo": true}: the API answers 422 and repeats the token.

Stats: requests, records, distinct, repeats (records seen before), by_status, tokens (given), refreshes, refused_tokens,
reused (refresh tokens used after their end), codes (given), exchanged (codes), code_reuses, live (whether any refresh token still works), token_requests.
"""

import base64
import hashlib
import json
import re
import secrets
import subprocess
import tempfile
import time
import urllib.parse

import standin
from standin import Answer


def unbase64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class OAuth(standin.StandIn):
    extra_orders = ("token", "refuse_tokens", "echo", "authorize")

    def __init__(self, client_id="hub", client_secret="s3cret", refresh_token=None, life=3600, client_auth="basic",
                 public_key=None, redirect_uris=(), gives_refresh=True):
        self.client = (client_id, client_secret)
        self.first_refresh, self.life, self.client_auth, self.public_key = refresh_token, life, client_auth, public_key
        self.redirect_uris, self.gives_refresh = redirect_uris, gives_refresh
        super().__init__()

    def reset(self):
        super().reset()
        self.kept, self.seen = [], set()
        self.given = []         # every token there was
        self.access = {}        # token -> (end, the refresh token that came with it or None)
        self.refresh = {}       # token -> "good", "replaced" (until its heir is used) or "dead"
        self.parent = {}        # refresh token -> the one that it replaces
        self.codes = {}         # code -> {"redirect_uri", "challenge", "end", "tokens": given for it, or None}
        if self.first_refresh:
            self.refresh[self.first_refresh] = "good"
        self.stats.update({"records": 0, "distinct": 0, "tokens": 0, "refreshes": 0, "refused_tokens": 0, "reused": 0,
                           "token_requests": 0, "codes": 0, "exchanged": 0, "code_reuses": 0})

    # ---- the token endpoint

    def error(self, name, status=400, **more):
        return Answer(status, {"error": name, **more}, {"Cache-Control": "no-store"})

    def client_of(self, request, form):
        """None, or why the client is not the one (RFC 6749, 2.3.1)."""
        header = request.headers.get("authorization", "")
        if header:
            scheme, _, text = header.partition(" ")
            name, _, secret = base64.b64decode(text).decode().partition(":")
            given = (urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(secret))
            good = scheme.lower() == "basic" and self.client_auth == "basic" and "client_secret" not in form
        else:
            given, good = (form.get("client_id"), form.get("client_secret")), self.client_auth == "body"
        if good and given == self.client:
            return None
        return self.error("invalid_client", 401, error_description=f"client {given[0]} with {given[1]} is unknown")

    def give(self, refresh=None):
        token = secrets.token_urlsafe(24)
        self.access[token] = (time.monotonic() + self.life, refresh)
        self.stats["tokens"] += 1
        self.given += [token] + ([refresh] if refresh else [])
        body = {"access_token": token, "token_type": "Bearer", "expires_in": self.life}
        if refresh:
            body["refresh_token"] = refresh
        return Answer(200, body, {"Cache-Control": "no-store"})

    def use(self, refresh):
        """The heir is in use: what it replaced is over."""
        while refresh in self.parent:
            refresh = self.parent.pop(refresh)
            self.refresh[refresh] = "dead"

    def by_refresh_token(self, form):
        old = form.get("refresh_token", "")
        state = self.refresh.get(old)
        if state not in ("good", "replaced"):
            if state == "dead":
                self.stats["reused"] += 1
                self.refresh = {token: "dead" for token in self.refresh}
                self.access.clear()
            return self.error("invalid_grant", error_description=f"the refresh token {old} is not valid")
        self.use(old)
        new = "refresh-" + secrets.token_urlsafe(18)
        for token, parent in list(self.parent.items()):  # an heir that was never used loses to this one
            if parent == old:
                self.refresh[token] = "dead"
                del self.parent[token]
        self.refresh[old], self.refresh[new] = "replaced", "good"
        self.parent[new] = old
        self.stats["refreshes"] += 1
        return self.give(new)

    # ---- the authorization endpoint

    def registered(self, uri):
        for known in self.redirect_uris:
            if uri == known:
                return True
            parts, own = urllib.parse.urlsplit(known), urllib.parse.urlsplit(uri)
            if parts.hostname == "127.0.0.1" and not parts.port and own.scheme == "http" and own.hostname == "127.0.0.1" \
                    and own.path == parts.path and not own.query and not own.fragment:
                return True
        return False

    def authorize(self, request, orders):
        query, target = urllib.parse.parse_qsl(request.query_text, keep_blank_values=True), request.query
        if target.get("client_id") != self.client[0]:
            return Answer(400, {"error": "the client is unknown"})
        if not self.registered(target.get("redirect_uri", "")):
            return Answer(400, {"error": "redirect_uri is none of the app's"})

        def back(**more):
            if "state" in target:
                more["state"] = target["state"]
            return Answer(302, b"", {"Location": target["redirect_uri"] + "?" + urllib.parse.urlencode(more),
                                     "Cache-Control": "no-store"})
        if len(query) != len(dict(query)):
            return back(error="invalid_request", error_description="a parameter stands twice")
        if target.get("response_type") != "code":
            return back(error="unsupported_response_type")
        if not set(target.get("scope", "").split()) <= {"records", "offline"}:
            return back(error="invalid_scope")
        if target.get("code_challenge_method") != "S256" or not re.fullmatch(r"[A-Za-z0-9_-]{43}", target.get("code_challenge", "")):
            return back(error="invalid_request", error_description="code_challenge of S256 is needed")
        if orders.get("authorize", {}).get("error"):
            return back(**orders["authorize"])
        code = "code-" + secrets.token_urlsafe(18)
        self.codes[code] = {"redirect_uri": target["redirect_uri"], "challenge": target["code_challenge"],
                            "end": time.monotonic() + 60, "tokens": None}
        self.given.append(code)
        self.stats["codes"] += 1
        return back(code=code)

    def by_code(self, form):
        code = self.codes.get(form.get("code", ""))
        if code is None:
            return self.error("invalid_grant", error_description=f"the code {form.get('code')} is unknown")
        if code["tokens"] is not None:  # RFC 6749, 4.1.2: what it gave should be withdrawn
            self.stats["code_reuses"] += 1
            for token in code["tokens"]:
                self.access.pop(token, None)
                if token in self.refresh:
                    self.refresh[token] = "dead"
            return self.error("invalid_grant", error_description="the code was used before")
        verifier = form.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if form.get("redirect_uri") != code["redirect_uri"] or challenge != code["challenge"] or time.monotonic() > code["end"]:
            return self.error("invalid_grant", error_description="not this redirect_uri, this verifier, or too late")
        self.given.append(verifier)
        refresh = None
        if self.gives_refresh:
            refresh = "refresh-" + secrets.token_urlsafe(18)
            self.refresh[refresh] = "good"
        answer = self.give(refresh)
        code["tokens"] = self.given[-2:] if refresh else self.given[-1:]
        self.stats["exchanged"] += 1
        return answer

    def by_assertion(self, form):
        head, claims, signature = form.get("assertion", "..").split(".")
        said = json.loads(unbase64url(claims))
        with tempfile.NamedTemporaryFile() as file:
            file.write(unbase64url(signature))
            file.flush()
            checked = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.public_key, "-signature", file.name],
                                     input=f"{head}.{claims}".encode(), capture_output=True)
        now = time.time()
        good = (checked.returncode == 0 and json.loads(unbase64url(head)).get("alg") == "RS256"
                and said["iss"] == self.client[0] and said["aud"].endswith("/token") and said["iat"] - 60 <= now < said["exp"])
        return self.give() if good else self.error("invalid_grant", error_description="the assertion is not good")

    def token(self, request):
        self.stats["token_requests"] += 1
        if request.method != "POST" or not request.headers.get("content-type", "").startswith(
                "application/x-www-form-urlencoded"):
            return self.error("invalid_request")
        form = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True))
        grant = form.get("grant_type")
        if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer" and self.public_key:
            return self.by_assertion(form)
        wrong = self.client_of(request, form)
        if wrong:
            return wrong
        if grant == "authorization_code" and self.redirect_uris:
            return self.by_code(form)
        if grant == "client_credentials" and not self.first_refresh and not self.redirect_uris:
            return self.give()
        if grant == "refresh_token" and (self.first_refresh or self.redirect_uris):
            return self.by_refresh_token(form)
        known = ("client_credentials", "refresh_token", "authorization_code")
        return self.error("unauthorized_client" if grant in known else "unsupported_grant_type")

    # ---- the API

    def bearer(self, request, orders):
        """-> (token, None), or (None, the refusal) of RFC 6750, 3."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        end, refresh = self.access.get(token, (0, None))
        if scheme != "Bearer" or not token:
            return None, Answer(401, b"", {"WWW-Authenticate": "Bearer"})
        if time.monotonic() >= end or orders.get("refuse_tokens"):
            self.stats["refused_tokens"] += 1
            return None, Answer(401, {"error": "invalid_token", "token": token},
                                {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if refresh:
            self.use(refresh)
        return token, None

    def answer(self, request, orders):
        if request.path == "/token":
            return self.token(request)
        if request.path == "/authorize" and request.method == "GET" and self.redirect_uris:
            return self.authorize(request, orders)
        token, refusal = self.bearer(request, orders)
        if refusal:
            return refusal
        if orders.get("echo"):
            return Answer(422, {"message": f"not with {token}"})
        body = json.loads(request.body)
        for record in body if isinstance(body, list) else [body]:
            key = json.dumps(record, sort_keys=True)
            self.stats["repeats" if key in self.seen else "distinct"] += 1
            self.seen.add(key)
            self.stats["records"] += 1
            self.kept.append(record)
        return Answer(200, {"ok": True})

    def serve(self, request):
        if request.path == "/_stand-in/revoke":
            self.refresh = {token: "dead" for token in self.refresh}
            self.access.clear()
            return Answer(200, {}), 0
        if request.path == "/_stand-in/expire":
            self.access = {token: (0, refresh) for token, (_, refresh) in self.access.items()}
            return Answer(200, {}), 0
        if request.path == "/_stand-in/tokens":
            return Answer(200, self.given), 0
        if request.path == "/_stand-in/stats":
            self.stats["live"] = any(state != "dead" for state in self.refresh.values())
        orders = self.orders.active.get("token") if request.path == "/token" else None
        if orders and not self.orders.over():
            self.stats["token_requests"] += 1
            if orders.get("down"):
                return None, 0
            if "hang_s" in orders:
                return self.answer(request, {}), orders["hang_s"]
            answer = self.error(orders["error"], 400) if "error" in orders else Answer(orders.get("status", 503), b"")
            return answer, 0
        return super().serve(request)

    def records(self):
        return self.kept


def main():
    parser = standin.arguments(__doc__.splitlines()[0])
    parser.add_argument("--client-id", default="hub")
    parser.add_argument("--client-secret", default="s3cret")
    parser.add_argument("--refresh-token", help="the first one; without it the grant is client_credentials")
    parser.add_argument("--life", type=float, default=3600, help="of an access token, in seconds")
    parser.add_argument("--client-auth", choices=("basic", "body"), default="basic")
    parser.add_argument("--public-key", help="PEM: assertions of the grant jwt-bearer are checked with it")
    parser.add_argument("--redirect-uri", action="append", default=[], help="the app's: then people connect by /authorize")
    parser.add_argument("--no-refresh", action="store_true", help="a code gives an access token alone")
    options = parser.parse_args()
    standin.run(OAuth(options.client_id, options.client_secret, options.refresh_token, options.life, options.client_auth,
                      options.public_key, options.redirect_uri, not options.no_refresh), options)


if __name__ == "__main__":
    main()

"""The stand-in of a vendor behind OAuth 2.0 keeps to RFC 6749 and 6750."""

import base64
import json
import unittest
import urllib.parse

from client import Server

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def basic(secret="s3cret"):
    return FORM | {"Authorization": "Basic " + base64.b64encode(f"hub:{secret}".encode()).decode()}


class OAuthTest(unittest.TestCase):
    def start(self, *options):
        self.vendor = Server("oauth.py", *options)
        self.vendor.__enter__()
        self.addCleanup(self.vendor.__exit__)

    def ask(self, headers=None, **form):
        status, _, text = self.vendor.request("POST", "/token", urllib.parse.urlencode(form), headers or basic())
        return status, json.loads(text)

    def refresh(self, token):
        return self.ask(grant_type="refresh_token", refresh_token=token)

    def call(self, token):
        return self.vendor.request("POST", "/records", [{"a": 1}], {"Authorization": f"Bearer {token}"})[0]

    def test_a_client_gets_a_token_that_the_api_takes_until_it_ends(self):
        self.start()
        status, given = self.ask(grant_type="client_credentials")
        self.assertEqual((status, given["token_type"], given["expires_in"]), (200, "Bearer", 3600))
        self.assertNotIn("refresh_token", given)
        self.assertEqual(self.call(given["access_token"]), 200)
        self.assertEqual(self.call("another"), 401)
        self.vendor.request("POST", "/_stand-in/expire")
        self.assertEqual(self.call(given["access_token"]), 401)

    def test_wrong_clients_grants_and_forms_are_refused_by_their_names(self):
        self.start()
        self.assertEqual(self.ask(basic("wrong"), grant_type="client_credentials")[1]["error"], "invalid_client")
        self.assertEqual(self.ask(FORM, grant_type="client_credentials", client_id="hub", client_secret="s3cret")[0], 401)
        self.assertEqual(self.refresh("any")[1]["error"], "unauthorized_client")
        self.assertEqual(self.ask(grant_type="password")[1]["error"], "unsupported_grant_type")
        self.assertEqual(self.ask(basic() | {"Content-Type": "text/plain"})[1]["error"], "invalid_request")

    def test_a_refresh_token_rotates_and_the_one_before_is_good_until_its_heir_is_used(self):
        self.start("--refresh-token", "first")
        lost = self.refresh("first")[1]  # the client dies here
        again = self.refresh("first")[1]
        self.assertEqual(self.refresh(lost["refresh_token"])[1]["error"], "invalid_grant")
        self.assertNotEqual(again["refresh_token"], lost["refresh_token"])

    def test_a_used_refresh_token_withdraws_everything(self):
        self.start("--refresh-token", "first")
        given = self.refresh("first")[1]
        self.assertEqual(self.call(given["access_token"]), 200)
        self.assertEqual(self.refresh("first")[1]["error"], "invalid_grant")
        self.assertEqual(self.call(given["access_token"]), 401)
        self.assertEqual(self.refresh(given["refresh_token"])[0], 400)
        stats = self.vendor.stats()
        self.assertFalse(stats["live"])
        self.assertEqual((stats["refreshes"], stats["reused"]), (1, 2))

    # ---- a person connects: RFC 6749, 4.1, and RFC 7636

    VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    BACK = "https://hub.acme.test/oauth/callback"

    def authorize(self, **more):
        """-> (status, what the browser comes back with)"""
        asked = {"response_type": "code", "client_id": "hub", "redirect_uri": self.BACK, "scope": "records", "state": "s&1",
                 "code_challenge": self.CHALLENGE, "code_challenge_method": "S256"} | more
        query = urllib.parse.urlencode({name: value for name, value in asked.items() if value is not None})
        status, headers, _ = self.vendor.request("GET", "/authorize?" + query)
        return status, dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(headers.get("location", "")).query))

    def exchange(self, code, **more):
        return self.ask(**({"grant_type": "authorization_code", "code": code, "redirect_uri": self.BACK,
                            "code_verifier": self.VERIFIER} | more))

    def test_a_code_is_exchanged_once_and_its_second_use_withdraws_what_it_gave(self):
        self.start("--redirect-uri", self.BACK)
        status, back = self.authorize()
        self.assertEqual((status, back["state"]), (302, "s&1"))
        status, given = self.exchange(back["code"])
        self.assertEqual(status, 200)
        self.assertEqual(self.call(given["access_token"]), 200)
        self.assertEqual(self.exchange(back["code"])[1]["error"], "invalid_grant")
        self.assertEqual(self.call(given["access_token"]), 401)
        self.assertEqual(self.refresh(given["refresh_token"])[1]["error"], "invalid_grant")

    def test_a_code_needs_its_verifier_its_redirect_uri_and_its_client(self):
        self.start("--redirect-uri", self.BACK)
        for wrong in ({"code_verifier": "x" * 43}, {"code_verifier": ""}, {"redirect_uri": self.BACK + "/"}):
            with self.subTest(wrong):
                self.assertEqual(self.exchange(self.authorize()[1]["code"], **wrong)[1]["error"], "invalid_grant")
        code = self.authorize()[1]["code"]
        self.assertEqual(self.ask(basic("wrong"), grant_type="authorization_code", code=code, redirect_uri=self.BACK,
                                  code_verifier=self.VERIFIER)[1]["error"], "invalid_client")
        self.assertEqual(self.exchange("guessed")[1]["error"], "invalid_grant")

    def test_a_wrong_request_of_a_browser_goes_back_with_its_name_and_to_nobody_who_is_not_registered(self):
        self.start("--redirect-uri", self.BACK, "--redirect-uri", "http://127.0.0.1/oauth/callback")
        for wrong in ({"redirect_uri": "https://evil.test/oauth/callback"}, {"redirect_uri": self.BACK + "?a=b"}, {"client_id": "x"},
                      {"redirect_uri": "http://127.0.0.2:80/oauth/callback"}, {"redirect_uri": "http://127.0.0.1:80/other"}):
            with self.subTest(wrong):
                self.assertEqual(self.authorize(**wrong), (400, {}))
        self.assertIn("code", self.authorize(redirect_uri="http://127.0.0.1:4711/oauth/callback")[1])
        for wrong, error in (({"response_type": "token"}, "unsupported_response_type"), ({"scope": "everything"}, "invalid_scope"),
                             ({"code_challenge": None}, "invalid_request"), ({"code_challenge_method": "plain"}, "invalid_request")):
            with self.subTest(wrong):
                self.assertEqual(self.authorize(**wrong)[1], {"error": error, "state": "s&1"} |
                                 ({"error_description": "code_challenge of S256 is needed"} if error == "invalid_request" else {}))
        self.vendor.order(authorize={"error": "access_denied"})
        self.assertEqual(self.authorize()[1]["error"], "access_denied")


if __name__ == "__main__":
    unittest.main()

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


if __name__ == "__main__":
    unittest.main()

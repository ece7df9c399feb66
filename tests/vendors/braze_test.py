import http.client
import json
import time
import unittest

import rules
from client import Server

TIME = "2026-03-01T10:00:00.000Z"


def event(**members):
    return {"external_id": "ada", "name": "Order Completed", "time": TIME, **members}


class BrazeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("braze.py", "--api-key", "key", "--rate", "100000").__enter__()
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        self.server.reset()

    def call(self, path, body, key="key", kind="application/json"):
        status, headers, text = self.server.request("POST", path, body,
                                                    {"Authorization": f"Bearer {key}", "Content-Type": kind})
        return status, json.loads(text), headers

    def track(self, **arrays):
        return self.call("/users/track", arrays)

    def refusal(self, array, item):
        """The text with which one object is refused beside a good one."""
        status, answer, _ = self.track(**{"attributes": [{"external_id": "good"}], array: [item]}) \
            if array != "attributes" else self.track(attributes=[item, {"external_id": "good"}])
        self.assertEqual(status, 201, answer)
        errors = answer.get("errors", [])
        if errors:
            self.assertEqual([(e["input_array"], e["index"]) for e in errors], [(array, 0)])
        return errors[0]["type"] if errors else None

    def test_what_is_accepted_is_kept_with_its_order(self):
        status, answer, headers = self.track(events=[event(name="first"), event(name="second")],
                                             attributes=[{"external_id": "ada", "city": "Paris"}])
        self.assertEqual((status, answer["message"], answer["events_processed"]), (201, "success", 2))
        self.assertIn("x-ratelimit-reset", headers)
        self.track(events=[event(name="third")])
        names = [(r["n"], r["object"]["name"]) for r in self.server.records() if r["array"] == "events"]
        self.assertEqual(names, [(1, "first"), (1, "second"), (2, "third")])
        profiles = self.server.request("GET", "/_stand-in/profiles")[2].splitlines()
        self.assertEqual(json.loads(profiles[0]), {"id": ["external_id", "ada"], "attributes": {"city": "Paris"}})

    def test_a_wrong_key_is_refused_with_401(self):
        self.assertEqual(self.call("/users/track", {"events": [event()]}, key="other")[0], 401)

    def test_an_unknown_path_is_refused_with_404(self):
        self.assertEqual(self.call("/users/nothing", {})[0], 404)

    def test_the_body_must_be_json_and_say_so(self):
        self.assertEqual(self.call("/users/track", "{")[0], 400)
        self.assertEqual(self.call("/users/track", {"events": [event()]}, kind="text/plain")[0], 400)

    def test_an_unknown_top_level_key_is_refused(self):
        self.assertEqual(self.track(events=[event()], extra=[])[0], 400)

    def test_seventy_five_objects_are_accepted_and_seventy_six_are_not(self):
        self.assertEqual(self.track(events=[event()] * 74, attributes=[{"external_id": "a"}])[0], 201)
        self.assertEqual(self.track(events=[event()] * 75, attributes=[{"external_id": "a"}])[0], 400)

    def test_a_body_over_4_mb_is_refused_with_413(self):
        self.assertEqual(self.track(attributes=[{"external_id": "a", "x": "y" * 4 * 1024 * 1024}])[0], 413)

    def test_a_bad_object_is_named_and_the_others_go_through(self):
        status, answer, _ = self.track(events=[event(), event(name=""), event()],
                                       attributes=[{"city": "nobody's"}, {"external_id": "b"}])
        self.assertEqual((status, answer["events_processed"], answer["attributes_processed"]), (201, 2, 1))
        self.assertEqual([(e["input_array"], e["index"]) for e in answer["errors"]], [("attributes", 0), ("events", 1)])
        self.assertEqual([r["outcome"] for r in self.server.records()],
                         ["accepted", "rejected", "accepted", "rejected", "accepted"])

    def test_a_request_with_nothing_valid_is_refused_with_400(self):
        self.assertEqual(self.track(events=[event(name="")])[0], 400)

    def test_each_rule_of_events_and_purchases_refuses(self):
        purchase = {"external_id": "a", "product_id": "p", "currency": "EUR", "price": 1.5, "time": TIME}
        for array, item in (
                ("events", {**event(), "email": "a@b.test"}), ("events", {"name": "x", "time": TIME}),
                ("events", event(external_id="")), ("events", event(external_id="x" * 998)),
                ("events", event(name="x" * 256)), ("events", event(time="yesterday")),
                ("events", event(time="2026-13-01T00:00:00Z")), ("events", event(time=1772000000)),
                ("events", event(surprise=1)), ("events", event(properties=[])),
                ("events", event(properties={"$x": 1})), ("events", event(properties={"k" * 256: 1})),
                ("events", event(properties={"time": 1})), ("events", event(properties={"x": "y" * 51200})),
                ("events", event(app_id=4)), ("events", event(_update_existing_only="yes")), ("events", "text"),
                ("purchases", {**purchase, "currency": "euro"}), ("purchases", {**purchase, "price": "1.5"}),
                ("purchases", {**purchase, "quantity": 0}), ("purchases", {**purchase, "quantity": 101}),
                ("purchases", {**purchase, "product_id": ""})):
            with self.subTest(array=array, item=str(item)[:100]):
                self.assertIsNotNone(self.refusal(array, item))
        self.assertIsNone(self.refusal("events", event(properties={"x": [1, {"y": None}]}, time="2026-03-01T10:00:00+02:00")))
        self.assertIsNone(self.refusal("purchases", {**purchase, "quantity": 100}))

    def test_each_standard_attribute_has_its_format(self):
        for name, good, wrong in (
                ("email", "ada@acme.test", "ada"), ("phone", "+33612345678", "06 12 34 56 78"), ("country", "FR", "France"),
                ("language", "fr", "French"), ("dob", "1980-02-29", "1981-02-29"), ("gender", "F", "female"),
                ("time_zone", "Europe/Paris", "Paris"), ("email_subscribe", "opted_in", "yes"),
                ("current_location", {"longitude": 2.3, "latitude": 48.8}, {"longitude": 2.3}),
                ("subscription_groups", [{"subscription_group_id": "g", "subscription_state": "subscribed"}], [{}]),
                ("first_name", None, 5), ("custom", {"inc": 2}, [1, 2]), ("custom", {"add": ["a"]}, {"add": "a"}),
                ("custom", True, {"inc": "1"}), ("custom", ["a", "b"], [True])):
            with self.subTest(name=name):
                self.assertIsNone(self.refusal("attributes", {"external_id": "a", name: good}))
                self.assertIsNotNone(self.refusal("attributes", {"external_id": "a", name: wrong}))

    def test_an_alias_creates_a_profile_only_when_it_is_told_to(self):
        alias = {"user_alias": {"alias_name": "p1", "alias_label": "hub"}, "city": "Lyon"}
        self.track(attributes=[alias])
        self.assertEqual((self.server.stats()["skipped"], self.server.stats()["profiles"]), (1, 0))
        self.track(attributes=[{**alias, "_update_existing_only": False}])
        self.assertEqual(self.server.stats()["profiles"], 1)

    def test_identify_merges_an_alias_into_the_known_profile(self):
        alias = {"alias_name": "p1", "alias_label": "hub"}
        self.track(attributes=[{"user_alias": alias, "_update_existing_only": False, "city": "Lyon"}])
        status, answer, _ = self.call("/users/identify", {"aliases_to_identify": [{"external_id": "ada", "user_alias": alias}]})
        self.assertEqual((status, answer["aliases_processed"]), (201, 1))
        self.track(attributes=[{"user_alias": alias, "seen": True}])
        self.assertEqual(json.loads(self.server.request("GET", "/_stand-in/profiles")[2]),
                         {"id": ["external_id", "ada"], "attributes": {"city": "Lyon", "seen": True}})

    def test_alias_new_and_merge_and_delete_follow_their_limits(self):
        alias = {"alias_name": "p", "alias_label": "hub"}
        self.assertEqual(self.call("/users/alias/new", {"user_aliases": [alias]})[0], 201)
        self.assertEqual(self.call("/users/alias/new", {"user_aliases": [alias] * 51})[0], 400)
        self.track(attributes=[{"external_id": "a"}, {"external_id": "b", "x": 1}])
        pair = {"identifier_to_merge": {"external_id": "b"}, "identifier_to_keep": {"external_id": "a"}}
        self.assertEqual(self.call("/users/merge", {"merge_updates": [pair]})[0], 202)
        self.assertEqual(self.call("/users/merge", {"merge_updates": [{}]})[0], 400)
        self.assertEqual(self.call("/users/delete", {"external_ids": ["a", "nobody"]})[1]["deleted"], 1)
        self.assertEqual(self.call("/users/delete", {"external_ids": ["x"] * 51})[0], 400)
        self.assertEqual(self.call("/users/delete", {"external_ids": ["x"], "braze_ids": ["y"]})[0], 400)
        self.assertEqual(self.call("/users/delete", {"email_addresses": [
            {"email": "a@b.test", "prioritization": ["unidentified"]}]})[1]["deleted"], 0)

    def test_subscription_states_are_set_by_group(self):
        group = {"subscription_group_id": "g", "subscription_state": "unsubscribed", "external_ids": ["a"]}
        self.assertEqual(self.call("/v2/subscription/status/set", {"subscription_groups": [group]})[0], 201)
        for wrong in ({"subscription_state": "maybe"}, {"emails": ["a@b.test"], "phones": ["+33612345678"]},
                      {"external_ids": ["a"] * 51}, {"phones": ["06"]}):
            self.assertEqual(self.call("/v2/subscription/status/set", {"subscription_groups": [{**group, **wrong}]})[0], 400)

    def test_a_campaign_is_triggered_for_each_recipient(self):
        body = {"campaign_id": "c", "recipients": [{"external_user_id": "a", "trigger_properties": {"x": 1}}]}
        status, answer, _ = self.call("/campaigns/trigger/send", body)
        self.assertEqual((status, answer["message"], self.server.stats()["messages"]), (201, "success", 1))
        for wrong in ({"broadcast": True}, {"campaign_id": ""}, {"recipients": [{"external_user_id": "a"}] * 51},
                      {"recipients": [{"external_user_id": "a", "send_to_existing_only": False}]}, {"surprise": 1}):
            self.assertEqual(self.call("/campaigns/trigger/send", {**body, **wrong})[0], 400)

    def test_orders_to_fail_are_followed_and_end(self):
        self.server.order(status=503, count=2)
        self.assertEqual([self.track(events=[event()])[0] for _ in range(3)], [503, 503, 201])
        self.server.order(status=429, retry_after=60)
        status, _, headers = self.track(events=[event()])
        self.assertEqual(status, 429)
        self.assertGreater(int(headers["x-ratelimit-reset"]), time.time() + 50)
        self.server.order(clear=True)
        self.server.order(reject_every=2)
        _, answer, _ = self.track(events=[event()] * 6)
        self.assertEqual(len(answer["errors"]), 3)
        self.server.order(clear=True)
        self.server.order(maintenance=True)
        self.assertEqual(self.track(events=[event()])[:2], (202, {"message": "queued"}))
        self.assertEqual(self.server.request("POST", "/_stand-in/fail", {"staus": 1})[0], 400)

    def test_a_cut_request_is_done_but_not_answered_and_a_refused_one_is_neither(self):
        for orders, kept in (({"down": True}, 0), ({"cut": True}, 1)):
            self.server.reset()
            self.server.order(**orders)
            with self.assertRaises((http.client.HTTPException, ConnectionError)):
                self.track(events=[event()])
            self.server.connection.close()
            self.assertEqual(self.server.stats()["events"], kept)

    def test_a_hanging_answer_arrives_late_and_holds_back_no_other_connection(self):
        self.server.order(hang_s=0.3)
        start = time.monotonic()
        self.assertEqual(self.track(events=[event()])[0], 201)
        self.assertGreaterEqual(time.monotonic() - start, 0.3)


class RateTest(unittest.TestCase):
    def test_more_requests_than_the_window_allows_are_refused_until_the_window_ends(self):
        with Server("braze.py", "--api-key", "key", "--rate", "3", "--window", "3600") as server:
            headers = {"Authorization": "Bearer key", "Content-Type": "application/json"}
            answers = [server.request("POST", "/users/track", {"events": [event()]}, headers) for _ in range(5)]
        self.assertEqual([status for status, _, _ in answers], [201, 201, 201, 429, 429])
        self.assertEqual([h["x-ratelimit-remaining"] for _, h, _ in answers], ["2", "1", "0", "0", "0"])
        self.assertGreater(int(answers[0][1]["x-ratelimit-reset"]), time.time())


class RulesTest(unittest.TestCase):
    def test_an_object_has_exactly_one_id(self):
        self.assertEqual(rules.identity({"external_id": "a", "email": "a@b.test"}, attributes=True)[0], ("external_id", "a"))
        self.assertEqual(rules.identity({"email": "A@b.test", "phone": "+33612345678"})[0], ("email", "a@b.test"))
        self.assertIsNone(rules.identity({"external_id": "a", "braze_id": "b"}, attributes=True)[0])
        self.assertIsNone(rules.identity({"user_alias": {"alias_name": "a"}})[0])


if __name__ == "__main__":
    unittest.main()

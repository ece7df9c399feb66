import hashlib
import json
import time
import unittest

from client import Server


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


ADA, BOB = sha("ada@example.com"), sha("bob@example.com")


class MetaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("meta.py", "--token", "t", "--ad-account", "1", "--session-s", "0.2", "--page", "2").__enter__()
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        self.server.reset()

    def call(self, method, path, body=None, token="t"):
        status, headers, text = self.server.request(method, "/v25.0" + path, body,
                                                    {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        return status, json.loads(text), headers

    def made(self, name="VIP"):
        answer = self.call("POST", "/act_1/customaudiences",
                           {"name": name, "subtype": "CUSTOM", "customer_file_source": "USER_PROVIDED_ONLY"})[1]
        return "/" + answer["id"]

    def users(self, audience, *emails, method="POST"):
        return self.call(method, audience + "/users", {"payload": {"schema": ["EMAIL"], "data": [[e] for e in emails]}})

    def replace(self, audience, identity, seq, last, *emails):
        return self.call("POST", audience + "/usersreplace",
                         {"session": {"session_id": identity, "batch_seq": seq, "last_batch_flag": last},
                          "payload": {"schema": ["EMAIL"], "data": [[e] for e in emails]}})

    def members(self):
        lines = self.server.request("GET", "/_stand-in/audiences")[2].splitlines()
        return [sorted(m["EMAIL"] for m in json.loads(line)["members"]) for line in lines]

    def code(self, answer):
        return answer[1]["error"]["code"], answer[1]["error"].get("error_subcode")

    def test_who_is_added_is_in_and_who_is_removed_is_out(self):
        audience = self.made()
        self.assertEqual(self.users(audience, ADA, BOB)[1]["num_received"], 2)
        self.users(audience, BOB, method="DELETE")
        self.assertEqual(self.members(), [[ADA]])

    def test_a_person_of_several_rows_is_one_member_and_is_out_by_any_of_them(self):
        audience = self.made()
        for email in (ADA, BOB):
            rows = {"payload": {"schema": ["EXTERN_ID", "EMAIL"], "data": [["u1", email]]}}
            self.assertEqual(self.call("POST", audience + "/users", rows)[0], 200)
        self.assertEqual(len(self.members()[0]), 1)
        self.users(audience, ADA, method="DELETE")
        self.assertEqual(self.members(), [[]])

    def test_another_token_and_an_audience_that_is_gone_are_refused(self):
        audience = self.made()
        self.assertEqual(self.code(self.call("GET", audience, token="other")), (190, None))
        self.server.request("POST", "/_stand-in/drop", {"id": audience[1:]})
        self.assertEqual(self.code(self.users(audience, ADA)), (100, 33))

    def test_a_row_that_is_no_hash_is_counted_and_not_taken(self):
        audience = self.made()
        answer = self.users(audience, "ada@example.com", ADA)[1]
        self.assertEqual((answer["num_invalid_entries"], self.members()), (1, [[ADA]]))

    def test_a_row_that_does_not_follow_the_schema_and_an_empty_list_are_refused(self):
        audience = self.made()
        self.assertEqual(self.code(self.users(audience)), (100, None))
        wrong = {"payload": {"schema": ["EMAIL", "FN"], "data": [[ADA]]}}
        self.assertEqual(self.code(self.call("POST", audience + "/users", wrong)), (100, None))

    def test_a_session_replaces_all_members_when_its_last_batch_has_come(self):
        audience = self.made()
        self.users(audience, sha("somebody@else.example"))
        self.assertEqual(self.replace(audience, 2**63 + 1, 1, False, ADA)[0], 200)
        self.assertEqual(self.code(self.users(audience, BOB))[0], 2650)
        self.assertEqual(self.code(self.replace(audience, 7, 1, True, BOB))[0], 2650)
        self.assertEqual(self.replace(audience, 2**63 + 1, 2, True, BOB)[0], 200)
        self.assertEqual(self.members(), [sorted([ADA, BOB])])
        self.assertEqual(self.replace(audience, 2**63 + 1, 3, True, BOB)[0], 400)

    def test_a_session_begins_with_its_first_batch_and_ends_by_itself(self):
        audience = self.made()
        self.assertEqual(self.replace(audience, 7, 2, False, ADA)[0], 400)
        self.replace(audience, 7, 1, False, ADA)
        deadline = time.monotonic() + 20
        while self.users(audience, BOB)[0] != 200:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.replace(audience, 7, 2, True, BOB)[0], 400)

    def test_a_person_added_and_removed_at_once_is_a_race(self):
        audience = self.made()
        self.users(audience, ADA)
        self.users(audience, ADA, method="DELETE")
        self.assertEqual(self.server.stats()["races"], 1)

    def test_the_list_of_audiences_comes_in_pages(self):
        made = [self.made(name) for name in ("a", "b", "c")]
        first = self.call("GET", "/act_1/customaudiences?fields=id,name&limit=200")[1]
        after = first["paging"]["cursors"]["after"]
        rest = self.call("GET", "/act_1/customaudiences?fields=id,name&limit=200&after=" + after)[1]
        self.assertEqual(["/" + a["id"] for a in first["data"] + rest["data"]], made)
        self.assertNotIn("next", rest["paging"])

    def test_orders_give_errors_and_announce_the_budget(self):
        audience = self.made()
        self.server.order(code=190, subcode=463, in_200=True, count=1)
        status, answer, _ = self.users(audience, ADA)
        self.assertEqual((status, answer["error"]["error_subcode"]), (200, 463))
        self.server.order(usage=80, regain=3)
        usage = json.loads(self.users(audience, ADA)[2]["x-business-use-case-usage"])["1"][0]
        self.assertEqual((usage["call_count"], usage["estimated_time_to_regain_access"]), (80, 3))


if __name__ == "__main__":
    unittest.main()

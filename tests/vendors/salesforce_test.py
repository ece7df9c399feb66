import json
import unittest
import urllib.parse

from client import Server

BASE = "/services/data/v61.0"


class SalesforceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("salesforce.py").__enter__()
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        self.server.reset()
        form = "grant_type=client_credentials&client_id=hub&client_secret=s3cret"
        self.token = json.loads(self.server.request("POST", "/services/oauth2/token", form)[2])["access_token"]

    def call(self, method, path, body=None, **headers):
        status, self.headers, text = self.server.request(method, BASE + path, body, {"Authorization": "Bearer " + self.token, **headers})
        return status, json.loads(text) if text.startswith(("{", "[")) else text

    def query(self, text, verb="query"):
        return self.call("GET", f"/{verb}?q=" + urllib.parse.quote(text))

    def upsert(self, *records, key="Numero_Client__c"):
        records = [{"attributes": {"type": "Contact"}, **record} for record in records]
        return self.call("PATCH", "/composite/sobjects/Contact/" + key, {"allOrNone": False, "records": records})

    def codes(self, *records):
        return [one["errors"][0]["statusCode"] if one["errors"] else "" for one in self.upsert(*records)[1]]

    def test_without_a_session_nothing_is_answered(self):
        self.token = "other"
        status, body = self.query("SELECT Id FROM Contact")
        self.assertEqual((status, body[0]["errorCode"]), (401, "INVALID_SESSION_ID"))

    def test_records_are_upserted_by_external_id_and_judged_one_by_one(self):
        good = {"Numero_Client__c": "u1", "LastName": "A"}
        first, second = self.upsert(good, {"Numero_Client__c": "u2"})[1]
        self.assertTrue(first["success"] and first["created"])
        self.assertEqual(second["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING")
        self.assertFalse(self.upsert({"Numero_Client__c": "u1", "FirstName": "B"})[1][0]["created"])
        self.assertEqual(self.codes({**good, "Email": "none"}, {**good, "Numero_Client__c": "3", "Level__c": "Tin"},
                                    {**good, "Numero_Client__c": "4", "Nope": 1}),
                         ["INVALID_EMAIL_ADDRESS", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "INVALID_FIELD"])
        self.assertEqual(self.codes(good, good), ["DUPLICATE_VALUE", "DUPLICATE_VALUE"])
        self.assertEqual(self.upsert(*[good] * 201)[0], 400)
        self.assertEqual(self.upsert(good, key="FirstName")[0], 404)

    def test_a_query_gives_what_it_names_in_order_and_pages(self):
        self.server.request("POST", "/_stand-in/rows", {"object": "Contact", "rows": [
            {"LastName": f"L{n}", "SystemModstamp": f"2026-01-0{n}T00:00:00.000+0000"} for n in (2, 1, 3)]})
        self.server.order(page=2)
        status, first = self.query("SELECT Id, LastName FROM Contact WHERE SystemModstamp >= 2026-01-01T00:00:00Z ORDER BY SystemModstamp, Id")
        self.assertEqual((status, first["done"], [one["LastName"] for one in first["records"]]), (200, False, ["L1", "L2"]))
        self.assertIn("api-usage=", self.headers["sforce-limit-info"])
        rest = self.call("GET", first["nextRecordsUrl"].removeprefix(BASE))[1]
        self.assertEqual((rest["done"], rest["records"][0]["LastName"], "SystemModstamp" in rest["records"][0]), (True, "L3", False))

    def test_queries_that_soql_would_not_take_are_refused(self):
        for text, code in (("SELECT Nope FROM Contact", "INVALID_FIELD"), ("SELECT Id FROM Contacts", "INVALID_TYPE"),
                           ("SELECT Id Contact", "MALFORMED_QUERY"),
                           ("SELECT Id FROM Contact WHERE SystemModstamp >= '2026-01-01T00:00:00Z' AND SystemModstamp < yesterday", "MALFORMED_QUERY")):
            status, body = self.query(text)
            self.assertEqual((status, body[0]["errorCode"]), (400, code), text)

    def test_deleted_rows_are_in_query_all_alone(self):
        key = self.upsert({"Numero_Client__c": "u1", "LastName": "A"})[1][0]["id"]
        self.assertEqual(self.call("DELETE", f"/composite/sobjects?ids={key}&allOrNone=false")[1][0]["success"], True)
        self.assertEqual(self.query("SELECT Id FROM Contact")[1]["totalSize"], 0)
        self.assertEqual(self.query("SELECT Id, IsDeleted FROM Contact", "queryAll")[1]["records"][0]["IsDeleted"], True)
        self.assertEqual(self.call("DELETE", f"/composite/sobjects?ids={key}")[1][0]["errors"][0]["statusCode"], "ENTITY_IS_DELETED")

    def test_a_job_gives_csv_by_locators(self):
        self.upsert(*({"Numero_Client__c": f"u{n}", "LastName": 'A "b",\n'} for n in range(3)))
        job = self.call("POST", "/jobs/query", {"operation": "query", "query": "SELECT Id, LastName, Is_VIP__c FROM Contact"})[1]
        self.assertEqual(self.call("GET", "/jobs/query/" + job["id"])[1]["state"], "InProgress")
        self.assertEqual(self.call("GET", "/jobs/query/" + job["id"])[1]["state"], "JobComplete")
        text = self.call("GET", f"/jobs/query/{job['id']}/results?maxRecords=2")[1]
        self.assertEqual((self.headers["sforce-locator"], self.headers["sforce-numberofrecords"]), ("2", "2"))
        self.assertTrue(text.startswith('"Id","LastName","Is_VIP__c"\n') and text.endswith('"A ""b"",\n","false"\n'), text)
        self.call("GET", f"/jobs/query/{job['id']}/results?maxRecords=2&locator=2")
        self.assertEqual(self.headers["sforce-locator"], "null")

    def test_a_member_joins_a_campaign_once(self):
        self.upsert({"Numero_Client__c": "u1", "LastName": "A"})
        campaign = self.call("POST", "/sobjects/Campaign", {"Name": "VIP"})[1]["id"]
        member = {"attributes": {"type": "CampaignMember"}, "CampaignId": campaign,
                  "Contact": {"attributes": {"type": "Contact"}, "Numero_Client__c": "u1"}}
        answers = [self.call("POST", "/composite/sobjects", {"allOrNone": False, "records": [member]})[1][0] for _ in range(2)]
        self.assertEqual([one["success"] for one in answers], [True, False])
        self.assertEqual(answers[1]["errors"][0]["statusCode"], "DUPLICATE_VALUE")

    def test_members_of_both_objects_are_counted_apart(self):
        self.upsert({"Numero_Client__c": "u1", "LastName": "A"})
        campaign = self.call("POST", "/sobjects/Campaign", {"Name": "VIP"})[1]["id"]
        leads = [self.call("POST", "/sobjects/Lead", {"LastName": name, "Company": "C", "Numero_Client__c": name})[1]["id"] for name in "AB"]
        for who in ({"LeadId": leads[0]}, {"LeadId": leads[1]}, {"Contact": {"Numero_Client__c": "u1"}}):
            self.assertEqual(self.call("POST", "/sobjects/CampaignMember", {"CampaignId": campaign, **who})[0], 201)
        count = f"SELECT COUNT() FROM CampaignMember WHERE CampaignId = '{campaign}' AND ContactId "
        self.assertEqual([self.query(count + which)[1] for which in ("= null", "!= null")],
                         [{"totalSize": n, "done": True, "records": []} for n in (2, 1)])

    def test_a_url_and_its_headers_have_16_kb(self):
        text = "SELECT Id FROM Contact WHERE LastName = '{}'"
        self.assertEqual(self.query(text.format("a" * 15_000))[0], 200)
        self.assertEqual(self.query(text.format("é" * 4_000))[0], 414, "as it is encoded")

    def test_a_used_up_limit_is_403(self):
        self.server.order(usage=[10, 10])
        status, body = self.query("SELECT Id FROM Contact")
        self.assertEqual((status, body[0]["errorCode"], self.headers["sforce-limit-info"]), (403, "REQUEST_LIMIT_EXCEEDED", "api-usage=10/10"))


if __name__ == "__main__":
    unittest.main()

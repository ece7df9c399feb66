import json
import smtplib
import tempfile
import unittest

from client import Server

MAIL = ("From: Shop <shop@acme.test>\r\nTo: ada@acme.test\r\nSubject: =?utf-8?q?Caf=C3=A9?=\r\nMessage-ID: <1@acme.test>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBonjour\r\n")


class MailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.file = tempfile.NamedTemporaryFile(suffix=".jsonl")
        cls.addClassCleanup(cls.file.close)
        cls.server = Server("mail.py", "--file", cls.file.name).__enter__()
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        self.server.reset()

    def send(self, to="ada@acme.test"):
        with smtplib.SMTP("127.0.0.1", self.server.ports[0], timeout=10) as smtp:
            smtp.sendmail("shop@acme.test", [to], MAIL)

    def test_a_mail_is_kept_with_its_decoded_parts(self):
        self.send()
        record, = self.server.records()
        self.assertEqual((record["from"], record["to"], record["subject"], record["text"].strip()),
                         ("shop@acme.test", ["ada@acme.test"], "Café", "Bonjour"))
        with open(self.file.name, encoding="utf-8") as lines:
            self.assertEqual(json.loads(lines.readlines()[-1])["subject"], "Café")

    def test_orders_answer_at_the_step_that_they_name(self):
        for at, error in (("mail", smtplib.SMTPSenderRefused), ("rcpt", smtplib.SMTPRecipientsRefused),
                          ("data", smtplib.SMTPDataError)):
            self.server.order(status=451, at=at, count=1)
            with self.assertRaises(error):
                self.send()
            self.send()
        self.assertEqual(self.server.stats()["messages"], 3)

    def test_a_connection_cut_at_data_has_kept_the_message(self):
        self.server.order(cut=True, at="data")
        with self.assertRaises(smtplib.SMTPServerDisconnected):
            self.send()
        self.assertEqual(self.server.stats()["messages"], 1)

    def test_every_nth_recipient_can_be_refused(self):
        self.server.order(reject_every=2)
        self.send()
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            self.send()

    def test_a_server_with_a_password_asks_for_it(self):
        with Server("mail.py", "--user", "u", "--password", "p") as server:
            with smtplib.SMTP("127.0.0.1", server.ports[0], timeout=10) as smtp:
                with self.assertRaises(smtplib.SMTPSenderRefused):
                    smtp.sendmail("shop@acme.test", ["ada@acme.test"], MAIL)
            with smtplib.SMTP("127.0.0.1", server.ports[0], timeout=10) as smtp:
                self.assertRaises(smtplib.SMTPAuthenticationError, smtp.login, "u", "wrong")
                smtp.login("u", "p")
                smtp.sendmail("shop@acme.test", ["ada@acme.test"], MAIL)


if __name__ == "__main__":
    unittest.main()

"""Tests a running server with PyPI mailpit-api-client: list, get, headers, attachment, wait, delete."""

import os
import smtplib
import time
from email.message import EmailMessage

from mailpit.client.api import API

client = API(os.environ["MARTINET"])
client.delete_messages([])
host, port = os.environ["MARTINET_SMTP"].split(":")
for subject in ("Grüße", "second"):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "A <a@example.test>", "b@contoso.test", subject
    message["Message-ID"], message["Date"] = "<1@example.test>", "Sat, 21 Nov 2026 08:00:00 +0000"
    message.set_content("words\n")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="a.pdf")
    with smtplib.SMTP(host, int(port), local_hostname="mail.example.test") as smtp:
        smtp.send_message(message)

deadline = time.monotonic() + 10
while client.get_messages(limit=10).total < 2:
    assert time.monotonic() < deadline, "the messages never came"
messages = client.get_messages(limit=10, start=0)
assert [m.subject for m in messages.messages] == ["second", "Grüße"], messages
first = messages.messages[1]
whole = client.get_message(first.id)
assert whole.text.strip() == "words", whole
assert whole.attachments[0].file_name == "a.pdf", whole
headers = client.get_message_headers(first.id)
assert headers.message_id == ["<1@example.test>"], headers
assert client.get_message_attachment(first.id, whole.attachments[0].part_id) == "%PDF-"
client.put_messages([first.id], "Read", False)
client.delete_messages([first.id])
left = client.get_messages()
assert left.total == 1 and left.messages[0].subject == "second", left
client.delete_messages([])
assert client.get_messages().total == 0
print("PyPI mailpit-api-client: passed")

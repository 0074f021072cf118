// Sends one message with an attachment.
import net from "node:net";

const message = (subject) => `From: A <a@example.test>\r
To: B <b@contoso.test>\r
Subject: =?utf-8?B?${Buffer.from(subject).toString("base64")}?=\r
Date: Sat, 21 Nov 2026 08:00:00 +0000\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="x"\r
\r
--x\r
Content-Type: text/plain\r
\r
words\r
--x\r
Content-Type: application/pdf\r
Content-Disposition: attachment; filename="a.pdf"\r
Content-Transfer-Encoding: base64\r
\r
JVBERi0=\r
--x--\r
.\r
`;

export async function send(address, subject) {
  const [host, port] = address.split(":");
  const socket = net.connect(Number(port), host);
  const lines = ["EHLO mail.example.test", "MAIL FROM:<a@example.test>", "RCPT TO:<b@contoso.test>", "DATA"];
  socket.write(lines.map((line) => `${line}\r\n`).join("") + message(subject) + "QUIT\r\n");
  let said = "";
  for await (const octets of socket) said += octets;
  if (!said.includes("250 2.0.0 Ok")) throw new Error(said);
}

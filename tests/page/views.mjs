// The views of the page, and the content of the world that they show.
import { speak } from "./server.mjs";

export const OFFICE = "na01-bn1-obe.outbound.protection.outlook.com";
export const HONEST = "mail-bn1lp0149.outbound.protection.outlook.com";
/** A reply in the log of a mail server. */
export const BOUNCE = "550 5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.10]";
export const HOSTILE = "<script>alert('helo')</script>";
/** Every view, by its address and the start of its title. Session 1 was rejected, message 1 has HTML and parts. */
export const views = (world = "") => [
  [`#${world}/sessions`, "Sessions"], [`#${world}/sessions?verdict=reject`, "Sessions"], [`#${world}/sessions/1`, "Session 1"],
  [`#${world}/mail`, "Mail"], [`#${world}/mail/1`, "Message 1"], [`#${world}/mail/1?show=headers`, "Message 1"],
  [`#${world}/mail/1?show=source`, "Message 1"], [`#${world}/mail/1?show=parts`, "Message 1"],
  [`#${world}/dns`, "DNS"], [`#${world}/dns/zones`, "DNS"], [`#${world}/dns/faults`, "DNS"],
  [`#${world}/what-if?client_address=207.46.163.149&helo=${OFFICE}`, "What if"],
  [`#${world}/what-if?client_address=207.46.163.149&helo=${OFFICE}&receiver=all`, "What if"],
  [`#${world}/matrix?scenario=office365&group=generic`, "Matrix"], [`#${world}/bounce?text=${encodeURIComponent(BOUNCE)}`, "Bounce"],
  [`#${world}/setup`, "Scenario"], [`#${world}/worlds`, "Worlds"],
];

export const message = [
  "From: Eve <a@example.test>", "To: b@contoso.test", "Subject: =?utf-8?Q?=3Cscript=3Ealert(1)=3C/script=3E?=", "MIME-Version: 1.0",
  "Content-Type: multipart/mixed; boundary=x", "", "--x", "Content-Type: text/html; charset=utf-8", "",
  "<html><head><script>alert(2)</script><link rel=stylesheet href=http://spy.test/s.css><meta http-equiv=refresh content='0;url=http://spy.test/'></head>",
  "<body onload=alert(3)><style>p{background:url(http://spy.test/b)}</style><p style='color:red;background:url(http://spy.test/p)'>Hello</p>",
  "<img src=http://spy.test/i.png><img src=x onerror=alert(4)><iframe src=http://spy.test/></iframe><svg onload=alert(5)><a href='javascript:alert(6)'>x</a></svg>",
  "<form action=http://spy.test/><input autofocus onfocus=alert(7)></form></body></html>", "--x",
  "Content-Type: text/html; name=\"\\\"><img src=x onerror=alert(8)>.html\"",
  "Content-Disposition: attachment; filename=\"\\\"><img src=x onerror=alert(8)>.html\"", "", "<script>alert(9)</script>", "--x--", "",
].join("\r\n");

/** A rejected session and an accepted message with HTML and parts: session and message 1 of the views. */
export async function prepare(server) {
  await speak(server.smtp, ["XCLIENT ADDR=207.46.163.149", `EHLO ${OFFICE}`, "QUIT"]);
  await speak(server.smtp, ["XCLIENT ADDR=207.46.163.149", `EHLO ${HONEST}`, "MAIL FROM:<a@example.test>", "RCPT TO:<b@contoso.test>", "DATA", `${message}\r\n.`, "QUIT"]);
}

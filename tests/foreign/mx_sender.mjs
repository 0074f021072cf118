// Sends one message as an application does: MX and address by Node's own resolver (c-ares), then port 25.
//
//     node mx_sender.mjs RECIPIENT HELO
//
// Prints the last reply. The exit code is 0 if the message is accepted, otherwise 1.

import dns from "node:dns/promises";
import net from "node:net";
import { createInterface } from "node:readline";

const [recipient, helo] = process.argv.slice(2);
const exchanges = await dns.resolveMx(recipient.slice(recipient.lastIndexOf("@") + 1));
exchanges.sort((a, b) => a.priority - b.priority);
const [address] = await dns.resolve4(exchanges[0].exchange);
const socket = net.connect(25, address);
const lines = createInterface({ input: socket })[Symbol.asyncIterator]();

async function reply() {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) throw new Error("the connection has ended");
    if (value[3] !== "-") return value;
  }
}

let last = await reply();
for (const line of [`EHLO ${helo}`, "MAIL FROM:<postmaster@example.test>", `RCPT TO:<${recipient}>`, "DATA", "Subject: hello\r\n\r\nHello.\r\n."]) {
  if (last[0] > "3") break;
  socket.write(`${line}\r\n`);
  last = await reply();
}
console.log(last);
socket.end("QUIT\r\n");
process.exitCode = last[0] === "2" ? 0 : 1;

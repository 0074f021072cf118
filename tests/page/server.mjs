// A separate server for each file of tests, and clients that send to it.
import { spawn } from "node:child_process";
import net from "node:net";

export const program = process.env.MARTINET_PROGRAM ?? "target/debug/martinet";

/** Starts the server; `stop` ends it. */
export async function start(...options) {
  const child = spawn(program, ["serve", "--smtp", "127.0.0.1:0", "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--format", "json", ...options],
    { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  const ready = await new Promise((resolve, reject) => {
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout.on("data", (data) => {
      text += data;
      if (text.includes("\n")) resolve(JSON.parse(text.split("\n")[0]));
    });
  });
  const base = `http://${ready.http}`;
  return {
    base, smtp: ready.smtp,
    stop: () => new Promise((resolve) => {
      child.removeAllListeners("exit");
      child.on("exit", resolve);
      child.kill();
    }),
    async call(method, path, body) {
      const answer = await fetch(base + path, { method, body: body && JSON.stringify(body), headers: { "Content-Type": "application/json" } });
      if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
      return answer.status === 204 ? undefined : answer.json();
    },
  };
}

/** Sends lines, each after the reply to the one before; returns the server's output. */
export async function speak(address, lines) {
  const at = address.lastIndexOf(":");
  const socket = net.connect(Number(address.slice(at + 1)), address.slice(0, at));
  let said = "";
  let replies = 0;
  const waiting = [...lines];
  await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", resolve);
    socket.on("data", (data) => {
      said += data;
      const ends = said.split("\r\n").filter((line) => /^\d{3} /.test(line)).length;
      for (; replies < ends; replies += 1) {
        const next = waiting.shift();
        if (next === undefined) socket.end();
        else socket.write(`${next}\r\n`);
      }
    });
  });
  return said;
}

/** Sends one message. */
export const deliver = (address, helo, message, sender = "a@example.test") =>
  speak(address, [`EHLO ${helo}`, `MAIL FROM:<${sender}>`, "RCPT TO:<b@contoso.test>", "DATA", `${message}\r\n.`, "QUIT"]);

/** Sends many messages over one connection, without waiting between them. */
export async function flood(address, helo, from, to) {
  const at = address.lastIndexOf(":");
  const socket = net.connect(Number(address.slice(at + 1)), address.slice(0, at));
  const one = (number) => `MAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\nSubject: Message ${number}\r\n\r\nIt works.\r\n.\r\n`;
  let said = "";
  let sent = from;
  const expected = 1 + 1 + (to - from) * 4;
  await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`closed: ${said.slice(-200)}`)));
    let replies = 0;
    socket.on("data", (data) => {
      said += data;
      const lines = said.split("\r\n");
      said = lines.pop();
      replies += lines.filter((line) => /^\d{3} /.test(line)).length;
      if (replies === expected) {
        socket.removeAllListeners("close");
        socket.end("QUIT\r\n");
        resolve();
      }
      // A few messages at a time are in flight.
      while (sent < to && sent - from < (replies - 2) / 4 + 20) {
        socket.write(one(sent));
        sent += 1;
      }
    });
    socket.write(`EHLO ${helo}\r\n`);
  });
}

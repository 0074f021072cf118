// Tests the Node module for testcontainers with the engine at DOCKER_HOST. Needs the package `testcontainers` and a link
// to clients/node.
import net from "node:net";
import { MartinetContainer } from "martinet/testcontainers";

const container = await new MartinetContainer("localhost/martinet:latest").withScenario("no-ptr").withReceiver("fcrdns").start();
try {
  const world = await container.world();
  net.connect(container.getSmtpPort(), container.getSmtpHost()).end("EHLO mail.example.test\r\nMAIL FROM:<a@example.test>\r\nQUIT\r\n");
  await (await world.waitForSession()).assertRejected({ rule: "iprev", code: 550 });
  console.log("testcontainers for Node: refused by iprev");
} finally {
  await container.stop();
}

// A module for npm's `testcontainers`: martinet as a container.

import { GenericContainer, Wait } from "testcontainers";

import { Server } from "./index.js";

const SMTP_PORT = 1025;
const HTTP_PORT = 8025;

/** The image `martinet`, ready when `/readyz` says so. Its files are below /scenarios. */
export class MartinetContainer extends GenericContainer {
  constructor(image = "martinet") {
    super(image);
    this.withExposedPorts(SMTP_PORT, HTTP_PORT).withWaitStrategy(Wait.forHttp("/readyz", HTTP_PORT));
  }

  /** Sets the scenario: a name, or ./FILE below /scenarios. */
  withScenario(scenario) {
    return this.withEnvironment({ MARTINET_SCENARIO: scenario });
  }

  /** Sets the receiver: a name, or ./FILE below /scenarios. */
  withReceiver(receiver) {
    return this.withEnvironment({ MARTINET_RECEIVER: receiver });
  }

  async start() {
    return new StartedMartinetContainer(await super.start());
  }
}

export class StartedMartinetContainer {
  constructor(container) {
    this.container = container;
  }

  getSmtpHost() {
    return this.container.getHost();
  }

  getSmtpPort() {
    return this.container.getMappedPort(SMTP_PORT);
  }

  getHttpUrl() {
    return `http://${this.container.getHost()}:${this.container.getMappedPort(HTTP_PORT)}`;
  }

  /** Returns the main world; its SMTP address is that of this host, and its DNS server has no port here. */
  async world() {
    const world = await new Server(this.getHttpUrl()).existingWorld("main");
    const [smtpHost, smtpPort] = [this.getSmtpHost(), this.getSmtpPort()];
    return Object.assign(world, { smtpHost, smtpPort, smtp: `${smtpHost}:${smtpPort}` });
  }

  async stop(options) {
    return this.container.stop(options);
  }
}

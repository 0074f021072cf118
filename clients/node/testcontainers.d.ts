import type { GenericContainer, StartedTestContainer, StopOptions, StoppedTestContainer } from "testcontainers";
import type { World } from "./index.js";

export declare class MartinetContainer extends GenericContainer {
  constructor(image?: string);
  withScenario(scenario: string): this;
  withReceiver(receiver: string): this;
  start(): Promise<any>;
}

export declare class StartedMartinetContainer {
  container: StartedTestContainer;
  getSmtpHost(): string;
  getSmtpPort(): number;
  getHttpUrl(): string;
  world(): Promise<World>;
  stop(options?: Partial<StopOptions>): Promise<StoppedTestContainer>;
}

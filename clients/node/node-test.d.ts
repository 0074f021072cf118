import type { TestContext } from "node:test";
import type { World, WorldOptions } from "./index.js";
export declare function world(t: TestContext, options?: WorldOptions): Promise<World>;

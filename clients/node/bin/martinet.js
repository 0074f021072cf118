#!/usr/bin/env node
import { spawnSync } from "node:child_process";
import { findBinary } from "../process.js";

const ended = spawnSync(findBinary(), process.argv.slice(2), { stdio: "inherit" });
process.exit(ended.status ?? 2);

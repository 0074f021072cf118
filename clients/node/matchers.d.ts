import type { Session } from "./index.js";
type Result = Promise<{ pass: boolean; message: () => string }>;
export declare function toBeRefusedBy(session: Session, rule: string, code?: number): Result;
export declare function toBeAccepted(session: Session): Result;

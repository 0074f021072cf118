export type Verdict = "none" | "accept" | "defer" | "reject";
export type Source = "rule" | "script" | "recipient" | "protocol";
export type Stage = "connect" | "helo" | "mail" | "rcpt" | "data" | "eod";

export interface Remedy { text: string; all_of: Record<string, unknown>[]; }

export interface Refusal {
  source: Source; rule?: string; stage: Stage; code: number; enhanced?: string; reply: string[]; temporary: boolean; why: string;
  remedies: { one_of: Remedy[] };
}

export interface Transaction { sender: string; recipients: string[]; verdict: Verdict; reply: string[]; message?: number; }

export interface Message { id: number; session: number; at: string; sender: string; recipients: string[]; [field: string]: unknown; }

export interface Query { id: number; client_address: string; client_port: number; name: string; type: string; rcode: string; answers: string[]; [field: string]: unknown; }

export interface SessionFilter {
  client_address?: string; helo?: string; receiver?: string; verdict?: Verdict; transaction?: Verdict; rule?: string; source?: Source; stage?: Stage; code?: number;
  enhanced?: string; sender?: string; recipient?: string; since?: string;
}

export interface Wanted { rule?: string; code?: number; enhanced?: string; stage?: Stage; source?: Source; }

export interface WorldOptions { scenario?: string | object; receiver?: string | object; client?: string | object; name?: string; }

export interface Outcome { id: number; met: boolean; [field: string]: unknown; }

export declare class MartinetError extends Error { problem?: Record<string, unknown>; }
export declare class WaitTimeout extends Error { result: Record<string, unknown>; }

export declare class Session {
  id: number; verdict: Verdict; client_address: string; helo: string; sender: string; recipients: string[]; reply: string[]; code?: number;
  rule?: string; stage?: Stage; source?: Source; closed_by?: string; refusals: Refusal[]; transactions: Transaction[];
  story(): Promise<string>;
  picture(): Promise<string>;
  assertAccepted(): Promise<this>;
  assertRejected(wanted?: Wanted): Promise<this>;
  assertDeferred(wanted?: Wanted): Promise<this>;
}

export declare class World {
  server: Server; name: string; scenario: string; receiver: string; smtp: string; dns: string;
  smtpHost: string; smtpPort: number; dnsHost: string; dnsPort: number;
  delete(): Promise<void>;
  waitForSession(filter?: SessionFilter, options?: { timeout?: number }): Promise<Session>;
  waitForSessions(count: number, filter?: SessionFilter, options?: { timeout?: number }): Promise<Session[]>;
  waitForMail(filter?: Record<string, unknown>, options?: { count?: number; timeout?: number }): Promise<Message[]>;
  waitForQueries(filter?: Record<string, unknown>, options?: { count?: number; timeout?: number }): Promise<Query[]>;
  sessions(filter?: SessionFilter): Promise<Session[]>;
  mail(filter?: Record<string, unknown>): Promise<Message[]>;
  content(message: Message): Promise<string>;
  expect(name: string, sessions: SessionFilter, times?: { least: number; most?: number }): Promise<Outcome>;
  verify(): Promise<void>;
  advance(by: string): Promise<void>;
  setReceiver(receiver: string | object): Promise<void>;
  setScenario(scenario: string | object): Promise<void>;
  setClient(client: string | object): Promise<void>;
  setFaults(...faults: object[]): Promise<void>;
  setZone(origin: string, text: string): Promise<void>;
  reset(options?: { only?: "journal" }): Promise<void>;
}

export declare class Server {
  constructor(url: string, stop?: () => Promise<void>);
  url: string;
  close(): Promise<void>;
  world(options?: WorldOptions): Promise<World>;
  existingWorld(name: string): Promise<World>;
  check(query: { client_address: string; helo: string; scenario?: string; receiver?: string; sender?: string; recipient?: string }): Promise<Record<string, unknown>[]>;
}

export declare function serve(options?: { url?: string; args?: string[] }): Promise<Server>;
export declare function findBinary(): string;

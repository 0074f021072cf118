// Matchers for `expect.extend` of Vitest and Jest.

/** `await expect(session).toBeRefusedBy("iprev", 550)`: a rule refused the session, with this reply code if given. */
export async function toBeRefusedBy(session, rule, code) {
  const pass = session.refusals.some((refusal) => refusal.rule === rule && (code === undefined || refusal.code === code));
  const wanted = code === undefined ? rule : `${rule} with ${code}`;
  const story = await session.story();
  const message = () => `expected a session ${pass ? "not " : ""}refused by ${wanted}\n\n${story}`;
  return { pass, message };
}

/** `await expect(session).toBeAccepted()`: a message was acknowledged and nothing refused. */
export async function toBeAccepted(session) {
  const pass = session.verdict === "accept";
  const story = await session.story();
  return { pass, message: () => `expected a session ${pass ? "not " : ""}accepted\n\n${story}` };
}

package martinet;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** Assertions about sessions; a failure prints the session. */
public final class Assertions {
    private Assertions() {}

    /** Starts assertions about a session. */
    public static SessionAssert assertThat(Session session) {
        return new SessionAssert(session);
    }

    /** Assertions about one session. Conditions on a refusal must all hold for the same one. */
    public static final class SessionAssert {
        private final Session session;
        private final List<String> wanted = new ArrayList<>();
        private List<Refusal> refusals;

        private SessionAssert(Session session) {
            this.session = session;
            this.refusals = session.refusals();
        }

        /** Fails unless a message was acknowledged and nothing refused. */
        public SessionAssert isAccepted() {
            return verdict(Verdict.ACCEPT);
        }

        /** Fails unless a 5yz reply refused the session. */
        public SessionAssert isRejected() {
            return verdict(Verdict.REJECT);
        }

        /** Fails unless a 4yz reply refused the session. */
        public SessionAssert isDeferred() {
            return verdict(Verdict.DEFER);
        }

        /** Fails unless this rule refused the session. */
        public SessionAssert byRule(String rule) {
            return refusal("rule " + rule, refusal -> rule.equals(refusal.rule()));
        }

        /** Fails unless the session was refused with this reply code. */
        public SessionAssert withCode(int code) {
            return refusal("code " + code, refusal -> code == refusal.code());
        }

        /** Fails unless the session was refused with this enhanced status code. */
        public SessionAssert withEnhanced(String enhanced) {
            return refusal("enhanced " + enhanced, refusal -> enhanced.equals(refusal.enhanced()));
        }

        private SessionAssert verdict(Verdict verdict) {
            wanted.add("verdict " + verdict);
            return check(session.verdict() == verdict);
        }

        private SessionAssert refusal(String what, Predicate<Refusal> fits) {
            wanted.add(what);
            refusals = refusals.stream().filter(fits).toList();
            return check(!refusals.isEmpty());
        }

        private SessionAssert check(boolean holds) {
            if (holds) return this;
            var found = new ArrayList<>(List.of(session.verdict().toString()));
            if (session.rule() != null) found.add(session.rule());
            if (session.code() != 0) found.add(String.valueOf(session.code()));
            throw new AssertionError(
                "expected a session with " + String.join(", ", wanted) + ", found " + String.join(", ", found) + "\n\n" + session.told());
        }
    }
}

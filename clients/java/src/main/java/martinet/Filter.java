package martinet;

import java.util.LinkedHashMap;
import java.util.Map;

/** Conditions on sessions, messages or DNS queries, all of which must hold. The names are those of the HTTP API. */
public final class Filter {
    private final Map<String, Object> conditions = new LinkedHashMap<>();

    private Filter() {}

    /** Matches everything. */
    public static Filter any() {
        return new Filter();
    }

    /** Adds a condition by its name in the API: {@code client_address}, {@code sender}, {@code recipient}, {@code type} and others. */
    public Filter with(String name, Object value) {
        conditions.put(name, value);
        return this;
    }

    /** Matches sessions that this rule refused. */
    public Filter rule(String rule) {
        return with("rule", rule);
    }

    /** Matches sessions that were refused with this reply code. */
    public Filter code(int code) {
        return with("code", code);
    }

    /** Matches sessions with this verdict. */
    public Filter verdict(Verdict verdict) {
        return with("verdict", verdict.toString());
    }

    /** Matches sessions with this HELO name. */
    public Filter helo(String helo) {
        return with("helo", helo);
    }

    /** Matches sessions and messages with this envelope recipient. */
    public Filter recipient(String recipient) {
        return with("recipient", recipient);
    }

    /** Matches sessions and messages with this envelope sender. */
    public Filter sender(String sender) {
        return with("sender", sender);
    }

    Map<String, Object> conditions() {
        return conditions;
    }
}

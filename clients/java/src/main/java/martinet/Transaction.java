package martinet;

import java.util.List;

/**
 * A transaction of a session.
 *
 * @param sender the envelope sender
 * @param recipients the envelope recipients
 * @param verdict its verdict
 * @param reply the lines of the last reply
 * @param message the number of the accepted message, 0 without one
 */
public record Transaction(String sender, List<String> recipients, Verdict verdict, List<String> reply, int message) {
    static Transaction of(Object view) {
        var fields = Json.object(view);
        return new Transaction(
            (String) fields.get("sender"), Json.strings(fields.get("recipients")), Verdict.of(fields.get("verdict")),
            Json.strings(fields.get("reply")), Json.number(fields.get("message")));
    }
}

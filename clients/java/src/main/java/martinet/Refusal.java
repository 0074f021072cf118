package martinet;

import java.util.List;

/**
 * A 4yz or 5yz reply of a session, with its reason. {@code rule} and {@code enhanced} are null if there is none.
 *
 * @param source rule, script, recipient or protocol
 * @param rule the rule that refused
 * @param stage connect, helo, mail, rcpt, data or eod
 * @param code the reply code
 * @param enhanced the enhanced status code
 * @param reply the lines of the reply
 * @param temporary whether the reply is 4yz
 * @param why the reason as text
 * @param remedies the alternatives that fix it
 */
public record Refusal(
    String source, String rule, String stage, int code, String enhanced, List<String> reply, boolean temporary, String why, List<Remedy> remedies) {

    static Refusal of(Object view) {
        var fields = Json.object(view);
        var remedies = Json.list(Json.object(fields.get("remedies")).get("one_of")).stream().map(Remedy::of).toList();
        return new Refusal(
            (String) fields.get("source"), (String) fields.get("rule"), (String) fields.get("stage"), Json.number(fields.get("code")),
            (String) fields.get("enhanced"), Json.strings(fields.get("reply")), Boolean.TRUE.equals(fields.get("temporary")),
            (String) fields.get("why"), remedies);
    }
}

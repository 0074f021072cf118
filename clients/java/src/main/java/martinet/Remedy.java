package martinet;

import java.util.List;
import java.util.Map;

/**
 * One way to fix a refusal.
 *
 * @param text the instruction
 * @param allOf the changes, all of which are needed
 */
public record Remedy(String text, List<Map<String, Object>> allOf) {
    static Remedy of(Object view) {
        var fields = Json.object(view);
        return new Remedy((String) fields.get("text"), Json.list(fields.get("all_of")).stream().map(Json::object).toList());
    }
}

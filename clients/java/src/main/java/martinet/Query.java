package martinet;

import java.util.List;

/**
 * A DNS query with its answer.
 *
 * @param id its number
 * @param clientAddress the address of the client
 * @param name the name in the question
 * @param type the type in the question
 * @param rcode the RCODE of the answer
 * @param answers the records of the answer section
 */
public record Query(int id, String clientAddress, String name, String type, String rcode, List<String> answers) {
    static Query of(Object view) {
        var fields = Json.object(view);
        return new Query(
            Json.number(fields.get("id")), (String) fields.get("client_address"), (String) fields.get("name"), (String) fields.get("type"),
            (String) fields.get("rcode"), Json.strings(fields.get("answers")));
    }
}

package martinet;

import java.util.List;

/** An accepted message. */
public final class Message {
    private final World world;
    private final int id;
    private final int session;
    private final String sender;
    private final List<String> recipients;

    Message(World world, Object view) {
        var fields = Json.object(view);
        this.world = world;
        id = Json.number(fields.get("id"));
        session = Json.number(fields.get("session"));
        sender = (String) fields.get("sender");
        recipients = Json.strings(fields.get("recipients"));
    }

    /** Returns its number. */
    public int id() {
        return id;
    }

    /** Returns the number of its session. */
    public int session() {
        return session;
    }

    /** Returns the envelope sender. */
    public String sender() {
        return sender;
    }

    /** Returns the envelope recipients. */
    public List<String> recipients() {
        return recipients;
    }

    /** Returns the message as stored, below the trace fields of the receiver. */
    public String content() {
        return world.text("GET", "/mail/" + id + "/raw");
    }
}

package martinet;

import java.util.List;
import java.util.Map;

/** An SMTP session. {@link #raw} has all fields of the API. */
public final class Session {
    private final World world;
    private final Map<String, Object> raw;

    Session(World world, Object view) {
        this.world = world;
        this.raw = Json.object(view);
    }

    /** Returns its number. */
    public int id() {
        return Json.number(raw.get("id"));
    }

    /** Returns the verdict of the session. */
    public Verdict verdict() {
        return Verdict.of(raw.get("verdict"));
    }

    /** Returns the address that the rules judged. */
    public String clientAddress() {
        return (String) raw.get("client_address");
    }

    /** Returns the argument of HELO or EHLO. */
    public String helo() {
        return (String) raw.get("helo");
    }

    /** Returns the envelope sender of the last transaction. */
    public String sender() {
        return (String) raw.get("sender");
    }

    /** Returns the envelope recipients of the last transaction. */
    public List<String> recipients() {
        return Json.strings(raw.get("recipients"));
    }

    /** Returns the lines of the reply that decided the verdict. */
    public List<String> reply() {
        return Json.strings(raw.get("reply"));
    }

    /** Returns the rule of the first refusal, or null. */
    public String rule() {
        return (String) raw.get("rule");
    }

    /** Returns the reply code of the first refusal, or 0. */
    public int code() {
        return Json.number(raw.get("code"));
    }

    /** Returns the stage of the first refusal, or null. */
    public String stage() {
        return (String) raw.get("stage");
    }

    /** Returns what ended the session, or null while it runs. */
    public String closedBy() {
        return (String) raw.get("closed_by");
    }

    /** Returns the refusals, in order. */
    public List<Refusal> refusals() {
        return Json.list(raw.get("refusals")).stream().map(Refusal::of).toList();
    }

    /** Returns the transactions, in order. */
    public List<Transaction> transactions() {
        return Json.list(raw.get("transactions")).stream().map(Transaction::of).toList();
    }

    /** Returns all fields that the API has for the session. */
    public Map<String, Object> raw() {
        return raw;
    }

    /** Returns the explanation of the session: DNS, refusals, remedies and dialogue. */
    public String story() {
        return world.text("GET", "/sessions/" + id() + "/story");
    }

    /** Returns the dialogue. */
    public String transcript() {
        return world.text("GET", "/sessions/" + id() + "/transcript");
    }

    /** Returns the picture of the session as SVG. */
    public String picture() {
        return world.text("GET", "/sessions/" + id() + "/picture.svg");
    }

    /** Returns the session as text for a failure, and notes that it was printed. */
    String told() {
        world.told(id());
        return story();
    }
}

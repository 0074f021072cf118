package martinet;

import java.util.Locale;

/** The verdict of a session or a transaction. */
public enum Verdict {
    /** Nothing was refused, and no message acknowledged. */
    NONE,
    /** A message was acknowledged, and nothing refused. */
    ACCEPT,
    /** The first refusal was a 4yz reply. */
    DEFER,
    /** The first refusal was a 5yz reply. */
    REJECT;

    static Verdict of(Object word) {
        return valueOf(String.valueOf(word).toUpperCase(Locale.ROOT));
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}

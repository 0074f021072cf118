package martinet;

/** The server refused a request, cannot be reached, or does not start. */
public final class MartinetException extends RuntimeException {
    private static final long serialVersionUID = 1;

    MartinetException(String message) {
        super(message);
    }

    MartinetException(String message, Throwable cause) {
        super(message, cause);
    }
}

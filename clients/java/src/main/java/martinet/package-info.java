/**
 * A client and a JUnit 5 extension for martinet, the mail server that refuses mail on purpose.
 *
 * <p>{@link martinet.MartinetWorld} gives a test its own {@link martinet.World}; {@link martinet.Assertions} has the assertions, whose failures
 * print the session.
 */
package martinet;

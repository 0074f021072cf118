import static martinet.Assertions.assertThat;

import java.net.Socket;
import martinet.MartinetWorld;
import martinet.World;
import org.junit.jupiter.api.Test;

/** Tests that fail, to show their output. */
class FailingTest {
    @Test
    @MartinetWorld(scenario = "no-ptr", receiver = "fcrdns")
    void aWrongAssertionPrintsTheStory(World mx) throws Exception {
        send(mx);
        assertThat(mx.waitForSession()).isAccepted();
    }

    @Test
    @MartinetWorld(scenario = "no-ptr", receiver = "fcrdns")
    void anotherFailureHasTheStoriesToo(World mx) throws Exception {
        send(mx);
        throw new IllegalStateException("the mailer did not bounce");
    }

    private static void send(World mx) throws Exception {
        try (var client = new Socket(mx.smtpHost(), mx.smtpPort())) {
            client.getOutputStream().write("EHLO mail.example.test\r\nMAIL FROM:<a@example.test>\r\nQUIT\r\n".getBytes());
            client.getInputStream().readAllBytes();
        }
    }
}

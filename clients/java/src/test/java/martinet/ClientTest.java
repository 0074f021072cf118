package martinet;

import static martinet.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class ClientTest {
    private static final String GREYLISTS = "title = \"Greylists\"\n[[rule]]\ncheck = \"greylist\"\ndelay = \"5m\"\n";

    @RegisterExtension
    static MartinetExtension extension = new MartinetExtension().scenario("one-to-one").receiver("lenient");

    /** Sends a message, whatever the server replies. */
    static void send(World world) throws IOException {
        var message = "EHLO mail.example.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\nSubject: x\r\n\r\nIt works.\r\n.\r\nQUIT\r\n";
        try (var client = new Socket(world.smtpHost(), world.smtpPort())) {
            client.getOutputStream().write(message.getBytes(StandardCharsets.US_ASCII));
            client.getInputStream().readAllBytes();
        }
    }

    static void contains(String text, String... parts) {
        for (var part : parts) assertTrue(text.contains(part), () -> part + " is not in:\n" + text);
    }

    @Test
    @MartinetWorld(scenario = "no-ptr", receiver = "fcrdns")
    void aRefusalHasRuleReplyAndRemedies(World world) throws Exception {
        send(world);
        var session = world.waitForSession(Filter.any().verdict(Verdict.REJECT).code(550));
        assertThat(session).isRejected().byRule("iprev").withCode(550).withEnhanced("5.7.25");
        assertFalse(session.refusals().get(0).remedies().get(0).text().isEmpty());
        assertFalse(session.refusals().get(0).remedies().get(0).allOf().isEmpty());
        contains(session.transcript(), "550 5.7.25");
        assertTrue(session.picture().startsWith("<svg"));
    }

    @Test
    @MartinetWorld(scenario = "no-ptr", receiver = "fcrdns")
    void aFailureReadsAsAStory(World world) throws Exception {
        send(world);
        var session = world.waitForSession();
        var story = new String[] {"found reject, iprev, 550", "PTR: NXDOMAIN", "550 5.7.25"};
        var wrong = assertThrows(AssertionError.class, () -> assertThat(session).isAccepted());
        contains(wrong.getMessage(), "expected a session with verdict accept, ");
        contains(wrong.getMessage(), story);
        wrong = assertThrows(AssertionError.class, () -> assertThat(session).isRejected().byRule("iprev").withCode(421));
        contains(wrong.getMessage(), "expected a session with verdict reject, rule iprev, code 421, ");
        wrong = assertThrows(AssertionError.class, () -> assertThat(session).isDeferred());
        contains(wrong.getMessage(), "expected a session with verdict defer, ");
    }

    @Test
    void anAcceptedMessageIsFound(World world) throws Exception {
        world.expect("one message", Filter.any().verdict(Verdict.ACCEPT), 1, 1);
        contains(assertThrows(AssertionError.class, world::verify).getMessage(), "one message");
        send(world);
        var mail = world.waitForMail(1, Filter.any().recipient("b@contoso.test")).get(0);
        assertEquals(List.of("b@contoso.test"), mail.recipients());
        assertEquals("a@example.test", mail.sender());
        contains(mail.content(), "It works.");
        var session = world.sessions(Filter.any().sender("a@example.test")).get(0);
        assertThat(session).isAccepted();
        assertEquals(mail.id(), session.transactions().get(0).message());
        assertEquals(session.id(), mail.session());
    }

    @Test
    void aWaitThatFailsTellsWhatWasSeen(World world) throws Exception {
        send(world);
        world.waitForSession();
        world.timeout(Duration.ofMillis(100));
        var late = assertThrows(AssertionError.class, () -> world.waitForSession(Filter.any().rule("iprev")));
        contains(late.getMessage(), "iprev; 0 matched", "seen: ");
        var wrong = assertThrows(MartinetException.class, () -> world.waitForSession(Filter.any().rule("iprv")));
        contains(wrong.getMessage(), "400 rule: ", "iprev");
    }

    @Test
    @MartinetWorld(receiver = GREYLISTS)
    void aWorldIsChangedWhileItRuns(World world) throws Exception {
        send(world);
        assertThat(world.waitForSession()).isDeferred().byRule("greylist");
        world.advance(Duration.ofSeconds(301));
        send(world);
        world.waitForSession(Filter.any().verdict(Verdict.ACCEPT));
        world.setReceiver("fcrdns");
        world.setClient(Map.of("address", "192.0.2.10"));
        world.setFaults(List.of(Map.of("name", "10.2.0.192.in-addr.arpa.", "type", "PTR", "do", "servfail")));
        world.resetJournal();
        send(world);
        assertThat(world.waitForSession()).isDeferred().byRule("iprev");
        world.setFaults(List.of());
        world.setZone("2.0.192.in-addr.arpa", "10 PTR other.elsewhere.test.");
        world.resetJournal();
        send(world);
        assertThat(world.waitForSession()).isRejected().byRule("iprev");
        world.setScenario("one-to-one");
        world.reset();
    }

    @Test
    void dnsQueriesAreRecorded(World world) throws Exception {
        var question = "\u0012\u0034\u0001\0\0\1\0\0\0\0\0\0\7contoso\4test\0\0\17\0\1".getBytes(StandardCharsets.ISO_8859_1);
        try (var dns = new DatagramSocket()) {
            dns.send(new DatagramPacket(question, question.length, InetAddress.getByName(world.dnsHost()), world.dnsPort()));
        }
        var query = world.waitForQueries(1, Filter.any().with("name", "contoso.test").with("type", "MX")).get(0);
        assertEquals("NOERROR", query.rcode());
        assertFalse(query.answers().isEmpty());
    }

    @Test
    void theProcessEndsWithItsServer() throws Exception {
        if (System.getenv("MARTINET") != null) return;
        var server = Server.start();
        var ready = HttpRequest.newBuilder(URI.create(server.url() + "/readyz")).build();
        var client = HttpClient.newHttpClient();
        assertEquals(200, client.send(ready, HttpResponse.BodyHandlers.ofString()).statusCode());
        server.close();
        assertThrows(IOException.class, () -> client.send(ready, HttpResponse.BodyHandlers.ofString()));
        contains(assertThrows(MartinetException.class, () -> server.world(null, null)).getMessage(), "no answer from " + server.url());
    }

    @Test
    void aProgramThatIsMissingOrDoesNotStartIsNamed() {
        contains(
            assertThrows(MartinetException.class, () -> Server.start("--scenario", "nosuch")).getMessage(), "martinet serve ended with 2: ", "nosuch");
        System.setProperty("martinet.binary", "/nowhere/martinet");
        try {
            contains(assertThrows(MartinetException.class, Server::findBinary).getMessage(), "names /nowhere/martinet, which is not a file");
        } finally {
            System.clearProperty("martinet.binary");
        }
    }

    @Test
    void jsonIsReadAndWritten() {
        var text = "{\"a\":[1,-2.5,18446744073709551615,true,false,null,\"\\u00e4\\n\\\"\"],\"b\":{}}";
        var value = Json.read(" " + text.replace(",", " ,\n") + " ");
        assertEquals("{\"a\":[1,-2.5,18446744073709551615,true,false,null,\"\u00e4\\u000a\\\"\"],\"b\":{}}", Json.write(value));
        for (var wrong : List.of("", "{", "[1,]", "{\"a\" 1}", "\"\\u12\"", "\"\\x\"", "tru", "1 2", "-", "{1:2}")) {
            assertThrows(MartinetException.class, () -> Json.read(wrong), wrong);
        }
    }

    /** The client is compared with the OpenAPI document, so that neither changes alone. */
    @Test
    void everyFieldAndPathIsInTheDescription(Server server) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(server.url() + "/api/openapi.json")).build();
        var body = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
        var description = Json.object(Json.read(body));
        var schemas = Json.object(Json.object(description.get("components")).get("schemas"));
        var fields = Map.of(
            "SessionView", "id verdict client_address helo sender recipients reply rule code stage closed_by refusals transactions",
            "RefusalView", "source rule stage code enhanced reply temporary why remedies",
            "TransactionView", "sender recipients verdict reply message",
            "MailView", "id session sender recipients",
            "DnsQuery", "id client_address name type rcode answers",
            "WorldView", "name scenario receiver smtp_host smtp_port dns_host dns_port",
            "Sessions", "rule code verdict helo recipient sender",
            "NewWorld", "scenario receiver");
        var missing = new ArrayList<String>();
        fields.forEach((schema, names) -> {
            var known = properties(schemas, Json.object(schemas.get(schema)));
            for (var name : names.split(" ")) if (!known.contains(name)) missing.add(schema + "." + name);
        });
        var paths = Json.object(description.get("paths"));
        for (var path : List.of(
            "get /sessions", "get /sessions/{id}/story", "get /sessions/{id}/transcript", "get /sessions/{id}/picture.svg", "get /mail/{id}/raw",
            "get /wait", "get /wait/mail", "get /wait/dns/queries", "post /expectations", "get /expectations/verify", "post /clock",
            "put /receiver", "put /scenario", "put /client", "put /faults", "put /zones/{name}", "post /reset")) {
            var words = path.split(" ");
            var methods = paths.get("/api/v1/worlds/{world}" + words[1]);
            if (methods == null || !Json.object(methods).containsKey(words[0])) missing.add(path);
        }
        assertEquals(List.of(), missing);
    }

    private static Set<String> properties(Map<String, Object> schemas, Map<String, Object> schema) {
        var found = new HashSet<String>();
        if (schema.get("properties") != null) found.addAll(Json.object(schema.get("properties")).keySet());
        if (schema.get("$ref") instanceof String reference) {
            found.addAll(properties(schemas, Json.object(schemas.get(reference.substring(reference.lastIndexOf('/') + 1)))));
        }
        for (var part : Json.list(schema.get("allOf"))) found.addAll(properties(schemas, Json.object(part)));
        return found;
    }

    @Test
    void aWorldThatExistsIsFound() throws Exception {
        try (var server = Server.start("--scenario", "no-ptr", "--receiver", "fcrdns")) {
            server.existingWorld("main").close();
            var main = server.existingWorld("main");
            assertEquals("no-ptr", main.scenario());
            send(main);
            assertThat(main.waitForSession()).isRejected().byRule("iprev");
            contains(assertThrows(MartinetException.class, () -> server.existingWorld("nosuch")).getMessage(), "nosuch");
        }
    }
}

package martinet;

import java.time.Duration;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** An isolated server: one scenario and one receiver on their own ports. Closing deletes it, unless it is the main one of its server. */
public final class World implements AutoCloseable {
    /** How long a wait takes at most, unless {@link #timeout} says otherwise. */
    public static final Duration TIMEOUT = Duration.ofSeconds(5);

    private final Server server;
    private final Map<String, Object> view;
    private final String at;
    private final Set<Integer> told = Collections.synchronizedSet(new HashSet<>());
    private Duration timeout = TIMEOUT;

    World(Server server, Map<String, Object> view) {
        this.server = server;
        this.view = view;
        this.at = "/worlds/" + Server.encode(name());
    }

    /** Returns its name. */
    public String name() {
        return (String) view.get("name");
    }

    /** Returns the name of its scenario. */
    public String scenario() {
        return (String) view.get("scenario");
    }

    /** Returns the name of its receiver. */
    public String receiver() {
        return (String) view.get("receiver");
    }

    /** Returns the host of the SMTP server. */
    public String smtpHost() {
        return (String) view.get("smtp_host");
    }

    /** Returns the port of the SMTP server. */
    public int smtpPort() {
        return Json.number(view.get("smtp_port"));
    }

    /** Returns the host of the DNS server. */
    public String dnsHost() {
        return (String) view.get("dns_host");
    }

    /** Returns the port of the DNS server, for UDP and TCP. */
    public int dnsPort() {
        return Json.number(view.get("dns_port"));
    }

    /** Sets how long a wait takes at most. */
    public World timeout(Duration timeout) {
        this.timeout = timeout;
        return this;
    }

    /** Waits for a session with a verdict, and returns it. */
    public Session waitForSession() {
        return waitForSession(Filter.any());
    }

    /** Waits for a session with a verdict that matches, and returns the first one. */
    public Session waitForSession(Filter filter) {
        return waitForSessions(1, filter).get(0);
    }

    /** Waits until {@code count} sessions match. */
    public List<Session> waitForSessions(int count, Filter filter) {
        return waitFor("", "sessions", count, filter).stream().map(view -> new Session(this, view)).toList();
    }

    /** Waits until {@code count} messages match. */
    public List<Message> waitForMail(int count, Filter filter) {
        return waitFor("/mail", "mail", count, filter).stream().map(view -> new Message(this, view)).toList();
    }

    /** Waits until {@code count} DNS queries match. */
    public List<Query> waitForQueries(int count, Filter filter) {
        return waitFor("/dns/queries", "queries", count, filter).stream().map(Query::of).toList();
    }

    /** Returns the sessions that match, oldest first, at most 1000. */
    public List<Session> sessions(Filter filter) {
        var query = new LinkedHashMap<>(filter.conditions());
        query.put("limit", 1000);
        query.put("full", true);
        var page = Json.object(Json.read(text("GET", "/sessions" + Server.query(query))));
        return Json.list(page.get("sessions")).stream().map(view -> new Session(this, view)).toList();
    }

    /** Declares an expectation of at least {@code least} sessions that follow; {@link #verify} checks it. */
    public void expect(String name, Filter sessions, int least) {
        call("POST", "/expectations", Map.of("name", name, "sessions", sessions.conditions(), "times", Map.of("least", least)));
    }

    /** Declares an expectation of {@code least} to {@code most} sessions that follow; {@link #verify} checks it. */
    public void expect(String name, Filter sessions, int least, int most) {
        var times = Map.of("least", least, "most", most);
        call("POST", "/expectations", Map.of("name", name, "sessions", sessions.conditions(), "times", times));
    }

    /** Fails with the report unless every expectation is met. */
    public void verify() {
        var outcomes = server.outcome(at + "/expectations/verify");
        if (!Boolean.TRUE.equals(outcomes.get("met"))) throw new AssertionError(outcomes.get("report"));
    }

    /** Advances the clock of the world: the entries in the receiver's memory get older. */
    public void advance(Duration by) {
        call("POST", "/clock", Map.of("advance", by.toMillis() + "ms"));
    }

    /** Replaces the receiver: a name, TOML text, or the content of a receiver file as a map. */
    public void setReceiver(Object receiver) {
        call("PUT", "/receiver", Map.of("receiver", receiver));
    }

    /** Replaces the scenario: a name, TOML text, or the content of a scenario file as a map. */
    public void setScenario(Object scenario) {
        call("PUT", "/scenario", Map.of("scenario", scenario));
    }

    /** Replaces the source of client addresses: "socket", or a map with address, pool or map. */
    public void setClient(Object source) {
        call("PUT", "/client", Map.of("client", source));
    }

    /** Replaces the DNS faults, each for example {@code Map.of("name", "…", "type", "PTR", "do", "servfail")}. */
    public void setFaults(List<? extends Map<String, ?>> faults) {
        call("PUT", "/faults", Map.of("faults", faults));
    }

    /** Adds a zone from master-file text, or replaces the one with this origin. */
    public void setZone(String origin, String records) {
        call("PUT", "/zones/" + Server.encode(origin), Map.of("text", records));
    }

    /** Resets the world to its state at start. */
    public void reset() {
        call("POST", "/reset", null);
    }

    /** Forgets the sessions, messages and queries, and keeps everything else. */
    public void resetJournal() {
        call("POST", "/reset?only=journal", null);
    }

    /** Stops the world and closes its ports. */
    @Override
    public void close() {
        if (!name().equals("main")) call("DELETE", "", null);
    }

    /** Sends a request to the API of this world, with a path below {@code /api/v1/worlds/NAME}, and returns the text of the answer. */
    public String call(String method, String path, Object body) {
        return server.text(method, at + path, body);
    }

    String text(String method, String path) {
        return call(method, path, null);
    }

    void told(int session) {
        told.add(session);
    }

    boolean isTold(int session) {
        return told.contains(session);
    }

    private List<Object> waitFor(String kind, String key, int count, Filter filter) {
        var query = new LinkedHashMap<>(filter.conditions());
        query.put("count", count);
        query.put("timeout_ms", timeout.toMillis());
        var outcome = server.outcome(at + "/wait" + kind + Server.query(query));
        if (Boolean.TRUE.equals(outcome.get("matched"))) return Json.list(outcome.get(key));
        var said = new StringBuilder("expected " + outcome.get("wanted") + "; " + outcome.get("found") + " matched");
        for (var near : Json.list(outcome.get("near_misses"))) said.append("\n  near miss: ").append(Json.object(near).get("headline"));
        for (var seen : Json.list(outcome.get("seen"))) said.append("\n  seen: ").append(seen);
        throw new AssertionError(said.toString());
    }
}

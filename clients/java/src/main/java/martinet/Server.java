package martinet;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A running martinet. */
public final class Server implements AutoCloseable {
    private static final Duration START = Duration.ofSeconds(30);
    private static final String FREE = "127.0.0.1:0";

    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final String url;
    private final Process process;

    private Server(String url, Process process) {
        this.url = url.replaceAll("/+$", "");
        this.process = process;
    }

    /** Returns the server with this URL. */
    public static Server at(String url) {
        return new Server(url, null);
    }

    /**
     * Returns the server at the variable MARTINET, otherwise a new process on free ports.
     *
     * @param arguments further arguments of {@code martinet serve}
     */
    public static Server start(String... arguments) {
        var running = System.getenv("MARTINET");
        if (running != null && !running.isEmpty()) return at(running);
        try {
            return start(findBinary(), List.of(arguments));
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    /** Returns the path of the program: the property martinet.binary, the variable MARTINET_BINARY, or the first one on the path. */
    public static Path findBinary() {
        var named = System.getProperty("martinet.binary", System.getenv().getOrDefault("MARTINET_BINARY", ""));
        if (!named.isEmpty()) {
            if (Files.isRegularFile(Path.of(named))) return Path.of(named);
            throw new MartinetException("MARTINET_BINARY names " + named + ", which is not a file");
        }
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
            .map(folder -> Path.of(folder, "martinet"))
            .filter(Files::isExecutable)
            .findFirst()
            .orElseThrow(() -> new MartinetException(
                "the program martinet is not installed: set MARTINET_BINARY, or MARTINET to the URL of a running server"));
    }

    private static Server start(Path binary, List<String> arguments) throws IOException {
        var folder = Files.createTempDirectory("martinet-");
        var ready = folder.resolve("ready.json");
        var log = folder.resolve("log");
        try {
            var command = new ArrayList<>(
                List.of(binary.toString(), "serve", "--smtp", FREE, "--dns", FREE, "--http", FREE, "--ready-file", ready.toString()));
            command.addAll(arguments);
            var process = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(log.toFile())
                .start();
            Runtime.getRuntime().addShutdownHook(new Thread(process::destroy));
            return new Server(waitUntilReady(process, ready, log), process);
        } finally {
            for (var file : List.of(ready, log, folder)) Files.deleteIfExists(file);
        }
    }

    private static String waitUntilReady(Process process, Path ready, Path log) throws IOException {
        var deadline = System.nanoTime() + START.toNanos();
        while (!Files.exists(ready)) {
            // The wait ends at once if the process ends.
            if (ended(process, 5)) {
                throw new MartinetException("martinet serve ended with " + process.exitValue() + ": " + Files.readString(log).strip());
            }
            if (System.nanoTime() > deadline) {
                process.destroyForcibly();
                throw new MartinetException("martinet serve was not ready within " + START.toSeconds() + " seconds");
            }
        }
        return (String) Json.object(Json.read(Files.readString(ready))).get("http_url");
    }

    private static boolean ended(Process process, long milliseconds) {
        try {
            return process.waitFor(milliseconds, TimeUnit.MILLISECONDS);
        } catch (InterruptedException interrupted) {
            process.destroy();
            Thread.currentThread().interrupt();
            throw new MartinetException("interrupted while waiting for martinet serve", interrupted);
        }
    }

    /** Returns the address of the HTTP server. */
    public String url() {
        return url;
    }

    /** Creates a world on free ports. If a name is null, martinet's default is used; both may be TOML text. */
    public World world(String scenario, String receiver) {
        var options = new java.util.LinkedHashMap<String, Object>();
        if (scenario != null) options.put("scenario", scenario);
        if (receiver != null) options.put("receiver", receiver);
        return new World(this, Json.object(Json.read(text("POST", "/worlds", options))));
    }

    /** Returns a world that exists: {@code main} is the one that the server started with. */
    public World existingWorld(String name) {
        return new World(this, Json.object(Json.read(text("GET", "/worlds/" + encode(name), null))));
    }

    /** Ends the process, if {@link #start} started one. */
    @Override
    public void close() {
        if (process == null) return;
        process.destroy();
        if (!ended(process, START.toMillis())) process.destroyForcibly();
    }

    /** Sends a request to the API, with a path below {@code /api/v1}, and returns the text of the response. */
    public String text(String method, String path, Object body) {
        var answer = ask(method, path, body);
        if (answer.statusCode() < 400) return answer.body();
        throw problem(answer);
    }

    /** Reads a response, which is 417 if something expected has not happened. */
    Map<String, Object> outcome(String path) {
        var answer = ask("GET", path, null);
        if (answer.statusCode() < 400 || answer.statusCode() == 417) return Json.object(Json.read(answer.body()));
        throw problem(answer);
    }

    static String query(Map<String, Object> conditions) {
        return conditions.entrySet().stream()
            .map(e -> e.getKey() + "=" + encode(String.valueOf(e.getValue())))
            .collect(Collectors.joining("&", "?", ""));
    }

    static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    private HttpResponse<String> ask(String method, String path, Object body) {
        var content = body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(Json.write(body));
        var request = HttpRequest.newBuilder(URI.create(url + "/api/v1" + path)).header("Content-Type", "application/json").method(method, content);
        try {
            return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (IOException failure) {
            throw new MartinetException("no answer from " + url + ": " + failure.getMessage(), failure);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new MartinetException("interrupted while waiting for " + url, interrupted);
        }
    }

    private static MartinetException problem(HttpResponse<String> answer) {
        if (!answer.headers().firstValue("Content-Type").orElse("").contains("json")) {
            return new MartinetException(answer.statusCode() + " " + answer.body());
        }
        var fields = Json.object(Json.read(answer.body()));
        var field = fields.containsKey("field") ? fields.get("field") + ": " : "";
        return new MartinetException(answer.statusCode() + " " + field + fields.getOrDefault("detail", fields.get("title")));
    }
}

package martinet.testcontainers;

import martinet.Server;
import martinet.World;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.utility.DockerImageName;

/**
 * The image {@code martinet}, ready when {@code /readyz} says that all servers accept connections. Its files are below
 * {@code /scenarios}.
 *
 * <p>It follows the modules for Python, Node and Rust, and was not tested.
 */
public class MartinetContainer extends GenericContainer<MartinetContainer> {
    /** The port of the SMTP server in the container. */
    public static final int SMTP_PORT = 1025;
    /** The port of the HTTP server in the container. */
    public static final int HTTP_PORT = 8025;

    private static final DockerImageName IMAGE = DockerImageName.parse("martinet");

    /** Makes a container of the image {@code martinet}. */
    public MartinetContainer() {
        this(IMAGE);
    }

    /** Makes a container of this image; one with another name is declared {@code asCompatibleSubstituteFor("martinet")}. */
    public MartinetContainer(DockerImageName image) {
        super(image);
        image.assertCompatibleWith(IMAGE);
        withExposedPorts(SMTP_PORT, HTTP_PORT);
        waitingFor(Wait.forHttp("/readyz").forPort(HTTP_PORT).forStatusCode(200));
    }

    /** Sets the scenario: a name, or {@code ./FILE} below {@code /scenarios}. */
    public MartinetContainer withScenario(String scenario) {
        return withEnv("MARTINET_SCENARIO", scenario);
    }

    /** Sets the receiver: a name, or {@code ./FILE} below {@code /scenarios}. */
    public MartinetContainer withReceiver(String receiver) {
        return withEnv("MARTINET_RECEIVER", receiver);
    }

    /** Returns the host of the SMTP server. */
    public String getSmtpHost() {
        return getHost();
    }

    /** Returns the port of this host that is forwarded to the SMTP server. */
    public int getSmtpPort() {
        return getMappedPort(SMTP_PORT);
    }

    /** Returns the URL of the HTTP server, as this host reaches it. */
    public String getHttpUrl() {
        return "http://" + getHost() + ":" + getMappedPort(HTTP_PORT);
    }

    /** Returns the main world. Send to {@link #getSmtpHost} and {@link #getSmtpPort}: the world has the address within the container. */
    public World world() {
        return Server.at(getHttpUrl()).existingWorld("main");
    }
}

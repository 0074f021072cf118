package martinet;

import java.lang.reflect.AnnotatedElement;
import java.util.Optional;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ExtensionContext.Store.CloseableResource;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;
import org.junit.platform.commons.support.AnnotationSupport;

/**
 * The JUnit 5 extension: one server for all tests, and one {@link World} for each test that has a parameter of this type.
 *
 * <p>{@link MartinetWorld} registers it. With {@code @RegisterExtension} it has the scenario and receiver of {@link #scenario} and
 * {@link #receiver} if no annotation sets others. A test that fails has each session among its suppressed exceptions.
 */
public final class MartinetExtension implements ParameterResolver, AfterEachCallback, TestExecutionExceptionHandler {
    private static final Namespace NAMESPACE = Namespace.create(MartinetExtension.class);
    private static final int STORIES = 20;

    private String scenario = "";
    private String receiver = "";

    /** Sets the scenario: a name, or TOML text. */
    public MartinetExtension scenario(String scenario) {
        this.scenario = scenario;
        return this;
    }

    /** Sets the receiver: a name, or TOML text. */
    public MartinetExtension receiver(String receiver) {
        this.receiver = receiver;
        return this;
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        var type = parameter.getParameter().getType();
        return type == World.class || type == Server.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        if (parameter.getParameter().getType() == Server.class) return server(context);
        return context.getStore(NAMESPACE).getOrComputeIfAbsent(World.class, key -> world(context), World.class);
    }

    @Override
    public void handleTestExecutionException(ExtensionContext context, Throwable failure) throws Throwable {
        world(context, world -> {
            try {
                world.sessions(Filter.any()).stream().limit(STORIES).filter(session -> !world.isTold(session.id())).forEach(
                    session -> failure.addSuppressed(new Story(session)));
            } catch (MartinetException noAnswer) {
                failure.addSuppressed(noAnswer);
            }
        });
        throw failure;
    }

    @Override
    public void afterEach(ExtensionContext context) {
        world(context, world -> {
            try (world) {
                if (context.getExecutionException().isEmpty()) world.verify();
            }
        });
    }

    private static void world(ExtensionContext context, java.util.function.Consumer<World> use) {
        Optional.ofNullable(context.getStore(NAMESPACE).get(World.class, World.class)).ifPresent(use);
    }

    private World world(ExtensionContext context) {
        var named = named(context.getElement()).or(() -> context.getTestClass().flatMap(type -> named(Optional.of(type))));
        var chosen = named.map(MartinetWorld::scenario).filter(name -> !name.isEmpty()).orElse(scenario);
        var judge = named.map(MartinetWorld::receiver).filter(name -> !name.isEmpty()).orElse(receiver);
        return server(context).world(chosen.isEmpty() ? null : chosen, judge.isEmpty() ? null : judge);
    }

    private static Optional<MartinetWorld> named(Optional<? extends AnnotatedElement> element) {
        return AnnotationSupport.findAnnotation(element, MartinetWorld.class);
    }

    private static Server server(ExtensionContext context) {
        return context.getRoot().getStore(NAMESPACE).getOrComputeIfAbsent(Shared.class, key -> new Shared(Server.start()), Shared.class).server();
    }

    /** The server of the test run, closed by JUnit at its end. */
    private record Shared(Server server) implements CloseableResource {
        @Override
        public void close() {
            server.close();
        }
    }

    /** A session as part of a failure. It has no stack trace, because it is never thrown. */
    private static final class Story extends Exception {
        private static final long serialVersionUID = 1;

        Story(Session session) {
            super("martinet session " + session.id() + "\n" + session.story(), null, false, false);
        }
    }
}

package martinet;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/** Gives each test its own {@link World} as a parameter. An annotation of a method takes precedence over that of the class. */
@Documented
@Inherited
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.METHOD, ElementType.TYPE})
@ExtendWith(MartinetExtension.class)
public @interface MartinetWorld {
    /** The scenario: a name, or TOML text. */
    String scenario() default "";

    /** The receiver: a name, or TOML text. The default is that of the scenario. */
    String receiver() default "";
}

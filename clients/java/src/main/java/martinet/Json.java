package martinet;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** JSON (RFC 8259) as maps, lists, strings, numbers and booleans. Java has no JSON reader, and this avoids a dependency. */
final class Json {
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    static Object read(String text) {
        var json = new Json(text);
        var value = json.value();
        json.blank();
        if (json.at != text.length()) throw json.unexpected("the end");
        return value;
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        return (Map<String, Object>) value;
    }

    @SuppressWarnings("unchecked")
    static List<Object> list(Object value) {
        return value == null ? List.of() : (List<Object>) value;
    }

    static List<String> strings(Object value) {
        return list(value).stream().map(String::valueOf).toList();
    }

    static int number(Object value) {
        return value == null ? 0 : ((Number) value).intValue();
    }

    static String write(Object value) {
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                .map(e -> quote(String.valueOf(e.getKey())) + ":" + write(e.getValue()))
                .collect(Collectors.joining(",", "{", "}"));
        }
        if (value instanceof List<?> list) return list.stream().map(Json::write).collect(Collectors.joining(",", "[", "]"));
        if (value == null || value instanceof Number || value instanceof Boolean) return String.valueOf(value);
        return quote(String.valueOf(value));
    }

    private static String quote(String text) {
        var quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') quoted.append('\\').append(c);
            else if (c < ' ') quoted.append(String.format("\\u%04x", (int) c));
            else quoted.append(c);
        }
        return quoted.append('"').toString();
    }

    private Object value() {
        blank();
        if (at == text.length()) throw unexpected("a value");
        return switch (text.charAt(at)) {
            case '{' -> members();
            case '[' -> elements();
            case '"' -> string();
            case 't' -> word("true", true);
            case 'f' -> word("false", false);
            case 'n' -> word("null", null);
            default -> number();
        };
    }

    private Map<String, Object> members() {
        var members = new LinkedHashMap<String, Object>();
        at++;
        if (next('}')) return members;
        do {
            blank();
            var name = string();
            expect(':');
            members.put(name, value());
        } while (next(','));
        expect('}');
        return members;
    }

    private List<Object> elements() {
        var elements = new ArrayList<Object>();
        at++;
        if (next(']')) return elements;
        do elements.add(value());
        while (next(','));
        expect(']');
        return elements;
    }

    private String string() {
        expect('"');
        var string = new StringBuilder();
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == '"') return string.toString();
            string.append(c == '\\' ? escaped() : c);
        }
        throw unexpected("a quotation mark");
    }

    private char escaped() {
        if (at == text.length()) throw unexpected("an escape");
        char c = text.charAt(at++);
        return switch (c) {
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case '"', '\\', '/' -> c;
            case 'u' -> unit();
            default -> throw unexpected("an escape");
        };
    }

    private char unit() {
        if (at + 4 > text.length()) throw unexpected("four hexadecimal digits");
        at += 4;
        try {
            return (char) Integer.parseInt(text.substring(at - 4, at), 16);
        } catch (NumberFormatException wrong) {
            throw unexpected("four hexadecimal digits");
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) throw unexpected("a value");
        at += word.length();
        return value;
    }

    private Number number() {
        int begin = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) at++;
        var digits = text.substring(begin, at);
        try {
            // The largest unsigned 64-bit number does not fit into long.
            return digits.matches("-?\\d{1,18}") ? Long.valueOf(digits) : new BigDecimal(digits);
        } catch (NumberFormatException wrong) {
            throw unexpected("a value");
        }
    }

    private void blank() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }

    private boolean next(char wanted) {
        blank();
        if (at == text.length() || text.charAt(at) != wanted) return false;
        at++;
        return true;
    }

    private void expect(char wanted) {
        if (!next(wanted)) throw unexpected(String.valueOf(wanted));
    }

    private MartinetException unexpected(String expected) {
        return new MartinetException("expected " + expected + " at character " + at + " of the answer: …" + text.substring(Math.max(0, at - 20), at));
    }
}

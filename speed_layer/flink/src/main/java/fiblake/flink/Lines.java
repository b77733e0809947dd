package fiblake.flink;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;

/** Lines of JSON as events: the wire format of {@code lake/wire.py}. */
final class Lines {
    private static final JsonFactory JSON =
            JsonFactory.builder()
                    .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
                    .build();

    /** Every key that must be there, and not be null. */
    private static final int REQUIRED = (1 << 13) - 1;

    /** The line that a thread read last: its time and its symbol are asked for in turn. */
    private static final ThreadLocal<Lines> LAST = ThreadLocal.withInitial(Lines::new);

    private final Plain plain = new Plain();
    private byte[] line;
    private Statement event;

    private Lines() {}

    /** Returns the statement that a line tells; null where it tells none. */
    static Statement parsed(byte[] line) {
        Lines last = LAST.get();
        if (last.line != line) {
            Statement trade = last.plain.read(line);
            last.event = trade == null ? parse(line) : trade;
            last.line = line;
        }
        return last.event;
    }

    private static Statement parse(byte[] line) {
        try (JsonParser parser = JSON.createParser(line)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                return null;
            }
            Statement event = new Statement();
            int told = 0;
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                int key = read(parser, event);
                if ((told & key) != 0) {
                    return null;
                }
                told |= key;
            }
            boolean isWhole = parser.currentToken() == JsonToken.END_OBJECT;
            return isWhole && parser.nextToken() == null && told == REQUIRED ? event : null;
        } catch (IOException | ArithmeticException | MisreadException exception) {
            return null;
        }
    }

    /** Reads the value of the key at hand and returns the bit of a required one. */
    private static int read(JsonParser parser, Statement event) throws IOException {
        String key = parser.currentName();
        boolean isNull = parser.nextToken() == JsonToken.VALUE_NULL;
        switch (key) {
            case "kind":
                event.kind = text(parser);
                return 1;
            case "symbol":
                event.symbol = text(parser);
                return 1 << 1;
            case "time":
                event.time = integer(parser);
                return 1 << 2;
            case "sequence":
                event.sequence = integer(parser);
                return 1 << 3;
            case "revision":
                event.revision = integer(parser);
                return 1 << 4;
            case "minute":
                event.minute = integer(parser);
                return 1 << 5;
            case "moves":
                event.moves = Math.toIntExact(integer(parser));
                return 1 << 6;
            case "price":
                event.price = number(parser);
                return 1 << 7;
            case "size":
                event.size = number(parser);
                return 1 << 8;
            case "cancelled":
                event.cancelled = bool(parser);
                return 1 << 9;
            case "conditions":
                codes(parser);
                return 1 << 10;
            case "received":
                event.received = integer(parser);
                return 1 << 11;
            case "source":
                event.source = text(parser);
                return 1 << 12;
            default:
                if (!isNull) {
                    optional(parser, key, event);
                }
                return 0;
        }
    }

    private static void optional(JsonParser parser, String key, Statement event)
            throws IOException {
        switch (key) {
            case "open" -> event.open = number(parser);
            case "high" -> event.high = number(parser);
            case "low" -> event.low = number(parser);
            case "vwap" -> event.vwap = number(parser);
            case "trades" -> event.trades = integer(parser);
            default -> parser.skipChildren();
        }
    }

    private static String text(JsonParser parser) throws IOException {
        expect(parser.currentToken() == JsonToken.VALUE_STRING);
        return parser.getText();
    }

    private static long integer(JsonParser parser) throws IOException {
        expect(parser.currentToken() == JsonToken.VALUE_NUMBER_INT);
        return parser.getLongValue();
    }

    private static double number(JsonParser parser) throws IOException {
        expect(parser.currentToken().isNumeric());
        double value = parser.getDoubleValue();
        expect(Double.isFinite(value));
        return value;
    }

    private static boolean bool(JsonParser parser) throws IOException {
        expect(parser.currentToken().isBoolean());
        return parser.getBooleanValue();
    }

    private static void codes(JsonParser parser) throws IOException {
        expect(parser.currentToken() == JsonToken.START_ARRAY);
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            integer(parser);
        }
    }

    private static void expect(boolean holds) {
        if (!holds) {
            throw MisreadException.ONE;
        }
    }

    /** A value of another type than the schema has; without a trace, for poison may be frequent. */
    private static final class MisreadException extends RuntimeException {
        private static final long serialVersionUID = 1L;
        static final MisreadException ONE = new MisreadException();

        private MisreadException() {
            super("not of the schema", null, false, false);
        }
    }
}

package fiblake.flink;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Lines of trades exactly as {@code lake/wire.py} writes them, read in one pass.
 *
 * <p>That is a third of a parser's work. Whatever is written otherwise, or needs care (an escape, a
 * number of many digits), is left to the parser of {@link Lines}.
 */
final class Plain {
    private static final byte[] SYMBOL = bytes("{\"kind\":\"trade\",\"symbol\":\"");
    private static final byte[] TIME = bytes(",\"time\":");
    private static final byte[] SEQUENCE = bytes(",\"sequence\":");
    private static final byte[] REVISION = bytes(",\"revision\":");
    private static final byte[] MINUTE = bytes(",\"minute\":");
    private static final byte[] MOVES = bytes(",\"moves\":");
    private static final byte[] PRICE = bytes(",\"price\":");
    private static final byte[] SIZE = bytes(",\"size\":");
    private static final byte[] KEPT = bytes(",\"cancelled\":false");
    private static final byte[] CANCELLED = bytes(",\"cancelled\":true");
    private static final byte[] CONDITIONS = bytes(",\"conditions\":[");
    private static final byte[] CODES_END = bytes("]");
    private static final byte[] RECEIVED = bytes(",\"received\":");
    private static final byte[] SOURCE = bytes(",\"source\":\"");
    private static final byte[] END = bytes("}");

    /** A long of so many digits cannot overflow. */
    private static final int INTEGER_DIGITS = 18;

    /** A number of so many is exact as a double, and so is its quotient by a power of ten. */
    private static final int DECIMAL_DIGITS = 15;

    private static final double[] POWERS = new double[DECIMAL_DIGITS + 1];

    static {
        POWERS[0] = 1;
        for (int power = 1; power < POWERS.length; power++) {
            POWERS[power] = POWERS[power - 1] * 10;
        }
    }

    private byte[] line;
    private int at;
    private boolean fits;
    private String source = "";

    /** Returns the trade that a line tells; null where the line is not as plain. */
    Statement read(byte[] told) {
        line = told;
        at = 0;
        fits = true;
        Statement trade = new Statement();
        trade.kind = "trade";
        trade.symbol = text(SYMBOL, "");
        trade.time = integer(TIME);
        trade.sequence = integer(SEQUENCE);
        trade.revision = integer(REVISION);
        trade.minute = integer(MINUTE);
        long moves = integer(MOVES);
        trade.moves = (int) moves;
        fits &= trade.moves == moves;
        trade.price = decimal(PRICE);
        trade.size = decimal(SIZE);
        trade.cancelled = isNext(CANCELLED);
        skip(trade.cancelled ? CANCELLED : KEPT);
        codes();
        trade.received = integer(RECEIVED);
        source = trade.source = text(SOURCE, source);
        skip(END);
        return fits && at == line.length ? trade : null;
    }

    private long integer(byte[] key) {
        skip(key);
        return integer();
    }

    private long integer() {
        boolean isNegative = peek() == '-';
        at += isNegative ? 1 : 0;
        int from = at;
        long value = digits(0);
        fits &= isWhole(from) && at - from <= INTEGER_DIGITS;
        return isNegative ? -value : value;
    }

    private double decimal(byte[] key) {
        skip(key);
        int from = at;
        long value = digits(0);
        fits &= isWhole(from);
        int places = 0;
        if (peek() == '.') {
            int point = at++;
            value = digits(value);
            places = at - point - 1;
            fits &= places > 0;
        }
        fits &= at - from <= DECIMAL_DIGITS;
        return fits ? value / POWERS[places] : 0;
    }

    /** Whether there are digits from there to here, and no zero before others. */
    private boolean isWhole(int from) {
        return at > from && (line[from] != '0' || at == from + 1);
    }

    private long digits(long before) {
        long value = before;
        for (int digit = peek() - '0'; digit >= 0 && digit <= 9; digit = peek() - '0') {
            value = value * 10 + digit;
            at++;
        }
        return value;
    }

    private void codes() {
        skip(CONDITIONS);
        for (boolean isMore = peek() != ']'; isMore; ) {
            integer();
            isMore = fits && peek() == ',';
            at += isMore ? 1 : 0;
        }
        skip(CODES_END);
    }

    /** Returns the text up to the quote; the one that was read before where it is the same. */
    private String text(byte[] key, String before) {
        skip(key);
        int from = at;
        boolean isSame = true;
        int letter = peek();
        while (letter >= ' ' && letter != '"') {
            fits &= letter != '\\';
            isSame &= at - from < before.length() && before.charAt(at - from) == letter;
            at++;
            letter = peek();
        }
        fits &= letter == '"';
        int length = at++ - from;
        if (!fits || isSame && length == before.length()) {
            return before;
        }
        return new String(line, from, length, StandardCharsets.ISO_8859_1);
    }

    private void skip(byte[] what) {
        fits = fits && isNext(what);
        at += what.length;
    }

    private boolean isNext(byte[] what) {
        int end = at + what.length;
        return end <= line.length && Arrays.equals(line, at, end, what, 0, what.length);
    }

    /** Returns the byte that is next; at the end, and of what is no ASCII, less than 0. */
    private int peek() {
        return at < line.length ? line[at] : -1;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}

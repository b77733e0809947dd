package fiblake.flink;

/**
 * One statement of the flow, as {@code lake/event.py} has it: what a bar needs of it.
 *
 * <p>Instants are microseconds since 1970, UTC. A null price is NaN. Equal are those of the same
 * thing: the one of the highest revision is in force.
 */
final class Statement implements Comparable<Statement> {
    static final int OPEN_CLOSE = 1;
    static final int HIGH_LOW = 2;
    static final int VOLUME = 4;
    /** {@code minute} of what no session's hours have. */
    static final long OUTSIDE = -1;

    String kind;
    String symbol;
    long time;
    long sequence;
    long revision;
    long minute;
    /** Another minute that it was stated of, where it is void; OUTSIDE: none. */
    long other = OUTSIDE;

    int moves;
    double price;
    double size;
    boolean cancelled;
    double open = Double.NaN;
    double high = Double.NaN;
    double low = Double.NaN;
    double vwap = Double.NaN;
    /** How many trades an aggregate is made of; -1 where unknown. */
    long trades = -1;
    long received;
    String source;

    boolean isTrade() {
        return "trade".equals(kind);
    }

    boolean isHeartbeat() {
        return "heartbeat".equals(kind);
    }

    /** Whether its price may be the first or the last. */
    boolean hasPrice() {
        return !cancelled && (moves & OPEN_CLOSE) != 0;
    }

    /** Whether it was stated of another minute too. */
    boolean isMoved() {
        return other != OUTSIDE;
    }

    /** Whether it was ever stated of a minute. */
    boolean isOf(long minute) {
        return this.minute == minute || other == minute;
    }

    /** What it adds to the version of the bars of all minutes that it was stated of. */
    long weight() {
        return 1 + revision;
    }

    @Override
    public int compareTo(Statement other) {
        int order = Long.compare(time, other.time);
        return order != 0 ? order : Long.compare(sequence, other.sequence);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Statement
                && time == ((Statement) other).time
                && sequence == ((Statement) other).sequence;
    }

    @Override
    public int hashCode() {
        long mixed = (time ^ sequence * 0xC2B2AE3D27D4EB4FL) * 0x9E3779B97F4A7C15L;
        return (int) (mixed >>> 32);
    }
}

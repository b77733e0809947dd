package fiblake.flink;

import java.util.function.LongConsumer;

/** What is known of one symbol: its clock, and its session. */
final class Symbol {
    /** What became of an event. */
    enum Fate {
        ACCEPTED,
        /** Told before, or told better, and of no other minute. */
        STALE,
        /** Its minute, or one that it was stated of before, is too long ago. */
        LATE
    }

    final long lateness;

    /** The latest time told of it; microseconds since 1970. */
    long clock = Long.MIN_VALUE;

    /** The time by which bars were made final; 0: none was yet. */
    long settled;

    /** Null before its first statement, and when the session is long over. */
    Session session;

    /** Whether a timer will tell what changed. */
    boolean isAwaited;

    /** How many entries its journal has, and how many it may have before it is written anew. */
    int entries;

    int worth = Integer.MAX_VALUE;

    /** The session before, until it is told for the last time. */
    Session over;

    Symbol(long lateness) {
        this.lateness = lateness;
    }

    /** Applies a statement. */
    Fate apply(Statement statement, Hours.Day day, LongConsumer onEnd) {
        clock = Math.max(clock, statement.time);
        if (isLate(statement.minute) || session != null && day.dawn < session.day.dawn) {
            return Fate.LATE;
        }
        if (session == null || session.day != day) {
            begin(day, onEnd);
        }
        Statement held = session.held(statement);
        if (held == null) {
            session.put(statement, onEnd);
        } else if (held.revision >= statement.revision) {
            if (held.isOf(statement.minute)) {
                return Fate.STALE;
            }
            held.other = statement.minute;
            session.weigh(held, onEnd);
        } else {
            if (isLate(held.minute) || held.isMoved() && isLate(held.other)) {
                return Fate.LATE;
            }
            session.restate(statement, held, onEnd);
        }
        session.forget(horizon());
        return Fate.ACCEPTED;
    }

    /** What ended by then changes no more. */
    long horizon() {
        return Math.max(clock, settled) - lateness;
    }

    boolean isLate(long minute) {
        return minute + Hours.MINUTE_US <= horizon();
    }

    private void begin(Hours.Day day, LongConsumer onEnd) {
        over = session;
        session = new Session(day);
        onEnd.accept(day.at(day.dusk));
    }
}

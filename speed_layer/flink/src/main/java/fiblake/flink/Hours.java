package fiblake.flink;

import java.util.ArrayList;
import java.util.List;

/**
 * The hours of sessions, and the buckets of minutes in them: {@code lake/hours.py}.
 *
 * <p>Buckets are anchored at dawn, at the open and at the close, and cut where the next of these is.
 */
final class Hours {
    static final long MINUTE_US = 60_000_000L;
    /** From 04:00 to 20:00. */
    static final int DAY_MINUTES = 960;

    private final Day[] days;
    private int last;

    private Hours(Day[] days) {
        this.days = days;
    }

    /**
     * Returns the hours that a text tells.
     *
     * @param text of each session its date (days since 1970), dawn (minutes since 1970), and open,
     *     close and dusk in minutes after dawn, as {@code 20458/29459340/330/720/960}; sessions in
     *     order, divided by underscores
     */
    static Hours parse(String text) {
        List<Day> days = new ArrayList<>();
        for (String session : text.split("_")) {
            String[] part = session.split("/");
            days.add(
                    new Day(
                            Integer.parseInt(part[0]),
                            Long.parseLong(part[1]) * MINUTE_US,
                            Integer.parseInt(part[2]),
                            Integer.parseInt(part[3]),
                            Integer.parseInt(part[4])));
        }
        return new Hours(days.toArray(Day[]::new));
    }

    /** Returns the session in whose hours a minute starts; null where in none. */
    Day of(long minute) {
        if (days[last].has(minute)) {
            return days[last];
        }
        int low = 0;
        int high = days.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (days[middle].has(minute)) {
                last = middle;
                return days[middle];
            }
            if (days[middle].dawn < minute) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return null;
    }

    /** Whether a minute is after all sessions that are told: then nothing can be made of it. */
    boolean areBefore(long minute) {
        Day latest = days[days.length - 1];
        return minute >= latest.at(latest.dusk);
    }

    /** One session's hours; minutes count from dawn. */
    static final class Day {
        final int session;
        final long dawn;
        final int open;
        final int close;
        final int dusk;

        Day(int session, long dawn, int open, int close, int dusk) {
            this.session = session;
            this.dawn = dawn;
            this.open = open;
            this.close = close;
            this.dusk = dusk;
        }

        boolean has(long instant) {
            return instant >= dawn && instant < at(dusk);
        }

        /** When the minute of that index begins. */
        long at(int minute) {
            return dawn + minute * MINUTE_US;
        }

        int index(long minute) {
            return (int) ((minute - dawn) / MINUTE_US);
        }

        boolean isRegular(int minute) {
            return minute >= open && minute < close;
        }

        /** Where the bucket of so many minutes that has this one begins. */
        int begin(int minute, int minutes) {
            int anchor = minute < open ? 0 : minute < close ? open : close;
            return anchor + (minute - anchor) / minutes * minutes;
        }

        /** Where the bucket that begins there ends. */
        int end(int begin, int minutes) {
            int edge = begin < open ? open : begin < close ? close : dusk;
            return Math.min(begin + minutes, edge);
        }
    }
}

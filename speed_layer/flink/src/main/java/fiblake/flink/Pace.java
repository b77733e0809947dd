package fiblake.flink;

/**
 * How fast event time passes: in a live flow as the wall clock does, in a replay or while a job
 * catches up a thousand times as fast, and not in step.
 *
 * <p>In a live flow changes are told at once. In a fast one they are gathered: to tell each would
 * cost more than to make the bars. And there the watermark tells little where files are read: a
 * task has that of the file that is ahead. Of Kinesis it is right always, see {@link ByShard}.
 */
final class Pace {
    private static final long MEASURE_US = 200_000;
    private static final long GATHER_US = 1_000_000;
    private static final long MOST_US = 60_000_000;
    /** Speeds up to this are a live flow's, whose time comes in steps. */
    private static final double LIVE = 2;
    /** How many measures in a row make a live flow: a pause of a replay is none. */
    private static final int CALM = 10;
    /** In a live flow fewer than one in so many are a minute old. */
    private static final int OLD = 5;

    private long since = System.nanoTime();
    private long latest = Long.MIN_VALUE;
    private long from = Long.MIN_VALUE;
    private long seen;
    private long old;
    private long step = MOST_US;
    private int calm;

    /** Takes note of an event that was told at `time`; microseconds since 1970. */
    void see(long time) {
        latest = Math.max(latest, time);
        seen++;
        if (time < latest - MOST_US) {
            old++;
        }
        long passedUs = (System.nanoTime() - since) / 1000;
        if (passedUs >= MEASURE_US) {
            measure(passedUs);
        }
    }

    /** Whether event time passes as the wall clock does. */
    boolean isLive() {
        return calm >= CALM;
    }

    /** Returns when, in event time, what an event changed is to be told; in µs. */
    long when(long time) {
        // Where it is the end of its minute, that is when bars become final, too.
        return step < MOST_US ? time + step : Math.floorDiv(time, MOST_US) * MOST_US + MOST_US;
    }

    private void measure(long passedUs) {
        if (from != Long.MIN_VALUE) {
            double speed = (double) (latest - from) / passedUs;
            boolean isLive = speed <= LIVE && old * OLD < seen;
            calm = isLive ? calm + 1 : 0;
            step = isLive ? 0 : (long) Math.min(MOST_US, speed * GATHER_US);
        }
        from = latest;
        seen = old = 0;
        since = System.nanoTime();
    }
}

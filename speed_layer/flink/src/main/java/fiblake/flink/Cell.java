package fiblake.flink;

/**
 * A bar while it forms: the contribution of {@code lake/bar.py} with what tells its state.
 *
 * <p>A null price is NaN. Parts are added in order of time.
 */
final class Cell {
    /** Which of {@link Session#LEVELS} it is of. */
    final int level;
    /** Its first minute, counted from dawn, and the one after its last. */
    final int begin;
    final int end;

    double open = Double.NaN;
    double high = Double.NaN;
    double low = Double.NaN;
    double close = Double.NaN;
    double volume;
    double notional;
    boolean lacksNotional;
    long trades;
    boolean lacksTrades;
    /** Minutes in it that brought something. */
    int minutes;
    /** The sum of 1 + revision over the statements in force, those that moved elsewhere too. */
    long weight;
    boolean isFinal;
    /** Whether it changed since it was told. */
    boolean isChanged;
    /** Whether it was told to be a bar; if it is none any more, that is told too. */
    boolean isTold;

    /** Of a minute: the first and last statement that may be open and close. */
    Statement first;
    Statement last;

    Cell(int level, int begin, int end) {
        this.level = level;
        this.begin = begin;
        this.end = end;
    }

    boolean isBar() {
        return !Double.isNaN(open) && !Double.isNaN(close);
    }

    /** Forgets all that was added. */
    void clear() {
        open = high = low = close = Double.NaN;
        volume = notional = 0;
        lacksNotional = lacksTrades = false;
        trades = 0;
        minutes = 0;
        weight = 0;
        first = last = null;
    }

    /** Adds the part that follows: its prices where they count, its volume always. */
    void merge(Cell later, boolean pricesToo) {
        if (pricesToo) {
            if (Double.isNaN(open)) {
                open = later.open;
            }
            if (!Double.isNaN(later.close)) {
                close = later.close;
            }
            reach(later.high, later.low);
        }
        volume += later.volume;
        notional += later.notional;
        lacksNotional |= later.lacksNotional;
        trades += later.trades;
        lacksTrades |= later.lacksTrades;
        minutes += later.minutes;
        weight += later.weight;
    }

    /** Adds a statement to a minute, in whatever order. */
    void add(Statement statement) {
        weight += statement.weight();
        if (!statement.cancelled) {
            if (statement.isTrade()) {
                addTrade(statement);
            } else {
                addAggregate(statement);
            }
        }
        minutes = isNeutral() ? 0 : 1;
    }

    private void addTrade(Statement trade) {
        if ((trade.moves & Statement.OPEN_CLOSE) != 0) {
            firstLast(trade, trade.price);
        }
        if ((trade.moves & Statement.HIGH_LOW) != 0) {
            reach(trade.price, trade.price);
        }
        if ((trade.moves & Statement.VOLUME) != 0) {
            volume += trade.size;
            notional += trade.price * trade.size;
            trades++;
        }
    }

    private void addAggregate(Statement aggregate) {
        firstLast(aggregate, aggregate.open);
        reach(aggregate.high, aggregate.low);
        if (aggregate.size == 0) {
            return;
        }
        volume += aggregate.size;
        if (Double.isNaN(aggregate.vwap)) {
            lacksNotional = true;
        } else {
            notional += aggregate.vwap * aggregate.size;
        }
        if (aggregate.trades < 0) {
            lacksTrades = true;
        } else {
            trades += aggregate.trades;
        }
    }

    private void firstLast(Statement statement, double opening) {
        if (!Double.isNaN(opening) && (first == null || statement.compareTo(first) < 0)) {
            first = statement;
            open = opening;
        }
        if (last == null || statement.compareTo(last) > 0) {
            last = statement;
            close = statement.price;
        }
    }

    private void reach(double highest, double lowest) {
        if (!Double.isNaN(highest) && !(high >= highest)) {
            high = highest;
        }
        if (!Double.isNaN(lowest) && !(low <= lowest)) {
            low = lowest;
        }
    }

    private boolean isNeutral() {
        return Double.isNaN(open)
                && Double.isNaN(high)
                && Double.isNaN(low)
                && Double.isNaN(close)
                && volume == 0
                && notional == 0
                && !lacksNotional
                && trades == 0
                && !lacksTrades;
    }
}

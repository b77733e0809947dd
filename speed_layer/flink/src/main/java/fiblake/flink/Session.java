package fiblake.flink;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.LongConsumer;

/**
 * One symbol's session: the statements in force that may still change, and the bars of its minutes.
 *
 * <p>Each interval's bars are made of those of the next shorter one, for its buckets are made of
 * that one's: all are anchored alike. The 1d bar has the prices of regular minutes alone.
 */
final class Session {
    /** Minutes in a bucket of each interval but 1d; each divides the next. */
    static final int[] LEVELS = {1, 5, 15, 60, 120, 240};

    static final int DAILY = LEVELS.length;

    final Hours.Day day;
    final Cell daily;

    /** The bars of each level, by their place among those of the session. */
    private final Cell[][] cells = new Cell[LEVELS.length][];

    /** The last minute of which anything was told. */
    private int highest;

    private final List<Cell> forming = new ArrayList<>();
    private final BitSet dirty = new BitSet(Hours.DAY_MINUTES);

    /** By the minute in which they printed: what is known of each thing that was told. */
    private final List<Map<Statement, Statement>> inForce = new ArrayList<>();

    /** The first minute of which they are kept. */
    private int kept;

    /** Whether a price was told; if there is none any more, that is told too. */
    boolean isPriceTold;

    private int retained;

    Session(Hours.Day day) {
        this.day = day;
        for (int level = 0; level < LEVELS.length; level++) {
            cells[level] = new Cell[place(level, Hours.DAY_MINUTES) + 1];
        }
        inForce.addAll(Collections.nCopies(Hours.DAY_MINUTES, null));
        daily = new Cell(DAILY, 0, day.dusk);
        forming.add(daily);
    }

    /** How many statements it keeps. */
    int retained() {
        return retained;
    }

    /** How many bars are not final yet. */
    int forming() {
        return forming.size();
    }

    /** Returns the statement in force of the same thing; null where there is none. */
    Statement held(Statement statement) {
        Map<Statement, Statement> printed = inForce.get(printed(statement));
        return printed == null ? null : printed.get(statement);
    }

    /** Puts the statement of a new thing in force, and tells the ends of bars that begin. */
    void put(Statement statement, LongConsumer onEnd) {
        keep(statement);
        int minute = day.index(statement.minute);
        cell(minute, onEnd).add(statement);
        dirty.set(minute);
    }

    /** Puts a statement in force in the place of one of a lower revision. */
    void restate(Statement statement, Statement held, LongConsumer onEnd) {
        statement.other = statement.minute == held.minute ? held.other : held.minute;
        keep(statement);
        remake(statement.minute, onEnd);
        if (statement.isMoved()) {
            remake(statement.other, onEnd);
        }
    }

    /** Lets a statement in force weigh in the minute that another revision of it is of. */
    void weigh(Statement statement, LongConsumer onEnd) {
        int minute = day.index(statement.other);
        cell(minute, onEnd).weight += statement.weight();
        dirty.set(minute);
    }

    /** Keeps a statement, which its minute may have already. */
    void keep(Statement statement) {
        int minute = printed(statement);
        if (inForce.get(minute) == null) {
            inForce.set(minute, new HashMap<>());
        }
        if (inForce.get(minute).put(statement, statement) == null) {
            retained++;
        }
    }

    /** Takes a minute as it was before. */
    void restore(Cell minute, LongConsumer onEnd) {
        Cell parent = cell(minute.begin, onEnd);
        parent.merge(minute, true);
        parent.last = minute.last;
        dirty.set(minute.begin);
    }

    /** Forgets the statements that printed before `instant`. */
    void forget(long instant) {
        for (; kept < Hours.DAY_MINUTES && day.at(kept + 1) <= instant; kept++) {
            Map<Statement, Statement> printed = inForce.set(kept, null);
            retained -= printed == null ? 0 : printed.size();
        }
    }

    boolean isDirty() {
        return !dirty.isEmpty();
    }

    /**
     * Brings all bars up to date and tells those that changed, and those that are final now.
     *
     * @param lateBefore bars that end by then are final; microseconds since 1970
     */
    void settle(long lateBefore, Consumer<Cell> onBar) {
        refresh();
        for (Iterator<Cell> each = forming.iterator(); each.hasNext(); ) {
            Cell cell = each.next();
            if (day.at(cell.end) <= lateBefore) {
                cell.isFinal = true;
                each.remove();
            }
            boolean isDue = cell.isFinal || cell.isChanged;
            cell.isChanged = false;
            if (isDue && (cell.isTold || cell.isBar())) {
                cell.isTold = true;
                onBar.accept(cell);
            }
        }
    }

    /** Goes on after a restore: what was final by an instant was told, the rest is told again. */
    void resume(long lateBefore) {
        settle(lateBefore, cell -> {});
        forming.forEach(cell -> cell.isTold = true);
        isPriceTold = true;
        for (Cell cell : forming) {
            if (cell.level == 0) {
                dirty.set(cell.begin);
            }
        }
    }

    /** Whether a bar that ended by then is not final yet. */
    boolean isOverdue(long instant) {
        return forming.stream().anyMatch(cell -> day.at(cell.end) <= instant);
    }

    /** Returns the statement that tells the latest price; null where there is none. */
    Statement latest() {
        Cell closing = cells[0][place(0, day.close - 1)];
        Statement latest = closing == null ? null : closing.last;
        for (int minute = highest; minute >= 0; minute--) {
            Cell cell = cells[0][place(0, minute)];
            if (cell != null && cell.last != null) {
                return latest == null || cell.last.compareTo(latest) > 0 ? cell.last : latest;
            }
        }
        return latest;
    }

    List<Cell> minutes() {
        return Arrays.stream(cells[0]).filter(Objects::nonNull).toList();
    }

    List<Map<Statement, Statement>> statements() {
        return inForce.stream().filter(Objects::nonNull).toList();
    }

    /** Returns the minute in which a statement printed; the day has it, for it has been judged. */
    private int printed(Statement statement) {
        return Math.max(0, Math.min(Hours.DAY_MINUTES - 1, day.index(statement.time)));
    }

    /** Returns the bar of a minute, with those around it made where they are not there yet. */
    private Cell cell(int minute, LongConsumer onEnd) {
        Cell cell = cells[0][place(0, minute)];
        if (cell != null) {
            return cell;
        }
        for (int level = LEVELS.length - 1; level >= 0; level--) {
            int begin = day.begin(minute, LEVELS[level]);
            int place = place(level, begin);
            cell = cells[level][place];
            if (cell == null) {
                cell = new Cell(level, begin, day.end(begin, LEVELS[level]));
                cells[level][place] = cell;
                forming.add(cell);
                onEnd.accept(day.at(cell.end));
            }
        }
        highest = Math.max(highest, minute);
        return cell;
    }

    /** Returns the place of a bar among those of its level: no two share it. */
    private int place(int level, int begin) {
        return begin / LEVELS[level] + (begin < day.open ? 0 : begin < day.close ? 1 : 2);
    }

    /** Makes a minute anew of the statements in force, and of those that moved out of it. */
    private void remake(long start, LongConsumer onEnd) {
        int minute = day.index(start);
        Cell cell = cell(minute, onEnd);
        cell.clear();
        // A closing print counts to the last regular minute, whenever it printed.
        boolean isClosing = minute == day.close - 1;
        for (int at = minute; at < (isClosing ? Hours.DAY_MINUTES : minute + 1); at++) {
            Map<Statement, Statement> printed = inForce.get(at);
            for (Statement statement : printed == null ? List.<Statement>of() : printed.values()) {
                if (statement.minute == start) {
                    cell.add(statement);
                } else if (statement.other == start) {
                    cell.weight += statement.weight();
                }
            }
        }
        dirty.set(minute);
    }

    private void refresh() {
        if (dirty.isEmpty()) {
            return;
        }
        for (int at = dirty.nextSetBit(0); at >= 0; at = dirty.nextSetBit(at + 1)) {
            cells[0][place(0, at)].isChanged = true;
        }
        for (int level = 1; level < LEVELS.length; level++) {
            int done = -1;
            for (int at = dirty.nextSetBit(0); at >= 0; at = dirty.nextSetBit(at + 1)) {
                int begin = day.begin(at, LEVELS[level]);
                if (begin != done) {
                    gather(cells[level][place(level, begin)], level);
                    done = begin;
                }
            }
        }
        daily.clear();
        for (int at = 0; at < day.dusk; at = day.end(at, LEVELS[DAILY - 1])) {
            merge(daily, DAILY - 1, at, day.isRegular(at));
        }
        daily.isChanged = true;
        dirty.clear();
    }

    private void gather(Cell cell, int level) {
        cell.clear();
        for (int at = cell.begin; at < cell.end; at = day.end(at, LEVELS[level - 1])) {
            merge(cell, level - 1, at, true);
        }
        cell.isChanged = true;
    }

    private void merge(Cell cell, int level, int begin, boolean pricesToo) {
        Cell part = cells[level][place(level, begin)];
        if (part != null) {
            cell.merge(part, pricesToo);
        }
    }
}

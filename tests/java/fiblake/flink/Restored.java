package fiblake.flink;

import static java.util.stream.Collectors.joining;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Prints, tab between them, how many of a symbol's statements had moved at some place of a flow, and
 * the bars of all of the flow when the symbol was restored there from its journal, which was written
 * anew halfway. Of each place on a line; the last one is that of a symbol that never was restored.
 */
final class Restored {
    private final Hours hours;
    private final long lateness;
    private final List<String> lines;

    private Restored(Hours hours, long lateness, List<String> lines) {
        this.hours = hours;
        this.lateness = lateness;
        this.lines = lines;
    }

    /**
     * @param arguments the hours as {@link Hours#parse} takes them; the lateness in microseconds; a
     *     file of trades as the stream carries them
     */
    public static void main(String[] arguments) throws Exception {
        List<String> lines = Files.readAllLines(Path.of(arguments[2]));
        Hours hours = Hours.parse(arguments[0]);
        Restored restored = new Restored(hours, Long.parseLong(arguments[1]), lines);
        for (int place = 1; place <= lines.size(); place++) {
            restored.at(place);
        }
        Symbol never = new Symbol(restored.lateness);
        restored.apply(never, 0, lines.size(), new ArrayList<>());
        System.out.println("0\t" + bars(never));
    }

    private void at(int place) throws Exception {
        Symbol symbol = new Symbol(lateness);
        List<byte[]> journal = new ArrayList<>();
        apply(symbol, 0, place / 2, journal);
        journal.clear();
        journal.add(Journal.whole(symbol));
        apply(symbol, place / 2, place, journal);
        Symbol restored = Journal.read(journal, lateness, hours);
        // And written anew at once, as a journal that has grown is.
        restored = Journal.read(List.of(Journal.whole(restored)), lateness, hours);
        apply(restored, place, lines.size(), new ArrayList<>());
        System.out.println(moved(symbol) + "\t" + bars(restored));
    }

    /** Applies some of the flow, and writes the journal, as {@link LiveBars} does. */
    private void apply(Symbol symbol, int from, int until, List<byte[]> journal) {
        Plain plain = new Plain();
        for (String line : lines.subList(from, until)) {
            Statement statement = plain.read(line.getBytes(StandardCharsets.UTF_8));
            long before = symbol.clock;
            Hours.Day day = hours.of(statement.minute);
            if (symbol.apply(statement, day, end -> {}) == Symbol.Fate.ACCEPTED) {
                journal.add(Journal.statement(statement));
            } else if (symbol.clock > before) {
                journal.add(Journal.mark(symbol));
            }
        }
    }

    private static long moved(Symbol symbol) {
        return symbol.session.statements().stream()
                .map(Map::values)
                .flatMap(printed -> printed.stream())
                .filter(Statement::isMoved)
                .count();
    }

    private static String bars(Symbol symbol) {
        List<String> bars = new ArrayList<>();
        symbol.session.settle(Long.MAX_VALUE, cell -> bars.add(cell.isBar() ? bar(cell) : ""));
        // What is no bar is told where it may have been one before: after a restore, everywhere.
        return bars.stream().filter(bar -> !bar.isEmpty()).sorted().collect(joining(", "));
    }

    private static String bar(Cell cell) {
        String prices = cell.open + " " + cell.high + " " + cell.low + " " + cell.close;
        // A sum depends on the order, in its last digits.
        String sums = String.format("%.4f %.4f", cell.volume, cell.notional);
        return String.join(
                " ", cell.level + "/" + cell.begin, prices, sums, cell.trades + " " + cell.weight);
    }
}

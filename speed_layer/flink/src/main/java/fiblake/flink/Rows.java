package fiblake.flink;

import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;

/** The rows that are told: the columns of {@code LIVE_BARS} and {@code PRICES}, and a line. */
final class Rows {
    static final String TYPE =
            "ROW<`row` STRING, `interval` STRING, `session` DATE, `hours` STRING, `start` BIGINT,"
                    + " `open` DOUBLE, `high` DOUBLE, `low` DOUBLE, `close` DOUBLE,"
                    + " `volume` DOUBLE, `vwap` DOUBLE, `trades` BIGINT, `minutes` INT,"
                    + " `state` STRING, `price` DOUBLE, `time` BIGINT, `received` BIGINT,"
                    + " `source` STRING, `version` BIGINT, `line` BYTES>";

    private static final int COLUMNS = 20;
    private static final int VERSION = 18;
    private static final int LINE = 19;
    private static final long DAY_US = 86_400_000_000L;

    private static final StringData[] INTERVALS = texts("1m", "5m", "15m", "1h", "2h", "4h", "1d");
    private static final StringData[] STATES = texts("forming", "final");
    private static final StringData[] HOURS = texts("extended", "regular");
    private static final StringData BAR = StringData.fromString("bar");
    private static final StringData PRICE = StringData.fromString("price");

    private Rows() {}

    /** Returns a bar as it is now. */
    static RowData bar(Hours.Day day, Cell cell) {
        boolean isDaily = cell.level == Session.DAILY;
        boolean isRegular = isDaily || day.isRegular(cell.begin);
        boolean hasVwap = !cell.lacksNotional && cell.volume != 0;
        GenericRowData row = new GenericRowData(COLUMNS);
        row.setField(0, BAR);
        row.setField(1, INTERVALS[cell.level]);
        row.setField(2, day.session);
        row.setField(3, HOURS[isRegular ? 1 : 0]);
        row.setField(4, isDaily ? day.session * DAY_US : day.at(cell.begin));
        if (cell.isBar()) {
            row.setField(5, cell.open);
            row.setField(6, known(cell.high));
            row.setField(7, known(cell.low));
            row.setField(8, cell.close);
        }
        row.setField(9, cell.volume);
        row.setField(10, hasVwap ? (Double) (cell.notional / cell.volume) : null);
        row.setField(11, cell.lacksTrades ? null : (Long) cell.trades);
        row.setField(12, cell.minutes);
        row.setField(13, STATES[cell.isFinal ? 1 : 0]);
        row.setField(VERSION, 2 * cell.weight + (cell.isFinal ? 1 : 0));
        return row;
    }

    /** Returns the latest price, which a statement tells; null: there is none any more. */
    static RowData price(Hours.Day day, Statement latest, long version) {
        GenericRowData row = new GenericRowData(COLUMNS);
        row.setField(0, PRICE);
        row.setField(2, day.session);
        row.setField(14, latest == null ? null : (Double) latest.price);
        row.setField(15, latest == null ? 0 : latest.time);
        row.setField(16, latest == null ? 0 : latest.received);
        row.setField(17, StringData.fromString(latest == null ? "" : latest.source));
        row.setField(VERSION, version);
        return row;
    }

    /** Returns a line that moves no bar here. */
    static RowData refused(String kind, byte[] line) {
        GenericRowData row = new GenericRowData(COLUMNS);
        row.setField(0, StringData.fromString(kind));
        row.setField(LINE, line);
        return row;
    }

    private static Double known(double price) {
        return Double.isNaN(price) ? null : (Double) price;
    }

    private static StringData[] texts(String... texts) {
        StringData[] data = new StringData[texts.length];
        for (int at = 0; at < texts.length; at++) {
            data[at] = StringData.fromString(texts[at]);
        }
        return data;
    }
}

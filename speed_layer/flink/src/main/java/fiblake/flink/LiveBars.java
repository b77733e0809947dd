package fiblake.flink;

import static org.apache.flink.table.annotation.ArgumentTrait.REQUIRE_ON_TIME;
import static org.apache.flink.table.annotation.ArgumentTrait.SET_SEMANTIC_TABLE;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.table.annotation.ArgumentHint;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.annotation.StateHint;
import org.apache.flink.table.api.dataview.ListView;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ProcessTableFunction;

/**
 * Events of a symbol as rows of what they change: bars, the latest price, and what is refused.
 *
 * <p>Rows are only ever added: a bar that changed is a row of a higher version. What changed is told
 * when the watermark reaches the first event that changed it, all at once.
 */
@FunctionHint(output = @DataTypeHint(value = Rows.TYPE, bridgedTo = RowData.class))
public class LiveBars extends ProcessTableFunction<RowData> {
    private static final long serialVersionUID = 1L;

    /** How long after dusk and lateness a session is kept. */
    private static final long REST_US = 3_600_000_000L;

    private static final long MINUTE_MS = 60_000L;

    private static final int ENTRIES = 1024;

    private transient Hours hours;
    private transient long latenessUs;
    private transient String kind;
    /** Whether the watermark is behind every event that is still to come, also in a replay. */
    private transient boolean isInStep;

    /** What the journals tell, read once: Flink's state is written to, and not read again. */
    private transient Map<StringData, Symbol> symbols;

    private transient Pace pace;
    private transient Counter accepted;
    private transient Counter stale;
    private transient Counter late;
    private transient Counter foreign;
    private transient Counter poison;

    @Override
    public void open(FunctionContext context) {
        hours = Hours.parse(context.getJobParameter("fiblake.sessions", ""));
        latenessUs = Long.parseLong(context.getJobParameter("fiblake.lateness-us", "900000000"));
        kind = context.getJobParameter("fiblake.kind", "trade");
        isInStep = Boolean.parseBoolean(context.getJobParameter("fiblake.in-step", "false"));
        symbols = new HashMap<>();
        pace = new Pace();
        MetricGroup metrics = context.getMetricGroup().addGroup("fiblake");
        accepted = metrics.counter("accepted");
        stale = metrics.counter("stale");
        late = metrics.counter("late");
        foreign = metrics.counter("foreign");
        poison = metrics.counter("poison");
    }

    /** Applies one line. */
    public void eval(
            Context context,
            @StateHint(name = "journal", ttl = "0 s", type = @DataTypeHint("ARRAY<BYTES>"))
                    ListView<byte[]> journal,
            @StateHint(name = "name", ttl = "0 s", type = @DataTypeHint("MAP<INT, STRING>"))
                    MapView<Integer, String> name,
            @ArgumentHint(
                            value = {SET_SEMANTIC_TABLE, REQUIRE_ON_TIME},
                            name = "events",
                            type =
                                    @DataTypeHint(
                                            value =
                                                    "ROW<line BYTES, symbol STRING,"
                                                            + " at TIMESTAMP_LTZ(3)>",
                                            bridgedTo = RowData.class))
                    RowData row)
            throws Exception {
        byte[] line = row.getBinary(0);
        Statement event = Lines.parsed(line);
        if (event == null) {
            poison.inc();
            collect(Rows.refused("poison", line));
        } else if (!event.isHeartbeat()) {
            pace.see(event.time);
            StringData key = row.getString(1);
            Symbol symbol = symbols.get(key);
            if (symbol == null) {
                symbol = read(journal);
                symbols.put(StringData.fromString(key.toString()), symbol);
                name.put(0, key.toString());
            }
            apply(context, journal, symbol, event, line);
        }
    }

    /** Tells what changed, and what is final. */
    public void onTimer(
            OnTimerContext context, ListView<byte[]> journal, MapView<Integer, String> name)
            throws Exception {
        StringData key = StringData.fromString(name.get(0));
        Symbol symbol = symbols.get(key);
        if (symbol == null) {
            symbol = read(journal);
            symbols.put(key, symbol);
        }
        symbol.isAwaited = false;
        if (symbol.session != null) {
            TimeContext<Long> time = context.timeContext(Long.class);
            settle(time, symbol, time.time() * 1000, journal);
        }
    }

    private Symbol read(ListView<byte[]> journal) throws Exception {
        List<byte[]> entries = journal.getList();
        Symbol symbol = Journal.read(entries, latenessUs, hours);
        symbol.entries = entries.size();
        symbol.worth = Math.max(ENTRIES, symbol.entries);
        return symbol;
    }

    private void apply(
            Context context, ListView<byte[]> journal, Symbol symbol, Statement event, byte[] line)
            throws Exception {
        long clockBefore = symbol.clock;
        Hours.Day day = hours.of(event.minute);
        if (day == null && hours.areBefore(event.minute)) {
            poison.inc();
            collect(Rows.refused("poison", line));
            return;
        }
        if (day == null || !kind.equals(event.kind)) {
            foreign.inc();
            return;
        }
        TimeContext<Long> time = context.timeContext(Long.class);
        switch (symbol.apply(event, day, end -> time.registerOnTime((end + latenessUs) / 1000))) {
            case ACCEPTED -> {
                accepted.inc();
                accept(time, journal, symbol, event);
                return;
            }
            case STALE -> stale.inc();
            case LATE -> {
                late.inc();
                collect(Rows.refused("late", line));
            }
        }
        if (symbol.clock > clockBefore) {
            write(journal, symbol, Journal.mark(symbol));
        }
    }

    private void accept(
            TimeContext<Long> time, ListView<byte[]> journal, Symbol symbol, Statement event)
            throws Exception {
        if (symbol.over != null) {
            tell(symbol.over, Long.MAX_VALUE);
            symbol.over = null;
            compact(journal, symbol);
        } else {
            write(journal, symbol, Journal.statement(event));
        }
        if (!symbol.isAwaited) {
            symbol.isAwaited = true;
            time.registerOnTime(pace.when(event.time) / 1000);
        }
    }

    private void settle(
            TimeContext<Long> time, Symbol symbol, long nowUs, ListView<byte[]> journal)
            throws Exception {
        Session session = symbol.session;
        long watermark = time.currentWatermark() == null ? 0 : time.currentWatermark();
        boolean isOver = watermark == Long.MAX_VALUE;
        boolean isTrusted = isInStep || pace.isLive() || isOver;
        long byUs = isTrusted ? nowUs : Math.min(nowUs, symbol.clock);
        if (tell(session, byUs - latenessUs)) {
            symbol.settled = Math.max(symbol.settled, byUs);
            write(journal, symbol, Journal.mark(symbol));
        }
        if (byUs < nowUs && session.isOverdue(nowUs - latenessUs)) {
            time.registerOnTime((watermark / MINUTE_MS + 1) * MINUTE_MS);
        }
        long restUs = session.day.at(session.day.dusk) + latenessUs + REST_US;
        if (session.forming() == 0 && nowUs >= restUs) {
            symbol.session = null;
            compact(journal, symbol);
        } else if (session.forming() == 0) {
            time.registerOnTime(restUs / 1000);
        }
    }

    /** Tells the bars and the price that changed; returns whether a bar became final. */
    private boolean tell(Session session, long lateBefore) {
        boolean isChanged = session.isDirty();
        int formed = session.forming();
        session.settle(lateBefore, cell -> collect(Rows.bar(session.day, cell)));
        if (isChanged) {
            tellPrice(session);
        }
        return session.forming() < formed;
    }

    private void tellPrice(Session session) {
        Statement latest = session.latest();
        if (latest != null || session.isPriceTold) {
            session.isPriceTold = true;
            collect(Rows.price(session.day, latest, session.daily.weight));
        }
    }

    private void write(ListView<byte[]> journal, Symbol symbol, byte[] entry) throws Exception {
        if (symbol.entries >= symbol.worth) {
            compact(journal, symbol);
        } else {
            journal.add(entry);
            symbol.entries++;
        }
    }

    private void compact(ListView<byte[]> journal, Symbol symbol) throws Exception {
        journal.clear();
        journal.add(Journal.whole(symbol));
        symbol.entries = 1;
        symbol.worth = symbol.session == null ? 0 : symbol.session.retained();
        symbol.worth = Math.max(ENTRIES, symbol.worth);
    }
}

package fiblake.flink;

import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.functions.ScalarFunction;

/** The symbol of the event that a line tells; empty where it tells none, as in a heartbeat. */
public class EventSymbol extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    public @DataTypeHint("STRING NOT NULL") String eval(byte[] line) {
        Statement event = Lines.parsed(line);
        return event == null ? "" : event.symbol;
    }
}

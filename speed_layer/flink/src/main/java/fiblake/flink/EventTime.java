package fiblake.flink;

import java.time.Instant;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.functions.ScalarFunction;

/** The time of the event that a line tells; 1970 where it tells none, which moves no watermark. */
public class EventTime extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    public @DataTypeHint("TIMESTAMP_LTZ(3) NOT NULL") Instant eval(byte[] line) {
        Statement event = Lines.parsed(line);
        return Instant.ofEpochMilli(event == null ? 0 : event.time / 1000);
    }
}

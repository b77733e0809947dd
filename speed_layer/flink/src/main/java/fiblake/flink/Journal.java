package fiblake.flink;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutput;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.core.memory.DataOutputSerializer;

/**
 * What is known of a symbol as a list of entries: it is what Flink keeps.
 *
 * <p>An entry is a statement that was accepted, a mark of the clocks, or all that is known at once.
 * The list only grows, which costs little in any state backend, until it is worth one entry of all.
 */
final class Journal {
    private static final int STATEMENT = 1;
    private static final int MARK = 2;
    private static final int WHOLE = 4;

    private Journal() {}

    /** Returns the entry of a statement. */
    static byte[] statement(Statement statement) {
        return written(128, out -> {
            out.writeByte(STATEMENT);
            write(out, statement);
        });
    }

    /** Returns the entry of a symbol's clocks. */
    static byte[] mark(Symbol symbol) {
        return written(17, out -> {
            out.writeByte(MARK);
            out.writeLong(symbol.clock);
            out.writeLong(symbol.settled);
        });
    }

    /** Returns the one entry of all that is known of a symbol. */
    static byte[] whole(Symbol symbol) {
        return written(4096, out -> {
            out.writeByte(WHOLE);
            out.writeLong(symbol.clock);
            out.writeLong(symbol.settled);
            out.writeBoolean(symbol.session != null);
            if (symbol.session != null) {
                write(out, symbol);
            }
        });
    }

    /** Returns what entries tell of a symbol, in order. */
    static Symbol read(Iterable<byte[]> entries, long lateness, Hours hours) throws IOException {
        Symbol symbol = new Symbol(lateness);
        for (byte[] entry : entries) {
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(entry));
            switch (in.readByte()) {
                case STATEMENT -> replay(symbol, statement(in), hours);
                case MARK -> readMark(in, symbol);
                case WHOLE -> readWhole(in, symbol, hours);
                default -> throw new IOException("the state is of another version of the job");
            }
        }
        if (symbol.session != null) {
            symbol.session.resume(symbol.settled - lateness);
        }
        return symbol;
    }

    private static void replay(Symbol symbol, Statement statement, Hours hours) {
        Hours.Day day = hours.of(statement.minute);
        if (day != null) {
            symbol.apply(statement, day, end -> {});
            symbol.over = null;
        }
    }

    private static void readMark(DataInputStream in, Symbol symbol) throws IOException {
        symbol.clock = in.readLong();
        symbol.settled = in.readLong();
        if (symbol.session != null) {
            symbol.session.forget(symbol.horizon());
        }
    }

    private static void readWhole(DataInputStream in, Symbol symbol, Hours hours)
            throws IOException {
        symbol.clock = in.readLong();
        symbol.settled = in.readLong();
        if (!in.readBoolean()) {
            return;
        }
        Hours.Day day = hours.of(in.readLong());
        if (day == null) {
            throw new IOException("the sessions lack one that the state has: pass it too");
        }
        Session session = new Session(day);
        for (int left = in.readInt(); left > 0; left--) {
            session.restore(cell(in), end -> {});
        }
        for (int left = in.readInt(); left > 0; left--) {
            Statement statement = statement(in);
            if (symbol.isLate(statement.minute)) {
                session.keep(statement);
            } else {
                session.put(statement, end -> {});
            }
            if (statement.isMoved() && !symbol.isLate(statement.other)) {
                session.weigh(statement, end -> {});
            }
        }
        symbol.session = session;
    }

    private static void write(DataOutput out, Symbol symbol) throws IOException {
        Session session = symbol.session;
        out.writeLong(session.day.dawn);
        List<Cell> past = new ArrayList<>();
        for (Cell minute : session.minutes()) {
            if (symbol.isLate(session.day.at(minute.begin))) {
                past.add(minute);
            }
        }
        out.writeInt(past.size());
        for (Cell minute : past) {
            write(out, minute);
        }
        out.writeInt(session.retained());
        for (Map<Statement, Statement> printed : session.statements()) {
            for (Statement statement : printed.values()) {
                write(out, statement);
            }
        }
    }

    private static void write(DataOutput out, Cell minute) throws IOException {
        out.writeShort(minute.begin);
        out.writeDouble(minute.open);
        out.writeDouble(minute.high);
        out.writeDouble(minute.low);
        out.writeDouble(minute.close);
        out.writeDouble(minute.volume);
        out.writeDouble(minute.notional);
        out.writeBoolean(minute.lacksNotional);
        out.writeLong(minute.trades);
        out.writeBoolean(minute.lacksTrades);
        out.writeByte(minute.minutes);
        out.writeLong(minute.weight);
        out.writeBoolean(minute.last != null);
        if (minute.last != null) {
            write(out, minute.last);
        }
    }

    private static Cell cell(DataInputStream in) throws IOException {
        int begin = in.readShort();
        Cell minute = new Cell(0, begin, begin + 1);
        minute.open = in.readDouble();
        minute.high = in.readDouble();
        minute.low = in.readDouble();
        minute.close = in.readDouble();
        minute.volume = in.readDouble();
        minute.notional = in.readDouble();
        minute.lacksNotional = in.readBoolean();
        minute.trades = in.readLong();
        minute.lacksTrades = in.readBoolean();
        minute.minutes = in.readByte();
        minute.weight = in.readLong();
        if (in.readBoolean()) {
            minute.last = statement(in);
        }
        return minute;
    }

    private static void write(DataOutput out, Statement statement) throws IOException {
        out.writeLong(statement.time);
        out.writeLong(statement.sequence);
        out.writeLong(statement.revision);
        out.writeLong(statement.minute);
        int flags = (statement.cancelled ? 8 : 0) | (statement.isMoved() ? 16 : 0);
        out.writeByte(statement.moves | flags);
        if (statement.isMoved()) {
            out.writeLong(statement.other);
        }
        out.writeDouble(statement.price);
        out.writeDouble(statement.size);
        out.writeLong(statement.received);
        out.writeUTF(statement.source);
        out.writeBoolean(statement.isTrade());
        if (!statement.isTrade()) {
            out.writeUTF(statement.kind);
            out.writeDouble(statement.open);
            out.writeDouble(statement.high);
            out.writeDouble(statement.low);
            out.writeDouble(statement.vwap);
            out.writeLong(statement.trades);
        }
    }

    private static Statement statement(DataInputStream in) throws IOException {
        Statement statement = new Statement();
        statement.time = in.readLong();
        statement.sequence = in.readLong();
        statement.revision = in.readLong();
        statement.minute = in.readLong();
        int flags = in.readByte();
        statement.moves = flags & 7;
        statement.cancelled = (flags & 8) != 0;
        if ((flags & 16) != 0) {
            statement.other = in.readLong();
        }
        statement.price = in.readDouble();
        statement.size = in.readDouble();
        statement.received = in.readLong();
        statement.source = in.readUTF().intern();
        statement.kind = "trade";
        if (!in.readBoolean()) {
            statement.kind = in.readUTF().intern();
            statement.open = in.readDouble();
            statement.high = in.readDouble();
            statement.low = in.readDouble();
            statement.vwap = in.readDouble();
            statement.trades = in.readLong();
        }
        return statement;
    }

    private interface Writing {
        void to(DataOutput out) throws IOException;
    }

    private static byte[] written(int size, Writing writing) {
        DataOutputSerializer out = new DataOutputSerializer(size);
        try {
            writing.to(out);
        } catch (IOException exception) {
            throw new UncheckedIOException(exception);
        }
        return out.getCopyOfBuffer();
    }
}

package fiblake.flink;

import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;

/** The connector {@code kinesis-by-shard}: Flink's own, read as {@link ByShard} does. */
public class ByShardFactory implements DynamicTableSourceFactory {
    @Override
    public String factoryIdentifier() {
        return "kinesis-by-shard";
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        DynamicTableSourceFactory kinesis =
                FactoryUtil.discoverFactory(
                        context.getClassLoader(), DynamicTableSourceFactory.class, "kinesis");
        return new ByShard((ScanTableSource) kinesis.createDynamicTableSource(context));
    }

    /** None of its own: Flink's connector checks them. */
    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }
}

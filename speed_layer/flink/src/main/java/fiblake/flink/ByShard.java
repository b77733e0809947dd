package fiblake.flink;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.transformations.SourceTransformation;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.source.DataStreamScanProvider;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.abilities.SupportsWatermarkPushDown;
import org.apache.flink.table.data.RowData;

/**
 * Flink's source of Kinesis with a watermark of each shard, where its table has one of each task.
 *
 * <p>A task reads its shards in turn, ten thousand records at a time. While a job catches up they
 * are far apart, and the watermark of a task is that of the one that is ahead.
 */
final class ByShard implements ScanTableSource, SupportsWatermarkPushDown {
    private final ScanTableSource kinesis;
    private WatermarkStrategy<RowData> watermarks = WatermarkStrategy.noWatermarks();

    ByShard(ScanTableSource kinesis) {
        this.kinesis = kinesis;
    }

    @Override
    public void applyWatermark(WatermarkStrategy<RowData> strategy) {
        watermarks = strategy;
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return kinesis.getChangelogMode();
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        var provider = (DataStreamScanProvider) kinesis.getScanRuntimeProvider(context);
        return new DataStreamScanProvider() {
            @Override
            public DataStream<RowData> produceDataStream(
                    ProviderContext names, StreamExecutionEnvironment environment) {
                var made = provider.produceDataStream(names, environment).getTransformation();
                var source = ((SourceTransformation<RowData, ?, ?>) made).getSource();
                return environment.fromSource(source, watermarks, made.getName()).uid("events");
            }

            @Override
            public boolean isBounded() {
                return provider.isBounded();
            }
        };
    }

    @Override
    public DynamicTableSource copy() {
        ByShard copy = new ByShard((ScanTableSource) kinesis.copy());
        copy.watermarks = watermarks;
        return copy;
    }

    @Override
    public String asSummaryString() {
        return kinesis.asSummaryString() + " by shard";
    }
}

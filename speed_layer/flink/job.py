"""The Flink job: events of a stream into live bars, late statements and rejects."""
import argparse, json, sys
from pathlib import Path
from string import Template
from pyflink.table import EnvironmentSettings, TableEnvironment
from pyflink.common import Configuration

HERE = Path(__file__).parent
def sql(name, **v):
    return Template((HERE/"sql"/f"{name}.sql").read_text()).substitute(**v)
def q(s): return "'" + str(s).replace("'", "''") + "'"
def opts(d): return ",\n    ".join(f"{q(k)} = {q(v)}" for k,v in d.items())

p = argparse.ArgumentParser()
p.add_argument("--events"); p.add_argument("--bars", default="blackhole"); p.add_argument("--corrections", default="blackhole"); p.add_argument("--rejects", default="blackhole")
p.add_argument("--sessions"); p.add_argument("--parallelism", type=int, default=2); p.add_argument("--explain", action="store_true")
a = p.parse_args()
c = Configuration()
c.set_string("pipeline.jars", "file://" + str(HERE/"target/fiblake-flink.jar"))
c.set_string("parallelism.default", str(a.parallelism))
c.set_string("pipeline.object-reuse", "true")
c.set_string("table.local-time-zone", "UTC")
c.set_string("execution.checkpointing.interval", "10s")
c.set_string("pipeline.global-job-parameters", "'fiblake.sessions:" + a.sessions + "'")
t = TableEnvironment.create(EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(c).build())
for n, k in (("EVENT_SYMBOL","EventSymbol"),("EVENT_TIME","EventTime"),("LIVE_BARS","LiveBars")):
    t.execute_sql(f"CREATE TEMPORARY SYSTEM FUNCTION {n} AS 'fiblake.flink.{k}'")
t.execute_sql(sql("events_filesystem", place=q(a.events), options=""))
def sink(place, fmt):
    if place == "blackhole": return opts({"connector":"blackhole"})
    return opts({"connector":"filesystem","format":fmt,"path":place})
t.execute_sql(sql("bars", options=sink(a.bars,"json")))
t.execute_sql(sql("lines", table="corrections", options=sink(a.corrections,"raw")))
t.execute_sql(sql("lines", table="rejects", options=sink(a.rejects,"raw")))
t.execute_sql(sql("told"))
s = t.create_statement_set()
s.add_insert_sql(sql("insert_bars"))
s.add_insert_sql(sql("insert_lines", table="corrections", kind=q("late")))
s.add_insert_sql(sql("insert_lines", table="rejects", kind=q("poison")))
if a.explain: print(s.explain()); sys.exit()
s.execute().wait()

-- One row a thing to tell: a bar or a price that changed, a line that is late, a line that is no event.
CREATE TEMPORARY VIEW told AS
SELECT * FROM LIVE_BARS(
    events => TABLE events PARTITION BY `symbol`,
    on_time => DESCRIPTOR(`at`),
    uid => 'live-bars'
)

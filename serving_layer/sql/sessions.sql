-- One row a session: when regular hours begin and end.
-- A reader of minutes registers the lake's in the place of this empty one.
CREATE TABLE sessions (session DATE, open TIMESTAMPTZ, close TIMESTAMPTZ);

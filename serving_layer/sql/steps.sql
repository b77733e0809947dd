-- One row a symbol and the first date on which it names a listing, until its next.
-- A reader registers its own in the place of this empty one.
CREATE TABLE steps (symbol VARCHAR, first DATE, listing VARCHAR);

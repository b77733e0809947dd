-- One row a symbol that a listing asked for had: its place in the answer, and the dates, inclusive.
-- A reader registers its own in the place of this empty one.
CREATE TABLE asked (place INTEGER, listing VARCHAR, symbol VARCHAR, first DATE, last DATE);

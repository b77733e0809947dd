-- One row a bar, in order of listing and start, `nth` counting from 0.
-- Whoever computes an indicator registers its own in the place of this empty one.
CREATE TABLE bars (nth BIGINT, listing VARCHAR, high DOUBLE, low DOUBLE, close DOUBLE);

-- One row a step, with how many sessions the lake holds from the bar before it to the bar, and up to
-- either. Reads: steps, held.
CREATE TABLE numbered_steps AS
SELECT
    steps.*,
    earlier.number AS number_before,
    later.number,
    later.number - earlier.number AS distance
FROM steps
JOIN held AS earlier ON earlier.session = steps.session_before
JOIN held AS later ON later.session = steps.session;

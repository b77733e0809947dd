-- One row a symbol that vanished. It was active: it traded on at least $active of the last $window
-- sessions to its last bar. The lake has at least $absent sessions since. And its market goes on:
-- either others that had a bar on its last session have later ones, at least $few of them, while
-- of all of them no more end there than a market's symbols would ($few, or 1 %: else a source
-- ends); or a file of few symbols, it among them, reaches further than it does. It does not count
-- where such a file ends with it, nor where its symbol is known to have ended then (delisted, renamed),
-- before the last of those $absent sessions.
-- Binds: $window, $active, $absent, $few, $start, $end (of the first session without it, both
-- inclusive). Reads: lives, numbered_steps, market, held, covered (by files of few symbols),
-- known_ends.
WITH ended AS (
    SELECT
        lives.symbol,
        lives.last,
        last_close,
        opening.number AS first_number,
        closing.number AS last_number,
        (SELECT max(number) FROM held) - closing.number AS sessions_since
    FROM lives
    JOIN held AS opening ON opening.session = lives.first
    JOIN held AS closing ON closing.session = lives.last
    WHERE sessions_since >= $absent
),

missed AS (
    SELECT
        ended.symbol,
        sum(greatest(0, steps.number - greatest(steps.number_before + 1, last_number - $window + 1)))
            AS sessions
    FROM ended
    JOIN numbered_steps AS steps ON steps.symbol = ended.symbol AND steps.number > last_number - $window
    WHERE distance > 1
    GROUP BY ended.symbol
),

ends AS (
    SELECT last, count(*) AS symbols
    FROM lives
    GROUP BY last
)

SELECT ended.symbol, ended.last, absent_from.session AS absent_from, sessions_since, last_close
FROM ended
JOIN held AS absent_from ON absent_from.number = last_number + 1
JOIN held AS absent_to ON absent_to.number = last_number + $absent
JOIN market ON market.session = ended.last
JOIN ends ON ends.last = ended.last
LEFT JOIN missed ON missed.symbol = ended.symbol
LEFT JOIN covered ON covered.symbol = ended.symbol
WHERE
    least($window, last_number - first_number + 1) - coalesce(missed.sessions, 0) >= $active
    AND absent_from.session BETWEEN $start AND $end
    AND NOT EXISTS (
        FROM known_ends
        WHERE symbol = ended.symbol AND known_ends.last >= ended.last AND known_ends.last < absent_to.session
    )
    AND CASE
        WHEN covered.last >= ended.last THEN covered.last > ended.last
        ELSE market.symbols - ends.symbols >= $few AND ends.symbols <= greatest($few, market.symbols / 100)
    END
ORDER BY ended.last DESC, ended.symbol;

-- One row a dividend after a listing's first bar: the part of the price that stayed in the share.
-- It is 1 - amount / close, the close that of the last session before the ex-date, brought to the
-- split basis of the ex-date. Reads: daily, dividends, splits.
WITH before AS (
    SELECT dividends.listing, ex_date, amount, session, close
    FROM dividends
    ASOF JOIN (SELECT listing, session, close FROM daily WHERE close IS NOT NULL) AS priced
        ON dividends.listing = priced.listing AND dividends.ex_date > priced.session
)

SELECT
    before.listing,
    ex_date AS effective,
    1 - any_value(amount) * product(coalesce(shares, 1)) / any_value(close) AS kept
FROM before
LEFT JOIN splits
    ON splits.listing = before.listing
    AND splits.effective > session
    AND splits.effective <= ex_date
GROUP BY before.listing, ex_date;

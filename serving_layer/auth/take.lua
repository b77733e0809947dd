-- Take one request out of a token bucket, in one step.
-- KEYS[1]: the bucket, "held at": requests it held, and when, in seconds.
-- ARGV: requests a second, how many it holds at most.
-- Answers whether one was taken, and how many are left, in part perhaps, as text.
local per_second, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local held, at = burst, now
local kept = redis.call('HMGET', KEYS[1], 'held', 'at')
if kept[1] and kept[2] then
  held, at = tonumber(kept[1]), tonumber(kept[2])
end
-- The server's clock may be set back.
held = math.min(burst, held + math.max(0, now - at) * per_second)
local taken = 0
if held >= 1 then
  held, taken = held - 1, 1
end
redis.call('HSET', KEYS[1], 'held', string.format('%.9f', held), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - held) / per_second * 1000) + 1000)
return {taken, string.format('%.9f', held)}

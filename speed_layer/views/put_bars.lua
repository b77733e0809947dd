-- Puts bars, each only over one of a lower version, and tells subscribers of those that it put.
-- KEYS:    the filling's name, then of each bar the hash of its series and session
-- ARGV:    a new filling's name, the channel, seconds to live, where in a key the symbol begins,
--          then of each bar its record
-- Returns: the filling's name
-- Records: see records.py; a number here is a float64, so versions are exact below 2^53.
local name = redis.call('GET', KEYS[1])
if not name then
  name = ARGV[1]
  redis.call('SET', KEYS[1], name)
end
redis.call('EXPIRE', KEYS[1], ARGV[3])

local call, sub, unpack, match, pack = redis.call, string.sub, struct.unpack, string.match, struct.pack
local begins, live_s, news, n = tonumber(ARGV[4]), ARGV[3], {}, 0
for i = 2, #KEYS do
  local key, record = KEYS[i], ARGV[i + 3]
  local start = sub(record, 17, 24)
  local held = call('HGET', key, start)
  if not held or unpack('<i8', held) < unpack('<i8', record) then
    if call('HSET', key, start, record) == 1 then
      call('EXPIRE', key, live_s)
    end
    local symbol = match(key, '^[^:]+', begins)
    news[n + 1], news[n + 2], news[n + 3] = pack('<BH', #symbol, #record), symbol, record
    n = n + 3
  end
end
if n > 0 then
  redis.call('PUBLISH', ARGV[2], 'b' .. table.concat(news))
end
return name

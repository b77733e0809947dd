-- Puts prices, each only over one of an earlier session, or of the same and a lower version.
-- KEYS:    the filling's name, the hash of prices
-- ARGV:    a new filling's name, the channel, seconds to live, then of each price symbol and record
-- Returns: the filling's name
-- Records: see records.py; a number here is a float64, so versions are exact below 2^53.
local name = redis.call('GET', KEYS[1])
if not name then
  name = ARGV[1]
  redis.call('SET', KEYS[1], name)
end
redis.call('EXPIRE', KEYS[1], ARGV[3])

local news = {}
for i = 4, #ARGV, 2 do
  local symbol, record = ARGV[i], ARGV[i + 1]
  local held = redis.call('HGET', KEYS[2], symbol)
  local is_news = not held
  if held then
    local held_version, held_session = struct.unpack('<i8i4', held)
    local version, session = struct.unpack('<i8i4', record)
    is_news = held_session < session or (held_session == session and held_version < version)
  end
  if is_news then
    redis.call('HSET', KEYS[2], symbol, record)
    news[#news + 1] = struct.pack('<BH', #symbol, #record) .. symbol .. record
  end
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
if #news > 0 then
  redis.call('PUBLISH', ARGV[2], 'p' .. table.concat(news))
end
return name

"""The scripts of the stream log: each runs whole or not at all on the server.

Every key carries the hash tag ``{…}`` of its log, so that a cluster keeps the log in one slot and accepts the scripts.
The epoch names the server's run: after a restart or a failover writes may be missing, and clients must be told so.
"""

from typing import Final

_CURRENT_EPOCH: Final = """
local run = string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), 1, 12)
local epoch = redis.call('GET', KEYS[1])
if not epoch or string.sub(epoch, 1, 12) ~= run then
  epoch = run .. ARGV[1]
  redis.call('SET', KEYS[1], epoch)
end
"""

# keys: epoch, live, topics, then (state, history) per message
# argv: fresh epoch tail, milliseconds that the live stream keeps, then (topic, event id, text) per message
PUBLISH: Final = (
    _CURRENT_EPOCH
    + """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local offsets = {}
for i = 1, (#KEYS - 3) / 2 do
  local state, history = KEYS[2 + 2 * i], KEYS[3 + 2 * i]
  local topic, event, text = ARGV[3 * i], ARGV[3 * i + 1], ARGV[3 * i + 2]
  if redis.call('HGET', state, 'epoch') ~= epoch then
    redis.call('DEL', state, history)
    redis.call('HSET', state, 'epoch', epoch)
    redis.call('SADD', KEYS[3], topic)
  end
  local offset = redis.call('HGET', state, event)
  if not offset then
    offset = redis.call('HINCRBY', state, 'newest', 1)
    redis.call('HSET', state, event, offset)
    redis.call('XADD', history, offset .. '-0', 'ms', now, 'event', event, 'text', text)
    redis.call('XADD', KEYS[2], 'MINID', '~', now - ARGV[2], '*', 'topic', topic, 'epoch', epoch, 'offset', offset, 'text', text)
  end
  offsets[i] = tonumber(offset)
end
return {epoch, offsets}
"""
)

# keys: epoch, state, history; argv: fresh epoch tail, offset to read after, limit (0: only the head)
READ: Final = (
    _CURRENT_EPOCH
    + """
local newest = 0
if redis.call('HGET', KEYS[2], 'epoch') == epoch then
  newest = tonumber(redis.call('HGET', KEYS[2], 'newest') or 0)
end
local entries = {}
if newest > 0 and tonumber(ARGV[3]) > 0 then
  entries = redis.call('XRANGE', KEYS[3], '(' .. ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])
end
return {epoch, newest, entries}
"""
)

# keys: state, history; argv: milliseconds that the log keeps, most entries to drop
TRIM: Final = """
local time = redis.call('TIME')
local horizon = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
local dropped = 0
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[2])) do
  if tonumber(entry[2][2]) >= horizon then break end
  redis.call('XDEL', KEYS[2], entry[1])
  redis.call('HDEL', KEYS[1], entry[2][4])
  dropped = dropped + 1
end
return dropped
"""

# keys: one per bucket; argv: reservation, then (limit, window in microseconds, is in a row, asks for a challenge) per bucket
# An attempt is a member of the sorted set of each of its buckets, scored by its time.
RESERVE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local wait, challenged, free = 0, 0, {}
for i, key in ipairs(KEYS) do
  local limit, window = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
  local in_a_row, asks = ARGV[4 * i] == '1', ARGV[4 * i + 1] == '1'
  if not in_a_row then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now - window))
  end
  local excess = redis.call('ZCARD', key) - limit
  if excess < 0 then
    free[#free + 1] = i
  elseif asks then
    challenged = 1
  else
    local place = in_a_row and -1 or excess
    local decisive = tonumber(redis.call('ZRANGE', key, place, place, 'WITHSCORES')[2])
    wait = math.max(wait, decisive + window - now)
  end
end
if wait > 0 then return {wait, 0} end
for _, i in ipairs(free) do
  redis.call('ZADD', KEYS[i], string.format('%.0f', now), ARGV[1])
  redis.call('PEXPIRE', KEYS[i], math.ceil(ARGV[4 * i - 1] / 1000))
end
return {0, challenged}
"""

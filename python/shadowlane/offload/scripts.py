"""What the server does in one step, in its Lua: nobody sees a half of it, and a repetition changes nothing.

Invariants: a message moves out of the stream only with its count (``XACK`` says whether it is this call that moves it),
so the accounts are exact whoever is killed; the first write of what must go on when the server is full frees memory,
since the server looks for memory before a script's first write only.

Keys are the stream, then ``STREAM:accounts``, ``STREAM:aside`` and ``STREAM:sent:SOURCE`` (or ``STREAM:hosts``) in
this order.
"""

from __future__ import annotations

__all__ = ["ACKNOWLEDGE", "BEAT", "CLAIM", "PUBLISH", "SET_ASIDE", "STATE", "TAKE", "TIDY"]

PUBLISH = """
-- ARGV: source, version, most, number to forget, those, then id and record in turn
local most, n = tonumber(ARGV[3]), tonumber(ARGV[4])
local length, taken, added, at = redis.call('XLEN', KEYS[1]), 0, 0, 5 + n
while ARGV[at] do
  if redis.call('SISMEMBER', KEYS[4], ARGV[at]) == 0 then
    if length >= most then break end
    redis.call('XADD', KEYS[1], '*', 'v', ARGV[2], 'from', ARGV[1], 'copy', ARGV[at + 1])
    redis.call('SADD', KEYS[4], ARGV[at])
    length, added = length + 1, added + 1
  end
  taken, at = taken + 1, at + 2
end
if added > 0 then
  redis.call('HINCRBY', KEYS[2], 'forwarded:' .. ARGV[1], added)
  redis.call('HSET', KEYS[2], 'seen:' .. ARGV[1], redis.call('TIME')[1])
end
for i = 5, 4 + n do redis.call('SREM', KEYS[4], ARGV[i]) end
redis.call('EXPIRE', KEYS[4], 604800)
return taken
"""

CLAIM = """
-- ARGV: group, consumer, least idle time in ms, cursor
local r = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', 100, 'JUSTID')
if r[3] and #r[3] > 0 then redis.call('HINCRBY', KEYS[2], 'lost', #r[3]) end
local found = {}
for _, id in ipairs(r[2]) do
  local p = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])
  if #p > 0 then found[#found + 1] = {id, p[1][4]} end
end
return {r[1], found}
"""

TAKE = """
-- ARGV: group, consumer, ids
local found = {}
for i = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) > 0 then
    local e = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i])
    if e[1] then found[#found + 1] = e[1] else redis.call('HINCRBY', KEYS[2], 'lost', 1) end
  end
end
return found
"""

BEAT = """
-- ARGV: group, consumer, ids
for i = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) > 0 then
    local e = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    if not e[1] then redis.call('HINCRBY', KEYS[2], 'lost', 1) end
  end
end
return 1
"""

WORKS = """
-- ARGV: consumer
return redis.call('HSET', KEYS[2], 'judge:' .. ARGV[1], redis.call('TIME')[1])
"""

ACKNOWLEDGE = """
-- ARGV: group, then id and source in turn
local n = 0
for i = 2, #ARGV, 2 do
  if redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) == 1 then
    redis.call('XDEL', KEYS[1], ARGV[i])
    redis.call('HINCRBY', KEYS[2], 'judged:' .. ARGV[i + 1], 1)
    n = n + 1
  end
end
return n
"""

SET_ASIDE = """
-- ARGV: group, id, reason, the most that are kept
local e = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
if not e[1] then redis.call('HINCRBY', KEYS[2], 'lost', 1) return 0 end
redis.call('XDEL', KEYS[1], ARGV[2])
local fields, source = {'reason', ARGV[3], 'id', ARGV[2]}, ''
for i, one in ipairs(e[1][2]) do
  if i <= 100 then fields[#fields + 1] = one end
  if one == 'from' and i % 2 == 1 then source = string.match(e[1][2][i + 1], '^[%w_./-]+$') or '' end
end
redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[4], '*', unpack(fields))
redis.call('HINCRBY', KEYS[2], 'aside:' .. string.sub(source, 1, 300), 1)
return 1
"""

TIDY = """
-- ARGV: group, consumer, ms until an idle consumer goes, s until settled accounts are put together
for _, one in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local c = {}
  for i = 1, #one, 2 do c[one[i]] = one[i + 1] end
  if c.name ~= ARGV[2] and c.pending == 0 and c.idle > tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], c.name)
  end
end
local now, accounts, all = tonumber(redis.call('TIME')[1]), {}, redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do accounts[all[i]] = tonumber(all[i + 1]) end
for field, seen in pairs(accounts) do
  local source = string.match(field, '^seen:(.+)$')
  if string.find(field, '^judge:') and 1000 * (now - seen) > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[2], field)
  end
  if source and now - seen > tonumber(ARGV[4]) then
    local n = {}
    for _, what in ipairs({'forwarded', 'judged', 'aside'}) do n[what] = accounts[what .. ':' .. source] or 0 end
    if n.forwarded == n.judged + n.aside then
      for what, count in pairs(n) do
        redis.call('HINCRBY', KEYS[2], what .. ':others', count)
        redis.call('HDEL', KEYS[2], what .. ':' .. source)
      end
      redis.call('HDEL', KEYS[2], field, 'base:' .. source)
      redis.call('HDEL', KEYS[4], source)
    end
  end
end
return 1
"""

STATE = """
-- ARGV: group, s for which a judge's sign of life counts
local first, age = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1), 0
local now, judges, accounts = redis.call('TIME'), 0, redis.call('HGETALL', KEYS[2])
if first[1] then
  age = now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(string.match(first[1][1], '^%d+'))
end
for i = 1, #accounts, 2 do
  if string.find(accounts[i], '^judge:') and now[1] - accounts[i + 1] <= tonumber(ARGV[2]) then judges = judges + 1 end
end
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
return {redis.call('XLEN', KEYS[1]), pending.err and 0 or pending[1], age, redis.call('XLEN', KEYS[3]), accounts,
        judges}
"""

#!lua flags=allow-oom
-- (a full Redis still shares out lines: this is small, and gives back as much as it takes)
--
-- Dispatch, shared by all workers: the rules of callrouter/dispatch/lines.py, each move one atomic script.
--
-- KEYS[1]  {dispatch}: the tag of every key below, so that all are in one hash slot
-- ARGV     move, its arguments (JSON), the providers of the house (JSON: id, services, lines)
-- returns  JSON: sought, offers, mine, lost (see callrouter/dispatch/redis_lines.py)
--
--   calls         hash  call → what is known of the caller
--   leases        zset  call → until when, ms: a caller whom nobody keeps is forgotten
--   queue:SERVICE zset  call → order (band, then arrival)
--   lines         zset  PROVIDER|CALL, counted by lexical range: a count that cannot drift
--   told          zset  call → when the offer was told that nobody has taken yet
--   left          zset  call → when it left: a worker that was cut off cannot bring it back
--   failing       hash  provider → until, cause, times
--   edges         hash  PROVIDER|EDGE → up, until
--   swept         when the last sweep was

local KEY = KEYS[1] .. ':'
local CALLS, LEASES, QUEUE, LINES = KEY .. 'calls', KEY .. 'leases', KEY .. 'queue:', KEY .. 'lines'
local TOLD, LEFT, FAILING, EDGES = KEY .. 'told', KEY .. 'left', KEY .. 'failing', KEY .. 'edges'
local asked, house = cjson.decode(ARGV[2]), cjson.decode(ARGV[3])
local answer = {offers = {}, mine = {}, lost = {}}

local MANY_LINES = 1000
local MOST_OFFERS = 50 -- in one script, so that none is slow; the next sweep goes on
local TAKES_CALLS_AGAIN = {busy = true, no_answer = true}

local now = asked.now
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- ------------------------------------------------------------------ providers

-- The clock of Redis may be set back (NTP): no time that we wrote is further ahead than its longest term, or it was
-- written before that. Then the term is over (or, of a lease, begins now): nothing lasts as long as the step was.

local function failing(id)
  local known = redis.call('HGET', FAILING, id)
  known = known and cjson.decode(known)
  if known and known['until'] > now + asked.longest_ms then known['until'] = now end
  return known
end

local function cooling_for(id)
  local known = failing(id)
  return known and known['until'] > now and known.cause or nil
end

local down -- providers that every edge that speaks of them says are down
local function hear_edges()
  down = {}
  local said, up = redis.call('HGETALL', EDGES), {}
  for i = 1, #said, 2 do
    local id, word = string.match(said[i], '^(.-)|'), cjson.decode(said[i + 1])
    if word['until'] <= now or word['until'] > now + asked.statement_ms then
      redis.call('HDEL', EDGES, said[i])
    elseif word.up then
      up[id] = true
    else
      down[id] = true
    end
  end
  for id in pairs(up) do down[id] = nil end
end

local function used(id)
  return redis.call('ZLEXCOUNT', LINES, '[' .. id .. '|', '(' .. id .. '}')
end

local function free(provider)
  return not down[provider.id] and not cooling_for(provider.id)
    and (not provider.lines or used(provider.id) < provider.lines)
end

local function lives(provider)
  local cause = cooling_for(provider.id)
  return not down[provider.id] and (not cause or TAKES_CALLS_AGAIN[cause])
end

local function has(list, wanted)
  for _, each in ipairs(list) do
    if each == wanted then return true end
  end
  return false
end

-- the policy of callrouter.providers.next_provider: the smallest share of lines taken, else the first
local function next_provider(services)
  for _, service in ipairs(services) do
    local best, least
    for _, provider in ipairs(house) do
      if has(provider.services, service) and free(provider) then
        local load = used(provider.id) / (provider.lines or MANY_LINES)
        if not best or load < least then best, least = provider.id, load end
      end
    end
    if best then return best, service end
  end
end

-- ------------------------------------------------------------------ callers

local function read(call)
  local known = redis.call('HGET', CALLS, call)
  return known and cjson.decode(known)
end

local function write(call, caller)
  redis.call('HSET', CALLS, call, cjson.encode(caller))
end

local function lease(call)
  redis.call('ZADD', LEASES, now + asked.lease_ms, call)
end

local function forget(call)
  local caller = read(call) or {services = {}}
  for _, service in ipairs(caller.services) do redis.call('ZREM', QUEUE .. service, call) end
  if caller.provider then redis.call('ZREM', LINES, caller.provider .. '|' .. call) end
  redis.call('HDEL', CALLS, call)
  redis.call('ZREM', LEASES, call)
  redis.call('ZREM', TOLD, call)
end

local function take(call, caller, provider, service)
  for _, each in ipairs(caller.services) do redis.call('ZREM', QUEUE .. each, call) end
  caller.provider, caller.service = provider, service
  redis.call('ZADD', LINES, 0, provider .. '|' .. call)
  write(call, caller)
end

local function wait(call, caller)
  for _, service in ipairs(caller.services) do redis.call('ZADD', QUEUE .. service, caller.order, call) end
  write(call, caller)
end

local function is_first(call, caller)
  for _, service in ipairs(caller.services) do
    if #redis.call('ZRANGEBYSCORE', QUEUE .. service, '-inf', '(' .. caller.order, 'LIMIT', 0, 1) > 0 then
      return false
    end
  end
  return true
end

local function first_of_those_who_can_be_served()
  local first, order
  for _, provider in ipairs(house) do
    if free(provider) then
      for _, service in ipairs(provider.services) do
        local head = redis.call('ZRANGE', QUEUE .. service, 0, 0, 'WITHSCORES')
        local at = tonumber(head[2])
        if at and (not first or at < order or (at == order and head[1] < first)) then
          first, order = head[1], at
        end
      end
    end
  end
  return first
end

local function tell(call, caller)
  redis.call('ZADD', TOLD, now, call)
  table.insert(answer.offers, {call = call, provider = caller.provider, service = caller.service})
end

local function offer_lines()
  while #answer.offers < MOST_OFFERS do
    local call = first_of_those_who_can_be_served()
    if not call then return end
    local caller = read(call)
    take(call, caller, next_provider(caller.services))
    tell(call, caller)
  end
end

local function clean()
  local longest = now + asked.lease_ms
  for _, call in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '(' .. longest, '+inf', 'LIMIT', 0, 100)) do lease(call) end
  for _, call in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, 100)) do forget(call) end
  redis.call('ZREMRANGEBYSCORE', LEFT, '-inf', now - asked.left_ms)
end

-- the caller is gone for good: nobody brings them back
local function leave(call, at)
  forget(call)
  redis.call('ZADD', LEFT, at, call)
end

local function seek(call)
  redis.call('ZREM', LEFT, call)
  local known = read(call)
  if known and known.provider and has(asked.services, known.service) then
    known.holder, known.since = asked.holder, now
    redis.call('ZREM', TOLD, call)
    write(call, known)
    return {provider = known.provider, service = known.service}
  end
  forget(call)
  if known and known.provider then offer_lines() end -- the caller has moved on, and needs somebody else now
  local caller = {services = asked.services, order = asked.order, holder = asked.holder, since = now}
  local reached = false
  for _, provider in ipairs(house) do
    for _, service in ipairs(asked.services) do
      reached = reached or (has(provider.services, service) and lives(provider))
    end
  end
  if not reached then return nil end
  local provider, service = next_provider(asked.services)
  if provider and is_first(call, caller) then
    take(call, caller, provider, service)
    return {provider = provider, service = service}
  end
  if not asked.hold then return nil end
  wait(call, caller)
  return {}
end

-- what one worker asks about callers whom it keeps; with `take_over`, whoever kept them before
local function keep(call)
  local caller = read(call)
  if not caller then
    if not redis.call('ZSCORE', LEFT, call) then table.insert(answer.lost, call) end
    return
  end
  if caller.holder ~= asked.holder then
    if not asked.take_over then return end
    caller.holder, caller.since = asked.holder, now
    write(call, caller)
  end
  lease(call)
  caller.call = call
  table.insert(answer.mine, caller)
end

-- one caller as a worker that was cut off knows them; what others learned later stands
local function restore(told)
  local at, known = now - told.age_ms, read(told.call)
  local left = tonumber(redis.call('ZSCORE', LEFT, told.call))
  local is_newer = known and known.holder ~= asked.holder and known.since > at
  if is_newer or (left and left > at) then return end
  if told.provider or not (known and known.provider) then
    forget(told.call)
    local caller = {services = told.services, order = told.order, holder = asked.holder, since = at}
    if told.provider then
      take(told.call, caller, told.provider, told.service)
    else
      wait(told.call, caller)
    end
  end
  redis.call('ZREM', LEFT, told.call)
  asked.take_over = true
  keep(told.call)
end

local moves = {}

function moves.seek()
  local found = seek(asked.call)
  answer.sought = found
  if found then lease(asked.call) end
end

function moves.keep()
  for _, call in ipairs(asked.calls) do keep(call) end
end

function moves.in_use()
  for _, call in ipairs(asked.calls) do redis.call('ZADD', LEASES, 'XX', now + asked.lease_ms, call) end
end

function moves.leg_failed()
  local caller = read(asked.call)
  if not caller or caller.provider ~= asked.provider then return offer_lines() end
  forget(asked.call)
  local known = failing(asked.provider) or {['until'] = 0, times = 0}
  local times = known['until'] > now and known.times or known.times + 1
  local cool = math.min(asked.longest_ms, asked.cool_ms * 2 ^ math.min(math.max(times - 1, 0), 8))
  known = {['until'] = math.max(known['until'], now + cool), cause = asked.cause, times = times}
  redis.call('HSET', FAILING, asked.provider, cjson.encode(known))
  offer_lines()
end

function moves.leg_answered()
  local caller, known = read(asked.call), failing(asked.provider)
  if not caller or caller.provider ~= asked.provider then return end
  redis.call('ZREM', TOLD, asked.call)
  if known then
    known.times = 0
    redis.call('HSET', FAILING, asked.provider, cjson.encode(known))
  end
end

function moves.leave()
  leave(asked.call, now)
  offer_lines()
end

function moves.taken()
  local caller = read(asked.call)
  if caller and caller.provider == asked.provider then redis.call('ZREM', TOLD, asked.call) end
end

function moves.reachable()
  local field = asked.provider .. '|' .. asked.edge
  if asked.up == nil then
    redis.call('HDEL', EDGES, field)
  else
    redis.call('HSET', EDGES, field, cjson.encode({up = asked.up, ['until'] = now + asked.statement_ms}))
  end
  hear_edges()
  offer_lines()
end

function moves.restore()
  for _, told in ipairs(asked.gone) do
    local known, at = read(told.call), now - told.age_ms
    if not known or known.holder == asked.holder or known.since <= at then leave(told.call, at) end
  end
  for _, told in ipairs(asked.callers) do restore(told) end
  offer_lines()
end

function moves.sweep()
  local swept = tonumber(redis.call('GET', KEY .. 'swept') or '0')
  if swept <= now and now - swept < asked.every_ms then return end
  redis.call('SET', KEY .. 'swept', now)
  for _, late in ipairs({{'-inf', now - asked.told_again_ms}, {'(' .. now, '+inf'}}) do
    for _, call in ipairs(redis.call('ZRANGEBYSCORE', TOLD, late[1], late[2], 'LIMIT', 0, MOST_OFFERS)) do
      tell(call, read(call))
    end
  end
  offer_lines()
end

hear_edges()
clean()
moves[ARGV[1]]()
return cjson.encode(answer)

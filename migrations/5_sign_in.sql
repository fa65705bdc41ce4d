-- Who signs in with a contract, and payments that are good for long.

-- The network whose contract signed for the session. The same address on another network can be somebody else's contract, so the session counts
-- there alone. Null: a key signed, which is the same one everywhere.
alter table sessions add column network text;

-- When an open authorization whose run has ended is looked up next: at the end of its time, and sooner where that is far off. Null in rows of
-- before: at the end of its time.
alter table authorizations add column look_ms bigint;

-- The old index asked for the end of their time.
drop index authorizations_open;
create index authorizations_open on authorizations (network, (coalesce(look_ms, valid_before_ms))) where state = 'open';

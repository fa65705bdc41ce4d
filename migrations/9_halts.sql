-- Since when a network is halted, Unix milliseconds, and why, in words for the operator. Null where it is not, and for a halt of before this was
-- written down. `coinslot resume` clears them with `halted_height`.
alter table cursors add column halted_ms bigint;
alter table cursors add column halted_why text;

-- Rows that say nothing: writing one is how a shop finds out, before anybody pays, that it can still write (a full disk, a database that
-- became read-only). Each try of an instance adds one, no more often than every few seconds, and takes away those of more than a minute ago.
create table probes
(
    probe_id text not null primary key,
    -- Unix milliseconds.
    tried_ms bigint not null,
    -- Random, so that no database stores it smaller: as much room as a small run with its answer wants.
    filling text not null
);

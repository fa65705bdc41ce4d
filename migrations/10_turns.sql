-- When the work on a run of each payer was last begun: who was served goes to the end of the line, so that many runs of one payer do not stand
-- before the only one of another. Of all instances; no money depends on it, and what is a day old is forgotten.
create table turns
(
    payer text not null primary key,
    begun_ms bigint not null
);

-- What the sweep forgets.
create index turns_by_time on turns (begun_ms);

-- What agents called final for an input, of all inputs together, the newest first: each instance reads it every few seconds, so that a demand for
-- payment tells of it without asking the database. Few rows, whatever the table's size.
create index runs_failed_for_good on runs (finished_ms) where state = 'failed' and error_final = 1;

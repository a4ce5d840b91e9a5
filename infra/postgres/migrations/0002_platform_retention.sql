-- Old rows are found by time without a B-tree to be kept up with every event: both tables grow in the order of time.
create index inbox_age on platform.inbox using brin (at) with (autosummarize = on);
create index outbox_age on platform.outbox using brin (published_at) with (autosummarize = on);
